//! Where HTTP/1.1 messages end, byte by byte (RFC 9112, RFC 9110 §5 to §8): every message either
//! has exactly one reading, and reaches the other side in it, or is refused and nothing of it
//! arrives.
//!
//! Each case says the exact bytes of both ends and of the log. It runs whole, split in two at every
//! byte (above 2,000 bytes at some hundreds of them) and byte by byte, on each I/O engine. The upstream reads with a parser of its own that takes
//! one way to say a thing and no other (`wire`); what it cannot take fails the test, in the cases
//! and in the thousands of random changes of them (`mutations`).
//!
//! | file | what it holds |
//! | --- | --- |
//! | `request_line`, `target_and_host`, `header_lines`, `connection` | heads of requests |
//! | `content_length`, `transfer_encoding`, `chunks`, `trailers`, `pipelines` | bodies of requests |
//! | `status_line`, `response_head`, `response_body`, `interim`, `excess`, `truncation`, `floods` | responses |
//! | `mutations` | requests with random changes |
//! | `differential` | the requests to other proxies, on demand |
//! | `rig`, `peer`, `wire`, `messages`, `requests`, `responses` | what the cases run on |

mod differential;
mod messages;
mod peer;
mod requests;
mod responses;
mod rig;
mod wire;

mod chunks;
mod connection;
mod content_length;
mod header_lines;
mod pipelines;
mod request_line;
mod target_and_host;
mod trailers;
mod transfer_encoding;

mod excess;
mod floods;
mod interim;
mod response_body;
mod response_head;
mod status_line;
mod truncation;

mod mutations;

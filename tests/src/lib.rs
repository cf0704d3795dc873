//! The end-to-end harness: starts real proxies on loopback, plays a client and an upstream that
//! are scripted byte by byte, and compares ringmain with Envoy.
//!
//! Everything blocks and every wait is bounded: a peer that stays silent fails the test with what
//! was seen so far. No test asserts how long something took.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`workspace`], [`port`], [`wait`], [`wall_clock`] | scratch folders, free ports, bounded polling, the time of day |
//! | [`process`], [`proxy`], [`envoy`], [`admin`], [`at_rest`] | the proxy under test and its admin interface |
//! | [`message`], [`client`], [`upstream`] | both ends of the wire |
//! | [`h2_frame`], [`h2_client`], [`h2_upstream`] | both ends that speak HTTP/2 by frames |
//! | [`aws`], [`moto`], [`venv`], [`dns_server`], [`load`] | what discovery asks, and requests meanwhile |
//! | [`tls`], [`ocsp`] | certificates, a client that speaks TLS, and what authorities say |
//! | [`template`], [`parity`], [`story`], [`normalize`] | one case through two proxies, and the comparison |

pub mod admin;
pub mod at_rest;
pub mod aws;
pub mod client;
pub mod dns_server;
pub mod envoy;
pub mod h2_client;
pub mod h2_frame;
pub mod h2_upstream;
pub mod load;
pub mod message;
pub mod moto;
pub mod normalize;
pub mod ocsp;
pub mod parity;
pub mod port;
pub mod process;
pub mod proxy;
pub mod python;
pub mod story;
pub mod template;
pub mod tls;
pub mod tool;
pub mod upstream;
pub mod venv;
pub mod wait;
pub mod wall_clock;
pub mod workspace;

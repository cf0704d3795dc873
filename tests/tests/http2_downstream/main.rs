//! Clients of HTTP/2: what the upstream gets from them, what they get back, and what happens to
//! those that break the rules (RFC 9113). Where Envoy does the same, it is asked too.

mod counters;
mod early_ends;
mod refusals;
mod requests;
mod rig;

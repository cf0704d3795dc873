//! What must hold for any bytes at all. Each module is the body of one fuzz target: a function that
//! takes bytes from nowhere and panics where an invariant breaks. The targets themselves are in
//! `fuzz_targets`, their corpora in `corpus`; an ordinary test replays those.

pub mod auto;
pub mod client_hello;
pub mod config_load;
pub mod filter_chain_match;
pub mod h1_chunked;
pub mod h1_connection;
pub mod h1_request;
pub mod h1_response;
pub mod h2_connection;
pub mod h2_flood;
pub mod h2_upstream;
pub mod header_conversion;
pub mod header_map;
pub mod proxy_protocol;
pub mod rbac;
pub mod route_match;
pub mod scope_key;
pub mod substitution_format;

mod pieces;
mod reader;
mod wire;

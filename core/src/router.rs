//! The router: which route takes a request ([`RouteTable`]), and what the route does with it.
//!
//! Tables are compiled once from a checked route configuration; look-ups neither allocate nor grow
//! with the number of virtual hosts or routes.

mod attempt;
mod cluster_choice;
mod filter;
mod hash_policy;
mod header_mutation;
mod hedging;
mod host_rewrite;
mod internal_redirect;
mod look_up;
mod mirror;
mod outcome;
mod path_rewrite;
mod radix_tree;
mod redirect;
mod request_body;
mod request_group;
mod response_relay;
mod retry;
mod route_conditions;
mod route_match;
mod route_table;
mod scoped_routes;
mod stream_duration;
mod timeout;
mod upgrade;
mod upstream_request;
mod virtual_host;
mod whole_body;

pub use attempt::ActiveRequest;
pub use filter::{
    serve, write_https_location, write_location, write_own_location, write_upstream_request,
};
pub use hash_policy::ip_hash;
pub use header_mutation::{
    Direction, add_headers, apply_header_mutations, mutate_headers, put_headers,
};
pub use internal_redirect::Redirects;
pub use look_up::{Stop, choose, has_scheme, look_up};
pub use radix_tree::RadixTree;
pub use request_group::{RequestGroup, RequestGroups};
pub use retry::ExponentialBackOff;
pub use route_conditions::Unmet;
pub use route_match::RouteRequest;
pub use route_table::{Found, RouteRef, RouteTable, path_of};
pub use scoped_routes::Routes;
pub use upgrade::{asked_protocol, is_allowed as is_upgrade_allowed};
pub use virtual_host::{CompiledVirtualHost, serving_domain};
pub use whole_body::receive_whole_body;

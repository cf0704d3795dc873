//! Ringmain against real Envoy 1.40.0: the same configuration, the same bytes, the same outcome.
//! A module per subject; `differences` holds what is meant to differ.

mod access_log_filters;
mod access_log_operators;
mod bodies;
mod client_address;
mod cluster_choice;
mod connections;
mod differences;
mod direct_responses;
mod filter_chains;
mod flow_control;
mod forwarding;
mod header_mutations;
mod headers;
mod health_checks;
mod hedging;
mod http_filters;
mod interim_responses;
mod internal_redirects;
mod listener_access_log;
mod listener_filters;
mod listener_options;
mod load_balancing;
mod local_replies;
mod mirroring;
mod network_filters;
mod outlier_detection;
mod path_handling;
mod pipes;
mod preconnecting;
mod redirects;
mod refused_requests;
mod request_groups;
mod retries;
mod retry_hosts;
mod rewrites;
mod route_matches;
mod route_timeouts;
mod routes;
mod runtime;
mod subsets;
mod tcp_bulk;
mod tcp_proxy;
mod tcp_tunnels;
mod upgrades;
mod upstream_failures;
mod upstream_proxy_protocol;
mod upstream_sockets;
mod virtual_hosts;

/// The plainest request there is.
const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

//! TLS on both sides of the proxy, beside Envoy wherever Envoy does the same.

mod bad_peers;
mod client_certificates;
mod differences;
mod downstream;
mod examples;
mod faults;
mod hellos;
mod malformed_hellos;
mod names;
mod ocsp;
mod reload;
mod rig;
mod tools;
mod truncation;
mod two_proxies;
mod upstream;

//! HTTP filters before the router: a module per filter, and what all of them have in common.

use ringmain_tests::parity::{Case, case};
use ringmain_tests::template::indented;

mod basic_auth;
mod buffer;
mod compressor;
mod cors;
mod csrf;
mod fault;
mod grpc_stats;
mod header_mutation;
mod header_to_metadata;
mod health_check;
mod local_ratelimit;
mod rbac;
mod rbac_matcher;
mod set_filter_state;
mod set_metadata;

/// A filter whose `typed_config` is of `message`, in package `<name>.v3` of Envoy's HTTP filters.
fn filter(name: &str, package: &str, message: &str, fields: &str) -> String {
    format!("- name: {name}\n  typed_config:\n{}", typed(package, message, fields, 4))
}

/// The content of a `typed_config` or of an entry of `typed_per_filter_config`.
fn typed(package: &str, message: &str, fields: &str, indent: usize) -> String {
    let url = "type.googleapis.com/envoy.extensions.filters.http";
    indented(&format!("\"@type\": {url}.{package}.v3.{message}\n{fields}"), indent)
}

/// An entry of `typed_per_filter_config`.
fn per_route(name: &str, package: &str, message: &str, fields: &str) -> String {
    format!("typed_per_filter_config:\n  {name}:\n{}", typed(package, message, fields, 4))
}

/// One virtual host with these fields, whose one route has these.
fn levels(name: &'static str, host: &str, route: &str) -> Case {
    case(name).virtual_hosts(&format!(
        "- name: all\n  domains: ['*']\n{}  routes:\n  - name: r\n    match: {{ prefix: / }}\n    route: {{ cluster: '{{{{cluster}}}}' }}\n{}",
        indented(host, 2),
        indented(route, 4)
    ))
}

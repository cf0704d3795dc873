//! Lines of the event log: `envoy.data.core.v3.HealthCheckEvent` as JSON.

use jiff::Timestamp;
use ringmain_config::address::Address;
use ringmain_config::cluster::HealthChecker;
use serde_json::{Map, Value, json};

use super::state::{Event, Failure, FailureType};
use crate::cluster::Host;

/// What every line about a host says.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name of the cluster.
    pub cluster: &'a str,
    /// The host.
    pub host: &'a Host,
    /// How it is checked.
    pub checker: &'a HealthChecker,
    /// Whether it was the first check.
    pub first_check: bool,
}

/// The line of `event`, with its end. Fields stand in the order of the message, as Envoy has them.
pub fn line(event: Event, about: Subject<'_>, now: Timestamp) -> Vec<u8> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("health_checker_type", json!(checker_type(about.checker)));
    put("host", address(about.host));
    put("cluster_name", json!(about.cluster));
    match event {
        Event::EjectUnhealthy(failure) => {
            put(
                "eject_unhealthy_event",
                json!({
                    "failure_type": failure_type(failure),
                    "http_status_code": failure.http_status_code,
                }),
            );
        }
        Event::AddHealthy => put("add_healthy_event", json!({ "first_check": about.first_check })),
        _ => {}
    }
    put("timestamp", json!(event_timestamp(now)));
    match event {
        Event::Failed(failure) => put(
            "health_check_failure_event",
            json!({
                "failure_type": failure_type(failure),
                "first_check": about.first_check,
                "http_status_code": failure.http_status_code,
            }),
        ),
        Event::Degraded => put("degraded_healthy_host", json!({})),
        Event::NoLongerDegraded => put("no_longer_degraded_host", json!({})),
        _ => {}
    }
    if !about.host.metadata.is_empty() {
        let namespaces = json!({ "envoy.lb": about.host.metadata });
        put("metadata", json!({ "filter_metadata": namespaces, "typed_filter_metadata": {} }));
    }
    let at = &about.host.locality;
    put("locality", json!({ "region": at.region, "zone": at.zone, "sub_zone": at.sub_zone }));
    if event == Event::Succeeded {
        put("successful_health_check_event", json!({}));
    }
    let mut line = Value::Object(fields).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// A moment in milliseconds, as protobuf writes it: without a fraction where that is zero.
pub fn event_timestamp(now: Timestamp) -> String {
    match now.subsec_millisecond() {
        0 => format!("{now:.0}"),
        _ => format!("{now:.3}"),
    }
}

fn checker_type(checker: &HealthChecker) -> &'static str {
    match checker {
        HealthChecker::Http(_) => "HTTP",
        HealthChecker::Tcp(_) => "TCP",
        HealthChecker::Grpc(_) => "GRPC",
    }
}

fn failure_type(failure: Failure) -> &'static str {
    match failure.kind {
        FailureType::Active => "ACTIVE",
        FailureType::Passive => "PASSIVE",
        FailureType::Network => "NETWORK",
        FailureType::NetworkTimeout => "NETWORK_TIMEOUT",
    }
}

fn address(host: &Host) -> Value {
    match &host.address {
        Address::Socket(address) => json!({ "socket_address": {
            "protocol": "TCP",
            "address": address.ip().to_string(),
            "port_value": address.port(),
            "resolver_name": "",
            "ipv4_compat": false,
            "network_namespace_filepath": "",
        }}),
        Address::Pipe(path) => json!({ "pipe": { "path": &**path, "mode": 0 } }),
    }
}

//! The effective configuration: defaults filled in, the same meaning, no secrets.

use ringmain_config::{LoadOptions, effective_yaml};

use crate::good_files;
use crate::skeleton::{ORIGIN, file, load_text};

fn effective(text: &str) -> String {
    effective_yaml(ORIGIN, text, &LoadOptions::default())
        .unwrap_or_else(|error| panic!("{error}"))
        .0
}

/// Files that between them have every message with defaults.
fn files() -> Vec<String> {
    let retries = "match: {prefix: /}\nroute: {cluster: one, retry_policy: {retry_on: 5xx, \
                   rate_limited_retry_back_off: {reset_headers: [{name: a, format: SECONDS}]}}}";
    let breakers = "circuit_breakers: {thresholds: [{max_requests: 5, retry_budget: {}}]}\n\
                    typed_extension_protocol_options:\n  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n    \
                    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n    \
                    explicit_http_config: {http_protocol_options: {}}";
    let ecs = "cluster_type:\n  name: ringmain.clusters.ecs\n  typed_config: {\"@type\": \
               type.googleapis.com/ringmain.clusters.ecs.v1.EcsCluster, cluster: prod, service: a, region: b}";
    let cloud_map = "cluster_type:\n  name: ringmain.clusters.cloud_map\n  typed_config: {\"@type\": \
                     type.googleapis.com/ringmain.clusters.cloud_map.v1.CloudMapCluster, namespace: a, \
                     service: b, region: c}";
    let metadata = "match: {prefix: /}\nroute: {cluster: one}\nmetadata: {filter_metadata: {a: {b: '010', \
                    c: 'yes', d: 1, e: [null, true, '1.50', {f: ''}]}}}";
    let tcp = "static_resources: {listeners: {address: {socket_address: {address: '::1', port_value: 1}}, \
               filter_chains: {filters: {name: tcp, typed_config: {\"@type\": \
               type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, \
               stat_prefix: a, cluster: b}}}}, clusters: {name: b}}";
    let health = "health_checks: {timeout: 1s, interval: 1s, unhealthy_threshold: 1, \
                  healthy_threshold: 1, http_health_check: {path: /}}";
    vec![
        tcp.to_owned(),
        good_files::FRONT_PROXY.to_owned(),
        file("root", ""),
        file("route", retries),
        file("route", metadata),
        file("cluster", breakers),
        file("cluster", "common_http_protocol_options: {max_requests_per_connection: 5}"),
        file("cluster", health),
        file("cluster", "outlier_detection: {}"),
        file("cluster", ecs),
        file("cluster", cloud_map),
    ]
}

#[test]
fn the_defaults_are_those_of_the_model() {
    for text in files() {
        let effective = effective(&text);
        let bootstrap = |text: &str| match load_text(text) {
            Ok(loaded) => format!("{:#?}", loaded.bootstrap),
            Err(error) => panic!("{error}\n{effective}"),
        };
        assert_eq!(bootstrap(&text), bootstrap(&effective), "{effective}");
    }
}

#[test]
fn filling_in_twice_changes_nothing() {
    for text in files() {
        let once = effective(&text);
        assert_eq!(effective(&once), once);
    }
}

#[test]
fn what_is_absent_stands_there_with_its_default() {
    let yaml = effective(&file("root", ""));
    let told = [
        "connect_timeout: 5s",
        "lb_policy: ROUND_ROBIN",
        "stream_idle_timeout: 300s",
        "merge_slashes: false",
        "max_requests: 1024",
        "timeout: 15s",
        "prefix: /",
    ];
    for told in told {
        assert!(yaml.contains(&format!("{told}\n")), "{told} is not in\n{yaml}");
    }
    assert!(!yaml.contains(r#""""#) && !yaml.contains("[]"), "{yaml}");
}

#[test]
fn a_wrong_file_is_told_as_ever() {
    let error = effective_yaml(ORIGIN, "nodee: {}", &LoadOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "envoy.yaml:1:1: error: unknown field 'nodee' at nodee; did you mean 'node'?"
    );
}

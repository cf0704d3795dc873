//! `envoy.filters.http.health_check`.

use ringmain_tests::parity::{Case, compare};
use ringmain_tests::upstream::reply;

use super::{filter, levels};
use crate::GET;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: a.example\r\n\r\n";
const HEADERS: &str = "headers: [{ name: ':path', string_match: { exact: /healthz } }]";

fn checked(name: &'static str, fields: &str) -> Case {
    levels(name, "", "").http_filters(&filter(
        "health",
        "health_check",
        "HealthCheck",
        &format!("{HEADERS}\n{fields}"),
    ))
}

#[test]
fn modes() {
    let asked = |case: Case| case.ask(HEALTH).ask(GET).ask(HEALTH);
    compare(vec![
        asked(checked("answered", "pass_through_mode: false")),
        asked(checked("passed_on", "pass_through_mode: true")),
        asked(checked("cached", "pass_through_mode: true\ncache_time: 1000s"))
            .upstream(reply("HTTP/1.1 503 Service Unavailable\r\nx-envoy-degraded: 1\r\ncontent-length: 2\r\n\r\nno")),
        asked(checked("every_header", "pass_through_mode: false").http_filters(&filter("health", "health_check", "HealthCheck", "pass_through_mode: false"))),
        checked("grpc", "pass_through_mode: false").ask("POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n"),
    ]);
}

#[test]
fn clusters_with_enough_healthy_hosts() {
    let minimum = |name, cluster: &str, percent: &str| {
        checked(name, &format!("pass_through_mode: false\ncluster_min_healthy_percentages: {{ {cluster}: {{ value: {percent} }} }}"))
            .ask(HEALTH)
            .ask(GET)
    };
    let to_nobody = "- match: { prefix: / }\n  route: { cluster: '{{empty}}' }";
    compare(vec![
        minimum("healthy", "healthy_cluster", "100").shows("health_check_ok_cluster_healthy"),
        minimum("unknown", "nobody", "50").shows("health_check_failed_no_cluster_found"),
        minimum("empty", "empty_empty", "50")
            .routes(to_nobody)
            .shows("health_check_failed_cluster_empty"),
        minimum("empty_is_enough", "empty_is_enough_empty", "0.5")
            .routes(to_nobody)
            .shows("health_check_ok"),
        checked(
            "not_asked",
            "pass_through_mode: true\ncluster_min_healthy_percentages: { nobody: { value: 50 } }",
        )
        .ask(HEALTH),
    ]);
}

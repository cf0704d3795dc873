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

//! What a request may take until all of it has come, over the wire: the limits that the connection
//! manager sets while the head is incomplete, and while the body is.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

const HALF_HEAD: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-";
const HALF_BODY: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello";

/// A limit, what its passing is counted as, and what the client reads.
const LIMITS: [(&str, &str, &str); 4] = [
    (
        "common_http_protocol_options: { max_stream_duration: 0.2s }",
        "downstream_rq_max_duration_reached",
        "downstream duration timeout",
    ),
    ("request_timeout: 0.2s", "downstream_rq_timeout", "request timeout"),
    ("stream_idle_timeout: 0.2s", "downstream_rq_idle_timeout", "stream timeout"),
    ("request_headers_timeout: 0.2s", "downstream_rq_header_timeout", "request header timeout"),
];

fn expect_timeout(program: Program, sent: &str, (limit, stat, body): (&str, &str, &str)) {
    let upstream = Upstream::start(vec![ok()]);
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    let proxy = Proxy::start(program, &front_proxy(limit, "", ""), &values);
    let mut client = Client::connect(proxy.port("listener"));
    client.send(sent);
    let response = client.read_response().expect("a response");
    assert_eq!(response.status(), Some(408), "{program} {limit}");
    assert_eq!(response.header("connection"), Some("close"), "{program} {limit}");
    assert_eq!(String::from_utf8_lossy(&response.body), body, "{program} {limit}");
    proxy.admin().wait_for_stat(&format!("http.ingress.{stat}"), 1);
    proxy.admin().wait_for_stat("http.ingress.downstream_rq_active", 0);
}

#[test]
fn of_a_head() {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        for limit in LIMITS {
            // Envoy counts silence from the end of the head on.
            if program != Program::Envoy || !limit.0.starts_with("stream_idle") {
                expect_timeout(program, HALF_HEAD, limit);
            }
        }
    }
}

#[test]
fn of_a_body() {
    for program in Program::ringmains() {
        for limit in &LIMITS[..3] {
            expect_timeout(program, HALF_BODY, *limit);
        }
    }
}

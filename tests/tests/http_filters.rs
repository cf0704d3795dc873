//! What HTTP filters do beyond one exchange: over all workers, after `/healthcheck/fail`, when a
//! client leaves.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

/// A proxy with one filter before the router.
fn start(program: Program, package: &str, message: &str, fields: &str) -> (Proxy, Upstream) {
    start_as(program, package, message, fields, &front_proxy("", "", ""))
}

/// The same, of which the rest is `template`.
fn start_as(
    program: Program,
    package: &str,
    message: &str,
    fields: &str,
    template: &str,
) -> (Proxy, Upstream) {
    start_before(program, package, message, fields, template, vec![ok()])
}

/// The same before an upstream that says `replies`.
fn start_before(
    program: Program,
    package: &str,
    message: &str,
    fields: &str,
    template: &str,
    replies: Vec<Reply>,
) -> (Proxy, Upstream) {
    let upstream = Upstream::start(replies);
    let filter = format!(
        "- name: filter\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.{package}.v3.{message}\n{}",
        indented(fields, 4)
    );
    let router = "          - name: router\n";
    let filters = format!("{}{router}", indented(&filter, 10));
    let template = template.replace(router, &filters);
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    (Proxy::start(program, &template, &values), upstream)
}

fn status(proxy: &Proxy, request: &str) -> Option<u16> {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(request);
    client.read_response().expect("a response").status()
}

#[test]
fn all_workers_take_from_one_bucket() {
    let fields = "stat_prefix: limit
token_bucket: { max_tokens: 10, fill_interval: 1000s }
filter_enabled: { default_value: { numerator: 100 } }
filter_enforced: { default_value: { numerator: 100 } }";
    for program in Program::ringmains() {
        let (proxy, _upstream) = start(program, "local_ratelimit", "LocalRateLimit", fields);
        // Each on a connection of its own, which the kernel gives to any worker.
        let statuses: Vec<_> = (0..30).map(|_| status(&proxy, GET)).collect();
        let passed = statuses.iter().filter(|status| **status == Some(200)).count();
        assert_eq!(passed, 10, "{program}: {statuses:?}");
        proxy.admin().wait_for_stat("limit.http_local_rate_limit.rate_limited", 20);
    }
}

#[test]
fn failing_health_checks_are_told() {
    let fields = "pass_through_mode: true
headers: [{ name: ':path', string_match: { exact: /health } }]";
    for program in Program::ringmains() {
        let (proxy, _upstream) = start(program, "health_check", "HealthCheck", fields);
        let health = GET.replace("GET /", "GET /health");
        assert_eq!(status(&proxy, &health), Some(200), "{program}");
        proxy.admin().post("/healthcheck/fail");
        ringmain_tests::wait::eventually("health checks to fail", || {
            (status(&proxy, &health) == Some(503)).then_some(())
        });
        for (request, expected) in [(&health[..], 503), (GET, 200)] {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(request);
            let response = client.read_response().expect("a response");
            assert_eq!(response.status(), Some(expected), "{program}");
            assert_eq!(response.header("x-envoy-immediate-health-check-fail"), Some("true"));
        }
    }
}

#[test]
fn health_checks_fail_with_too_few_healthy_hosts() {
    let fields = "pass_through_mode: false
headers: [{ name: ':path', string_match: { exact: /health } }]
cluster_min_healthy_percentages: { backend: { value: 50 } }";
    let unhealthy = "- { health_status: UNHEALTHY, endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {{upstream}} } } } }\n";
    for program in [vec![Program::Envoy], Program::ringmains()].concat() {
        for (more, expected) in [(1, 200), (2, 503)] {
            let hosts = front_proxy("", "", "") + &indented(&unhealthy.repeat(more), 8);
            let (proxy, _upstream) =
                start_as(program, "health_check", "HealthCheck", fields, &hosts);
            let health = GET.replace("GET /", "GET /health");
            assert_eq!(status(&proxy, &health), Some(expected), "{program} {more}");
        }
    }
}

#[test]
fn a_body_that_is_waited_for_has_its_time() {
    let fields = "max_request_bytes: 1000";
    let half = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello";
    for program in Program::ringmains() {
        for (limit, stat, body) in [
            ("stream_idle_timeout: 0.1s", "downstream_rq_idle_timeout", "stream timeout"),
            ("request_timeout: 0.1s", "downstream_rq_timeout", "request timeout"),
            (
                "common_http_protocol_options: { max_stream_duration: 0.1s }",
                "downstream_rq_max_duration_reached",
                "downstream duration timeout",
            ),
        ] {
            let template = front_proxy(limit, "", "");
            let (proxy, upstream) = start_as(program, "buffer", "Buffer", fields, &template);
            let mut client = Client::connect(proxy.port("listener"));
            client.send(half);
            let response = client.read_response().expect("a response");
            assert_eq!(response.status(), Some(408), "{program} {limit}");
            assert_eq!(response.body, body.as_bytes(), "{program} {limit}");
            proxy.admin().wait_for_stat(&format!("http.ingress.{stat}"), 1);
            assert_eq!(upstream.connections().len(), 0, "{program} {limit}");
        }
    }
}

/// It is longer than what sockets hold of it, so that a host which does not read keeps it from being sent.
#[test]
fn a_long_body_that_was_waited_for_may_be_answered_before_its_end() {
    const BYTES: usize = 8 << 20;
    let refusal = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 4\r\n\r\nbig!".to_vec();
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let (proxy, _upstream) = start_before(
            program,
            "buffer",
            "Buffer",
            "max_request_bytes: 16777216",
            &front_proxy("", "", ""),
            vec![vec![Act::Send(refusal.clone()), Act::AwaitRelease]],
        );
        let mut client = Client::connect(proxy.port("listener"));
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {BYTES}\r\n\r\n"));
        client.send(vec![b'x'; BYTES]);
        let response = client.read_response().expect("a response");
        assert_eq!((response.status(), response.text()), (Some(413), "big!".into()), "{program}");
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
    }
}

#[test]
fn a_client_may_leave_while_its_request_is_delayed() {
    let fields = "delay: { fixed_delay: 1000s, percentage: { numerator: 100 } }";
    for program in Program::ringmains() {
        let (proxy, _upstream) = start(program, "fault", "HTTPFault", fields);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let admin = proxy.admin();
        admin.wait_for_stat("http.ingress.fault.active_faults", 1);
        client.reset();
        admin.wait_for_stat("http.ingress.fault.active_faults", 0);
        admin.wait_for_stat("http.ingress.downstream_cx_destroy_remote_active_rq", 1);
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
    }
}

#[test]
fn a_client_may_leave_while_its_response_is_slowed() {
    let fields =
        "response_rate_limit: { fixed_limit: { limit_kbps: 1 }, percentage: { numerator: 100 } }";
    let route = "                route:\n                  cluster: backend\n";
    let body = "a".repeat(4096);
    let direct = format!(
        "                direct_response: {{ status: 200, body: {{ inline_string: {body} }} }}\n"
    );
    let template = front_proxy("", "", "").replace(route, &direct);
    for program in Program::ringmains() {
        let (proxy, _upstream) = start_as(program, "fault", "HTTPFault", fields, &template);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        assert_eq!(client.read_bytes(15), b"HTTP/1.1 200 OK", "{program}");
        let admin = proxy.admin();
        admin.wait_for_stat("http.ingress.fault.active_faults", 1);
        client.reset();
        admin.wait_for_stat("http.ingress.fault.active_faults", 0);
        admin.wait_for_stat("http.ingress.downstream_cx_destroy_remote_active_rq", 1);
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
    }
}

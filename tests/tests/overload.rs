//! The overload manager's actions on memory that is too much from the start, beside Envoy.

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

const HEAP: &str = "fixed_heap";
const GROUP: &str = "cgroup_memory";

/// A proxy that may use `max_bytes` of what `monitor` watches, with one action and one trigger.
fn start(
    program: Program,
    upstream: &Upstream,
    monitor: &str,
    max_bytes: u64,
    action: &str,
) -> Proxy {
    let (message, field) = match monitor {
        HEAP => ("FixedHeapConfig", "max_heap_size_bytes"),
        _ => ("CgroupMemoryConfig", "max_memory_bytes"),
    };
    let config = format!(
        r#"overload_manager:
  refresh_interval: 0.05s
  resource_monitors:
  - name: envoy.resource_monitors.{monitor}
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.{monitor}.v3.{message}
      {field}: {max_bytes}
  actions:
  - name: envoy.overload_actions.{action}
    triggers: [{{ name: envoy.resource_monitors.{monitor}, threshold: {{ value: 0.9 }} }}]
{}"#,
        front_proxy("", "", "")
    );
    let values = Values::from([("upstream".to_owned(), upstream.address().port().to_string())]);
    Proxy::start(program, &config, &values)
}

/// The same once the action is taken.
fn overloaded(program: Program, upstream: &Upstream, action: &str) -> Proxy {
    overloaded_by(HEAP, program, upstream, action)
}

fn overloaded_by(monitor: &str, program: Program, upstream: &Upstream, action: &str) -> Proxy {
    let proxy = start(program, upstream, monitor, 1, action);
    let action_stat = format!("overload.envoy.overload_actions.{action}");
    proxy.admin().wait_for_stat(&format!("{action_stat}.active"), 1);
    assert_eq!(proxy.admin().stat(&format!("{action_stat}.scale_percent")), 100, "{program}");
    let monitor = format!("overload.envoy.resource_monitors.{monitor}");
    assert!(proxy.admin().stat(&format!("{monitor}.pressure")) > 100, "{program}");
    assert_eq!(proxy.admin().stat(&format!("{monitor}.failed_updates")), 0, "{program}");
    proxy
}

fn programs() -> Vec<Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains()).collect()
}

fn http(proxy: &Proxy, leaf: &str) -> u64 {
    proxy.admin().stat(&format!("http.ingress.{leaf}"))
}

#[test]
fn requests_are_refused() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded(program, &upstream, "stop_accepting_requests");
        let mut client = Client::connect(proxy.port("listener"));
        for served in 1..=2 {
            client.send(GET);
            let answer = client.read_response().expect("an answer");
            assert_eq!(
                normalize::headers(&answer.to_string()),
                "HTTP/1.1 503 Service Unavailable\ncontent-length: 16\ncontent-type: text/plain\ndate: \
                 <date>\nserver: envoy\n  body by length: \"envoy overloaded\"\n",
                "{program}"
            );
            proxy.admin().wait_for_stat("http.ingress.downstream_rq_overload_close", served);
        }
    }
}

#[test]
fn connections_end_with_their_response() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded(program, &upstream, "disable_http_keepalive");
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let answer = client.read_response().expect("an answer");
        assert!(answer.start_line().contains("200"), "{program}: {}", answer.start_line());
        assert!(answer.to_string().contains("connection: close\n"), "{program}: {answer}");
        assert!(client.read_response().is_err(), "{program}: the connection has ended");
        let stat = "http.ingress.downstream_cx_overload_disable_keepalive";
        proxy.admin().wait_for_stat(stat, 1);
    }
}

#[test]
fn connections_are_closed() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded(program, &upstream, "reject_incoming_connections");
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        assert!(client.read_response().is_err(), "{program}: nobody answers");
        let listener = format!("listener.127.0.0.1_{}", proxy.port("listener"));
        proxy.admin().wait_for_stat(&format!("{listener}.downstream_cx_overload_reject"), 1);
        assert_eq!(http(&proxy, "downstream_cx_total"), 0, "{program}");
    }
}

#[test]
fn connections_wait() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded(program, &upstream, "stop_accepting_connections");
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        // That nothing comes cannot be waited for; that admin, asked later, knows of nothing can.
        for _ in 0..10 {
            assert_eq!(http(&proxy, "downstream_cx_total"), 0, "{program}");
        }
    }
}

#[test]
fn the_memory_of_the_control_group_counts() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded_by(GROUP, program, &upstream, "stop_accepting_requests");
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let answer = client.read_response().expect("an answer");
        assert_eq!(answer.status(), Some(503), "{program}");
    }
}

#[test]
fn with_room_nothing_is_refused() {
    let upstream = Upstream::start(vec![ok()]);
    for (program, monitor) in programs().into_iter().flat_map(|it| [(it, HEAP), (it, GROUP)]) {
        let proxy = start(program, &upstream, monitor, 1 << 40, "stop_accepting_requests");
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let answer = client.read_response().expect("an answer");
        assert!(answer.start_line().contains("200"), "{program}: {}", answer.start_line());
        assert_eq!(http(&proxy, "downstream_rq_overload_close"), 0, "{program}");
    }
}

#[test]
fn free_memory_goes_back_to_the_system() {
    let upstream = Upstream::start(vec![ok()]);
    for program in programs() {
        let proxy = overloaded(program, &upstream, "shrink_heap");
        let stat = "overload.envoy.overload_actions.shrink_heap.shrink_count";
        proxy.admin().wait_for_stat(stat, 1);
    }
}

//! What sockets of connections to hosts are like, and when those are closed.

use std::fs;

use ringmain_tests::client::Client;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, one_listener};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

use crate::GET;

/// A case that tells the client the proxy's own address towards the host.
fn source(name: &'static str, cluster: &str) -> Case {
    const TOLD: &str = "response_headers_to_add: \
         [{ header: { key: x-source, value: '%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%' } }]";
    case(name).route_config(TOLD).cluster(cluster).ask(GET)
}

/// The same towards a host that refuses: Envoy connects from any address where it cannot connect from
/// this one, and closes the connection.
fn failing_source(name: &'static str, cluster: &str) -> Case {
    source(name, cluster).routes("- match: { prefix: / }\n  route: { cluster: '{{refused}}' }")
}

#[test]
fn source_addresses() {
    const AT_5: &str = "source_address: { address: 127.0.0.5, port_value: 0 }";
    let option = |level, name, state| {
        format!(
            "socket_options: [{{ level: {level}, name: {name}, int_value: 1, state: {state} }}]"
        )
    };
    let bind = |fields: &str| format!("upstream_bind_config: {{ {fields} }}");
    compare(vec![
        source("source", &bind(AT_5)).shows("x-source: 127.0.0.5"),
        source(
            "extra_of_the_other_version",
            &bind(&format!(
                "{AT_5}, extra_source_addresses: [{{ address: {{ address: '::1', port_value: 0 }} }}]"
            )),
        )
        .shows("x-source: 127.0.0.5"),
        source(
            "extra_of_this_version",
            &bind(
                "source_address: { address: '::1', port_value: 0 }, extra_source_addresses: \
                 [{ address: { address: 127.0.0.6, port_value: 0 } }]",
            ),
        )
        .shows("x-source: 127.0.0.6"),
        source("nothing", "upstream_bind_config: {}").shows("x-source: 127.0.0.1"),
        source("freebind", &bind(&format!("{AT_5}, freebind: true"))).shows("x-source: 127.0.0.5"),
        failing_source(
            "not_here",
            &bind("source_address: { address: 203.0.113.7, port_value: 0 }"),
        )
        .shows("HTTP/1.1 503")
        .shows("failed_to_bind_to_203.0.113.7:0:_Cannot_assign_requested_address"),
        failing_source("other_family", &bind("source_address: { address: '::1', port_value: 0 }"))
            .shows("failed_to_bind_to_[::1]:0:_Address_family_not_supported_by_protocol"),
        failing_source("no_such_option", &bind(&option(99, 99, "STATE_PREBIND")))
            .shows("reset reason: local connection failure"),
        source("after_binding", &bind(&format!("{AT_5}, {}", option(99, 99, "STATE_BOUND"))))
            .shows("x-source: 127.0.0.5"),
        // SO_KEEPALIVE.
        source("an_option", &bind(&option(1, 9, "STATE_PREBIND"))).shows("HTTP/1.1 200"),
    ]);
}

#[test]
fn a_local_failure_is_retried_as_one_of_the_connection() {
    compare(vec![
        case("local_failure_retried")
            .routes(
                "- match: { prefix: / }\n  route: { cluster: '{{refused}}', retry_policy: \
                 { retry_on: connect-failure, retry_back_off: { base_interval: 0.001s } } }",
            )
            .cluster(
                "upstream_bind_config: { source_address: { address: 203.0.113.7, port_value: 0 } }",
            )
            .ask(GET)
            .shows("retried and the latest reset reason: local connection failure")
            .shows("URX,UF"),
    ]);
}

/// A proxy with these further fields of the whole configuration and of its cluster.
fn proxy(program: Program, upstream: &Upstream, fields: &str, cluster: &str) -> Proxy {
    let port = upstream.address().port();
    let address = format!("{{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}");
    let clusters = format!(
        "- name: c\n  {cluster}\n  load_assignment: {{ cluster_name: c, endpoints: [{{ lb_endpoints: \
         [{{ endpoint: {{ address: {address} }} }}] }}] }}\n"
    );
    let text = one_listener("- { match: { prefix: / }, route: { cluster: c } }", &clusters);
    Proxy::start(program, &format!("{fields}\n{text}"), &Values::new())
}

fn ask(proxy: &Proxy) {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    assert_eq!(client.read_response().expect("a response").status(), Some(200));
}

/// Whether the kernel has a timer for probes on a connection to `port` from `source`, as
/// `/proc/net/tcp` tells: addresses in hexadecimal, then the state, and the timer's kind.
fn is_probed(source: [u8; 4], port: u16) -> bool {
    let (source, port) = (u32::from_ne_bytes(source), format!(":{port:04X}"));
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux tells");
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, "01", _, timer, ..] = columns[..] else { return false };
        local.starts_with(&format!("{source:08X}:"))
            && remote.ends_with(&port)
            && timer.starts_with("02:")
    })
}

#[test]
fn idle_connections_are_probed() {
    let cluster = "upstream_connection_options: { tcp_keepalive: { keepalive_time: 60 } }";
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let upstream = Upstream::start(vec![ok()]);
        let port = upstream.address().port();
        let plain = proxy(program, &upstream, "", "type: STATIC");
        ask(&plain);
        assert!(!is_probed([127, 0, 0, 1], port), "{program} was not asked to");
        let probing = proxy(program, &upstream, "", cluster);
        ask(&probing);
        eventually("a timer for probes", || is_probed([127, 0, 0, 1], port).then_some(()));
    }
}

#[test]
fn health_checks_come_from_there_too() {
    const CLUSTER: &str =
        "upstream_bind_config: { source_address: { address: 127.0.0.8, port_value: 0 } }
  upstream_connection_options: { tcp_keepalive: { keepalive_time: 60 } }
  health_checks: [{ timeout: 5s, interval: 60s, no_traffic_interval: 60s, unhealthy_threshold: 1, \
         healthy_threshold: 1, http_health_check: { path: /ready } }]";
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = proxy(program, &upstream, "", CLUSTER);
        proxy.admin().wait_for_stat("cluster.c.health_check.success", 1);
        let port = upstream.address().port();
        eventually("the check's connection", || is_probed([127, 0, 0, 8], port).then_some(()));
    }
}

#[test]
fn the_cluster_manager_says_it_for_clusters_that_do_not() {
    const MANAGER: &str = "cluster_manager: { upstream_bind_config: \
         { source_address: { address: 127.0.0.6, port_value: 0 }, \
         socket_options: [{ level: 1, name: 9, int_value: 1, state: STATE_PREBIND }] } }";
    const OWN: &str = "upstream_bind_config: { source_address: { address: 127.0.0.7, port_value: 0 }, \
         socket_options: [{ level: 1, name: 9, int_value: 1, state: STATE_PREBIND }] }";
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        for (cluster, source) in [("type: STATIC", [127, 0, 0, 6]), (OWN, [127, 0, 0, 7])] {
            let upstream = Upstream::start(vec![ok()]);
            let proxy = proxy(program, &upstream, MANAGER, cluster);
            ask(&proxy);
            let port = upstream.address().port();
            eventually("the connection", || is_probed(source, port).then_some(()));
        }
    }
}

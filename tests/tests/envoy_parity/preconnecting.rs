//! Connections to hosts ahead of requests (`preconnect_policy`).

use std::fmt::Write;

use ringmain_tests::client::Client;
use ringmain_tests::h2_frame::{END_STREAM, headers};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, one_listener};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok, reply};
use ringmain_tests::wait::eventually;

use crate::GET;

/// A proxy whose cluster has these fields, and hosts that answer by the same script.
fn start(
    program: Program,
    cluster: &str,
    hosts: usize,
    replies: &[Reply],
) -> (Proxy, Vec<Upstream>) {
    let hosts: Vec<_> = (0..hosts).map(|_| Upstream::start(replies.to_vec())).collect();
    let mut endpoints = String::new();
    for host in &hosts {
        let port = host.address().port();
        let address = format!("{{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}");
        let _ = writeln!(endpoints, "    - endpoint: {{ address: {address} }}");
    }
    let clusters = format!(
        "- name: c\n  {cluster}\n  load_assignment:\n    cluster_name: c\n    endpoints:\n    - lb_endpoints:\n{}",
        endpoints.replace("    - ", "      - ")
    );
    let text = one_listener("- { match: { prefix: / }, route: { cluster: c } }", &clusters);
    (Proxy::start(program, &text, &Values::new()), hosts)
}

fn ask(proxy: &Proxy) -> Client {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    client
}

fn ask_in_turn(proxy: &Proxy, count: usize) {
    for _ in 0..count {
        let response = ask(proxy).read_response().expect("a response");
        assert_eq!(response.status(), Some(200));
    }
}

/// Waits until the proxy has opened `opened` connections, of which `open` are left.
#[track_caller]
fn wait_for(program: Program, proxy: &Proxy, opened: u64, open: u64) {
    eventually(&format!("{program} to have opened {opened} and to keep {open}"), || {
        let stat = |name: &str| proxy.admin().stat(&format!("cluster.c.upstream_cx_{name}"));
        (stat("total") == opened && stat("active") == open).then_some(())
    });
}

fn programs() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

#[test]
fn a_host_has_connections_for_more_requests_than_it_gets() {
    const TWICE: &str = "preconnect_policy: { per_upstream_preconnect_ratio: 2 }";
    for program in programs() {
        let (proxy, _hosts) = start(program, TWICE, 1, &[ok()]);
        ask_in_turn(&proxy, 1);
        wait_for(program, &proxy, 2, 2);
        ask_in_turn(&proxy, 3);
        wait_for(program, &proxy, 2, 2);
        // A connection that ends with its request is replaced by the next.
        let close = reply("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        let (proxy, _hosts) = start(program, TWICE, 1, &[close]);
        for requests in 1..=3 {
            ask_in_turn(&proxy, 1);
            wait_for(program, &proxy, requests + 1, 1);
        }
    }
}

#[test]
fn shares_of_connections_are_rounded_up() {
    const HALF_MORE: &str = "preconnect_policy: { per_upstream_preconnect_ratio: 1.5 }";
    let held = vec![Act::ReadBody, Act::AwaitRelease, ok()[1].clone()];
    for program in programs() {
        let (proxy, hosts) = start(program, HALF_MORE, 1, std::slice::from_ref(&held));
        let mut clients = Vec::new();
        for (requests, connections) in [(1, 2), (2, 3), (3, 5), (4, 6)] {
            clients.push(ask(&proxy));
            hosts[0].wait_for_requests(requests);
            wait_for(program, &proxy, connections, connections);
        }
        hosts[0].release();
        for client in &mut clients {
            assert_eq!(client.read_response().expect("a response").status(), Some(200));
        }
    }
}

#[test]
fn limits_hold_for_connections_ahead() {
    const LIMITED: &str = "preconnect_policy: { per_upstream_preconnect_ratio: 3 }\n  \
         circuit_breakers: { thresholds: [{ max_connections: 2 }] }";
    for program in programs() {
        let (proxy, _hosts) = start(program, LIMITED, 1, &[ok()]);
        ask_in_turn(&proxy, 2);
        wait_for(program, &proxy, 2, 2);
        assert!(proxy.admin().stat("cluster.c.upstream_cx_overflow") > 0, "{program}");
    }
}

/// A host of HTTP/2 that takes so many requests at a time on each connection, and a proxy before it.
fn start_http2(program: Program, streams: u32, policy: &str) -> (Proxy, H2Upstream) {
    let host = H2Upstream::start(|peer, request| {
        peer.send(headers(request.stream, &[(":status", "200")], END_STREAM));
    });
    let limited = format!("http2_protocol_options: {{ max_concurrent_streams: {streams} }}");
    let cluster = HTTP2.replace("http2_protocol_options: {}", &limited)
        + &format!("preconnect_policy: {{ {policy} }}\n");
    let values = Values::from([("upstream".into(), host.address().port().to_string())]);
    (Proxy::start(program, &front_proxy("", "", &cluster), &values), host)
}

#[test]
fn a_connection_of_http2_is_enough_for_the_requests_that_it_takes() {
    for (streams, policy, expected) in [
        (100, "per_upstream_preconnect_ratio: 3", 1),
        (1, "per_upstream_preconnect_ratio: 2", 2),
        (2, "per_upstream_preconnect_ratio: 3", 2),
        (100, "predictive_preconnect_ratio: 3", 1),
    ] {
        for program in programs() {
            let (proxy, _host) = start_http2(program, streams, policy);
            let admin = proxy.admin();
            for _ in 0..3 {
                ask_in_turn(&proxy, 1);
                admin.wait_for_stat("cluster.backend.upstream_rq_active", 0);
                admin.wait_for_stat("cluster.backend.upstream_cx_total", expected);
            }
            let opened = admin.stat("cluster.backend.upstream_cx_total");
            assert_eq!(opened, expected, "{policy} in {program}");
        }
    }
}

#[test]
fn hosts_whose_turn_is_next_have_a_connection() {
    const TWICE: &str = "preconnect_policy: { predictive_preconnect_ratio: 2 }";
    let each = |hosts: &[Upstream], count: fn(&Upstream) -> usize, expected: usize| {
        eventually("the same at each host", || {
            hosts.iter().all(|host| count(host) == expected).then_some(())
        });
    };
    for program in programs() {
        for count in 1..=3 {
            let (proxy, hosts) = start(program, TWICE, count, &[ok()]);
            ask_in_turn(&proxy, 1);
            wait_for(program, &proxy, count as u64, count as u64);
            each(&hosts, |host| host.connections().len(), 1);
            ask_in_turn(&proxy, count - 1);
            each(&hosts, |host| host.requests().len(), 1);
            wait_for(program, &proxy, count as u64, count as u64);
        }
        let random = format!("lb_policy: RANDOM\n  {TWICE}");
        let (proxy, _hosts) = start(program, &random, 3, &[ok()]);
        ask_in_turn(&proxy, 1);
        eventually("one ahead", || {
            (proxy.admin().stat("cluster.c.upstream_cx_total") >= 2).then_some(())
        });
        // Nobody knows who has the fewest requests next.
        let least = format!("lb_policy: LEAST_REQUEST\n  {TWICE}");
        let (proxy, _hosts) = start(program, &least, 3, &[ok()]);
        ask_in_turn(&proxy, 1);
        wait_for(program, &proxy, 1, 1);
    }
}

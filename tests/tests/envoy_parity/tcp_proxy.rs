//! Connections that are passed on as they are.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::port::{RefusingPort, SilentPort};
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, same_with, stats};
use ringmain_tests::template::{self, Values};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok, reply};
use ringmain_tests::wait::eventually;

use crate::GET;

const FORMAT: &str = "%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %PROTOCOL% %UPSTREAM_PROTOCOL% \
    host %UPSTREAM_HOST% cluster %UPSTREAM_CLUSTER% from %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
    bytes %BYTES_RECEIVED% %BYTES_SENT% wire %DOWNSTREAM_WIRE_BYTES_RECEIVED% \
    %DOWNSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_RECEIVED% %UPSTREAM_WIRE_BYTES_SENT% \
    attempts %UPSTREAM_REQUEST_ATTEMPT_COUNT% type %ACCESS_LOG_TYPE% \
    why %UPSTREAM_TRANSPORT_FAILURE_REASON% remote %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
    path %REQ(:PATH)% host %REQUESTED_SERVER_NAME%";

/// A TCP proxy with these fields, and clusters to name in them.
fn config(fields: &str) -> String {
    let cluster = |name: &str, hosts: &str, more: &str| {
        format!(
            "
  - name: {name}
    type: STATIC
    connect_timeout: 0.5s
    load_assignment:
      cluster_name: {name}
      endpoints: [{{ lb_endpoints: [{hosts}] }}]{more}"
        )
    };
    let host = |port: &str| {
        format!(
            "{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{{port}}}}} }} }} }} }}"
        )
    };
    let at_most = |count: u32| {
        format!("\n    circuit_breakers: {{ thresholds: [{{ max_connections: {count} }}] }}")
    };
    let rest = format!(
        r#"  clusters:{}{}{}{}{}{}
"#,
        cluster("good", &host("upstream"), ""),
        cluster("narrow", &host("upstream"), &at_most(1)),
        cluster("shut", &host("upstream"), &at_most(0)),
        cluster("refused", &host("refused"), ""),
        cluster("silent", &host("silent"), ""),
        cluster("empty", "", ""),
    );
    template::tcp_proxy(fields, FORMAT, &rest)
}

/// Not `upstream_flush`, which tells of buffers that ringmain does not have, nor what `flow_control.rs` looks at.
const COUNTED: &str = "%5E(tcp%5C.tcp%5C.(downstream_cx|idle|max)|listener%5C.in%5C.|cluster%5C.(good|narrow|shut|refused|silent|empty)%5C.upstream_(cx|rq)_(total|active|destroy|connect|none|overflow|pending_total|pending_f|cancelled))";

/// Plays with an upstream of this script; the story ends with `logged` log lines and the stats.
#[track_caller]
fn tell(
    fields: &str,
    replies: &[Reply],
    logged: usize,
    scene: impl Fn(&Proxy, &Upstream, &mut String),
) {
    let set_up = || {
        let upstream = Upstream::start(replies.to_vec());
        let (refused, silent) = (RefusingPort::bind(), SilentPort::bind());
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("refused".into(), refused.address().port().to_string()),
            ("silent".into(), silent.address().port().to_string()),
        ]);
        (values, (upstream, refused, silent))
    };
    same_with(&config(fields), set_up, |proxy, (upstream, refused, silent)| {
        let mut story = String::new();
        scene(proxy, upstream, &mut story);
        // The clients are gone. Only now the upstream follows, so that everybody sees the same order.
        eventually("the clients' end to reach the upstream", || {
            upstream.connections().iter().all(|one| one.end.is_some()).then_some(())
        });
        upstream.close_connections();
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        let ports = [
            (upstream.address().port(), "upstream"),
            (refused.address().port(), "refused"),
            (silent.address().port(), "silent"),
        ];
        story += &log_lines(proxy, "tcp.log", logged, &ports);
        story += &upstream.transcript();
        story + &stats(proxy, COUNTED)
    });
}

fn connect(proxy: &Proxy) -> Client {
    Client::connect(proxy.port("listener"))
}

/// Reads to the end and writes down what came.
fn read_to_end(client: &mut Client, story: &mut String) {
    let (bytes, end) = client.read_to_end();
    *story += &format!("{} [{end}]\n", bytes.escape_ascii());
}

#[test]
fn bytes_go_both_ways() {
    tell("cluster: good", &[ok()], 1, |proxy, _, story| {
        let mut client = connect(proxy);
        for _ in 0..2 {
            client.send(GET);
            *story += &client.read_response().expect("an answer").to_string();
        }
    });
}

#[test]
fn many_bytes_go_both_ways() {
    let long =
        format!("HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
    let post =
        format!("POST / HTTP/1.1\r\ncontent-length: 2000000\r\n\r\n{}", "y".repeat(2_000_000));
    tell("cluster: good", &[reply(long)], 1, |proxy, upstream, story| {
        let mut client = connect(proxy);
        client.send(&post);
        let answer = client.read_response().expect("an answer");
        *story += &format!("{}\n", answer.body.len());
        let request = upstream.requests().pop().expect("the request");
        *story += &format!("{}\n", request.body.len());
    });
}

#[test]
fn a_half_close_is_passed_on() {
    let replies = [vec![Act::ReadBody, Act::Send(b"later".to_vec()), Act::HalfClose]];
    tell("cluster: good", &replies, 1, |proxy, _, story| {
        let mut client = connect(proxy);
        client.send(GET);
        read_to_end(&mut client, story);
        client.send("more");
    });
    tell("cluster: good", &[ok()], 1, |proxy, upstream, story| {
        let mut client = connect(proxy);
        client.send(GET);
        client.half_close();
        *story += &client.read_response().expect("an answer").to_string();
        // Which waits for the client's end to get there.
        upstream.close_connections();
        read_to_end(&mut client, story);
    });
}

#[test]
fn a_reset_is_passed_on() {
    tell("cluster: good", &[vec![Act::Reset]], 1, |proxy, _, story| {
        let mut client = connect(proxy);
        client.send(GET);
        read_to_end(&mut client, story);
    });
    tell("cluster: good", &[ok()], 1, |proxy, upstream, story| {
        let mut client = connect(proxy);
        client.send(GET);
        *story += &client.read_response().expect("an answer").to_string();
        client.reset();
        let end = || upstream.connections().first().and_then(|connection| connection.end);
        let end = eventually("the reset", end);
        *story += &format!("upstream saw [{end}]\n");
        assert_ne!(end, End::TimedOut);
    });
}

/// A host whose health checks go to another port, which lets the second one wait until it is released and
/// then fail.
fn checked(fields: &str) -> String {
    let rest = format!(
        "  clusters:
  - name: checked
    type: STATIC
    {fields}
    health_checks:
    - {{ timeout: 20s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 1, healthy_threshold: 1,
        http_health_check: {{ path: / }} }}
    load_assignment:
      cluster_name: checked
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }}
            health_check_config: {{ port_value: {{{{health}}}} }}
"
    );
    template::tcp_proxy("cluster: checked", FORMAT, &rest)
}

#[test]
fn connections_to_a_host_that_fails_are_closed_where_that_is_asked_for() {
    const SICK: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    for (fields, closes) in [("close_connections_on_host_health_failure: true", true), ("", false)]
    {
        let set_up = || {
            let upstream = Upstream::start(vec![ok()]);
            let waiting = vec![Act::AwaitRelease, Act::ReadBody, Act::Send(SICK.into())];
            let health = Upstream::start(vec![ok(), waiting, reply(SICK)]);
            let port = |upstream: &Upstream| upstream.address().port().to_string();
            let values = [("upstream".into(), port(&upstream)), ("health".into(), port(&health))];
            (Values::from(values), (upstream, health))
        };
        same_with(&checked(fields), set_up, |proxy, (upstream, health)| {
            let mut story = String::new();
            let mut client = connect(proxy);
            client.send(GET);
            story += &client.read_response().expect("an answer").to_string();
            health.release();
            proxy.admin().wait_for_stat("cluster.checked.membership_healthy", 0);
            if closes {
                read_to_end(&mut client, &mut story);
            } else {
                client.send(GET);
                story += &client.read_response().expect("the connection is kept").to_string();
            }
            drop(client);
            eventually("the client's end to reach the upstream", || {
                upstream.connections().iter().all(|one| one.end.is_some()).then_some(())
            });
            upstream.close_connections();
            proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
            story += &log_lines(proxy, "tcp.log", 1, &[(upstream.address().port(), "upstream")]);
            story += &upstream.transcript();
            story + &stats(proxy, "%5Ecluster%5C.checked%5C.upstream_cx_(total|active|destroy)")
        });
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_tried_as_often_as_may_be() {
    for fields in [
        "cluster: refused",
        "cluster: refused; max_connect_attempts: 3",
        "cluster: refused; max_connect_attempts: 2; backoff_options: { base_interval: 0.02s }",
        "cluster: silent",
        "cluster: empty",
        "cluster: nowhere",
    ] {
        let fields = fields.replace("; ", "\n");
        tell(&fields, &[ok()], 1, |proxy, _, story| {
            let mut client = connect(proxy);
            read_to_end(&mut client, story);
        });
    }
}

#[test]
fn the_clients_address_chooses_the_host() {
    // The same hosts for all programs: their addresses are what the ring is made of.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec();
    let replies = vec![vec![Act::ReadBody, Act::Send(answer), Act::Close]];
    let hosts: Vec<_> = (0..3).map(|_| Upstream::start(replies.clone())).collect();
    let names = ["a", "b", "c"];
    let ports: Vec<_> = hosts.iter().map(|host| host.address().port()).zip(names).collect();
    let endpoints: Vec<_> = ports
        .iter()
        .map(|(port, _)| format!("{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }} }}"))
        .collect();
    let fields = "cluster: ring\nhash_policy: [{ source_ip: {} }]";
    let ring = format!(
        "  - name: ring
    lb_policy: RING_HASH
    load_assignment: {{ cluster_name: ring, endpoints: [{{ lb_endpoints: [{}] }}] }}
",
        endpoints.join(", ")
    );
    let config =
        config(fields).replace("%RESPONSE_FLAGS%", "%UPSTREAM_HOST% %RESPONSE_FLAGS%") + &ring;
    let values = ["upstream", "refused", "silent"].map(|name| (name.to_owned(), "1".to_owned()));
    same(&config, &Values::from(values), |proxy| {
        let mut served = String::new();
        for last in 1..20 {
            let from = Ipv4Addr::new(127, 0, 0, last);
            let mut client =
                Client::connect_between(from, (Ipv4Addr::LOCALHOST, proxy.port("listener")));
            client.send(GET);
            client.read_response().expect("an answer");
            drop(client);
            let lines = log_lines(proxy, "tcp.log", last.into(), &ports);
            let line = lines.lines().last().unwrap_or_default();
            served += &format!("{last} {}\n", line.split(' ').next().unwrap_or_default());
        }
        served
    });
}

#[test]
fn connections_are_limited_by_the_cluster() {
    tell("cluster: narrow", &[ok()], 2, |proxy, _, story| {
        let mut first = connect(proxy);
        first.send(GET);
        *story += &first.read_response().expect("an answer").to_string();
        let mut second = connect(proxy);
        read_to_end(&mut second, story);
    });
    tell("cluster: shut", &[ok()], 1, |proxy, _, story| read_to_end(&mut connect(proxy), story));
}

#[test]
fn idle_and_old_connections_end() {
    for fields in ["idle_timeout: 0.3s", "max_downstream_connection_duration: 0.3s"] {
        let fields = format!("cluster: good\n{fields}");
        tell(&fields, &[ok()], 1, |proxy, _, story| {
            let mut client = connect(proxy);
            client.send(GET);
            *story += &client.read_response().expect("an answer").to_string();
            read_to_end(&mut client, story);
        });
    }
}

#[test]
fn weights_share_connections() {
    let fields = "weighted_clusters: { clusters: [{ name: good, weight: 3 }, { name: nowhere, weight: 0 }] }";
    // Envoy asks for a weight of at least 1.
    let fields = fields.replace(", { name: nowhere, weight: 0 }", ", { name: good, weight: 1 }");
    tell(&fields, &[ok()], 2, |proxy, _, story| {
        for _ in 0..2 {
            let mut client = connect(proxy);
            client.send(GET);
            *story += &client.read_response().expect("an answer").to_string();
        }
    });
}

/// Each connection has an id of its own, which all its lines tell.
#[test]
fn connections_have_ids() {
    let fields = "cluster: good\naccess_log_options: { flush_access_log_on_start: true }";
    let config = config(fields).replace(FORMAT, "%STREAM_ID%");
    let set_up = || {
        let refused = RefusingPort::bind();
        let port = refused.address().port().to_string();
        let values = ["upstream", "refused", "silent"].map(|name| (name.into(), port.clone()));
        (Values::from(values), refused)
    };
    same_with(&config, set_up, |proxy, _refused| {
        for _ in 0..2 {
            connect(proxy).read_to_end();
        }
        let lines = log_lines(proxy, "tcp.log", 4, &[]);
        let ids: BTreeSet<&str> = lines.lines().collect();
        let told = |id: &str| id.split('-').map(|part| part.len().to_string() + " ").collect();
        ids.into_iter().map(told).collect::<Vec<String>>().join("\n")
    });
}

#[test]
fn lines_are_written_when_asked_for() {
    let fields = "cluster: good
access_log_options: { flush_access_log_on_connected: true, flush_access_log_on_start: true }";
    tell(fields, &[ok()], 3, |proxy, _, story| {
        let mut client = connect(proxy);
        client.send(GET);
        *story += &client.read_response().expect("an answer").to_string();
    });
}

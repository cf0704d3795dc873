//! `connection_keepalive` of HTTP/2: who does not answer PING any more is let go. Envoy does the same.

use std::thread;
use std::time::Duration;

use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::h2_frame::{ACK, END_STREAM, data, headers, kind, settings};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening, Peer, Request};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

/// Envoy, and ringmain on each engine: they do the same.
fn both() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

fn start(program: Program, hcm: &str, cluster: &str, upstream_port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), upstream_port.to_string())]);
    Proxy::start(program, &front_proxy(hcm, "", cluster), &values)
}

/// The fields of a cluster whose hosts speak HTTP/2, with these options.
fn http2_with(options: &str) -> String {
    HTTP2.replace("http2_protocol_options: {}", &format!("http2_protocol_options: {{ {options} }}"))
}

fn answer(peer: &mut Peer, request: &Request) {
    peer.send(headers(request.stream, &[(":status", "200")], 0));
    peer.send(data(request.stream, "ok", END_STREAM));
}

#[test]
fn a_silent_client_is_let_go() {
    let hcm = "http2_protocol_options: { connection_keepalive: { interval: 0.1s, timeout: 0.1s } }";
    for program in both() {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = start(program, hcm, "", upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.answers_pings = false;
        assert!(client.next_frame().is_none_or(|frame| frame.kind == kind::GOAWAY), "{program}");
        let pings = client.frames.iter().filter(|frame| frame.kind == kind::PING);
        assert_eq!(pings.count(), 1, "{program}");
        proxy.admin().wait_for_stat("http2.keepalive_timeout", 1);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_destroy_local", 1);
    }
}

#[test]
fn a_client_that_answers_stays() {
    let hcm = "http2_protocol_options: { connection_keepalive: { interval: 0.05s, timeout: 5s } }";
    for program in both() {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = start(program, hcm, "", upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        for stream in [1, 3, 5] {
            let pings = |client: &H2Client| {
                client.frames.iter().filter(|frame| frame.kind == kind::PING).count()
            };
            let before = pings(&client);
            while pings(&client) == before {
                client.read_one().expect("a frame");
            }
            client.request(stream, &GET);
            assert_eq!(client.outcome(stream).status(), Some(200), "{program}");
        }
        assert_eq!(proxy.admin().stat("http2.keepalive_timeout"), 0, "{program}");
    }
}

#[test]
fn a_silent_host_is_let_go() {
    let cluster = http2_with("connection_keepalive: { interval: 0.1s, timeout: 0.1s }");
    for program in both() {
        let opening = Opening { first: settings(&[]), polite: false };
        let upstream = H2Upstream::start_with(opening, |_: &mut Peer, _: &Request| {});
        let proxy = start(program, "", &cluster, upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.request(1, &GET);
        let outcome = client.outcome(1);
        assert!(outcome.ended && outcome.status().is_none(), "{program}: {outcome:?}");
        proxy.admin().wait_for_stat("cluster.backend.http2.keepalive_timeout", 1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_503", 1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_cx_destroy_local_with_active_rq", 1);
    }
}

#[test]
fn a_request_after_silence_is_sent_behind_a_ping() {
    let cluster =
        http2_with("connection_keepalive: { timeout: 5s, connection_idle_interval: 0.05s }");
    for program in both() {
        let upstream = H2Upstream::start(answer);
        let proxy = start(program, "", &cluster, upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.request(1, &GET);
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        // Longer than `connection_idle_interval`.
        thread::sleep(Duration::from_millis(200));
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
        let frames = upstream.connections().concat();
        let place = |is: &dyn Fn(u8, u8) -> bool| {
            frames.iter().position(|frame| is(frame.kind, frame.flags))
        };
        let ping = place(&|kind, flags| kind == kind::PING && flags & ACK == 0);
        let last = frames.iter().rposition(|frame| frame.kind == kind::HEADERS);
        assert!(ping.is_some() && ping < last, "{program}: {frames:?}");
        proxy.admin().wait_for_stat("cluster.backend.http2.streams_active", 0);
    }
}

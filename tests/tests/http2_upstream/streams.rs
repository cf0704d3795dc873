//! What is sent on which stream, and what an end of one leaves of the others.

use ringmain_tests::h2_client;
use ringmain_tests::h2_client::H2Client;
use ringmain_tests::h2_frame::{
    END_STREAM, code, data, headers, kind, reset, settings, window_update,
};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening};
use ringmain_tests::proxy::Program;

use crate::rig::{GET, OK, POST, Rig, ok};

#[test]
fn bodies_and_trailers_pass_both_ways() {
    const TRAILERS: &str = "http_protocol_options: { enable_trailers: true }";
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|peer, request| {
            if request.ended {
                peer.send(headers(request.stream, &[(":status", "200")], 0));
                for piece in request.body.chunks(16 * 1024) {
                    peer.send(data(request.stream, piece, 0));
                }
                peer.send(headers(request.stream, &[("x-sum", "1")], END_STREAM));
            }
        });
        let rig = Rig::before(program, TRAILERS, "", upstream);
        let body = vec![b'x'; 300 * 1024];
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(format!("{:x}\r\n", body.len()));
        client.send(&body);
        client.send("\r\n0\r\nx-end: 1\r\n\r\n");
        let answer = client.read_response().expect("an answer");
        assert_eq!((answer.status(), answer.body.len()), (Some(200), body.len()), "{program}");
        assert_eq!(answer.trailers, "x-sum: 1\r\n", "{program}");
        // The head and the trailers.
        assert_eq!(rig.upstream.count(kind::HEADERS), 2, "{program}");
    }
}

#[test]
fn a_client_that_leaves_resets_its_stream_alone() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |_, _| {});
        let (mut stays, mut leaves) = (rig.client(), rig.client());
        stays.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        leaves.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        drop(leaves);
        rig.upstream.wait_for(kind::RST_STREAM, 1);
        rig.upstream.send(headers(1, &[(":status", "204")], END_STREAM));
        assert_eq!(stays.read_response().map(|answer| answer.status()), Ok(Some(204)), "{program}");
        rig.settle();
        assert_eq!(rig.stat("upstream_cx_destroy"), 0, "{program}");
        assert_eq!(rig.stat("upstream_rq_cancelled"), 0, "{program}");
    }
}

/// The host takes two requests at once, and no second connection may be opened: a third one waits until
/// the client gives up one of them.
#[test]
fn a_reset_on_a_full_connection_makes_room_for_who_waits() {
    let breaker =
        format!("circuit_breakers: {{ thresholds: [{{ max_connections: 1 }}] }}\n{HTTP2}");
    for program in [Program::ringmains(), vec![Program::Envoy]].concat() {
        let opening = Opening { first: settings(&[(3, 2)]), polite: true };
        let upstream = H2Upstream::start_with(opening, |_, _| {});
        let rig = Rig::with(program, ["", "", &breaker], upstream);
        let mut client = H2Client::open(rig.proxy.port("listener"));
        client.request(1, &h2_client::GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        client.request(3, &h2_client::GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        client.request(5, &h2_client::GET);
        rig.wait_for("upstream_rq_pending_active", 1);
        client.send(reset(1, code::CANCEL));
        rig.upstream.wait_for(kind::HEADERS, 3);
        assert_eq!(rig.upstream.count(kind::RST_STREAM), 1, "{program}");
        for stream in [3, 5] {
            rig.upstream.send(headers(stream, OK, 0));
            rig.upstream.send(data(stream, "ok", END_STREAM));
            let outcome = client.outcome(stream);
            assert_eq!((outcome.ended, &outcome.body[..]), (true, &b"ok"[..]), "{program}");
        }
        rig.settle();
        rig.wait_for("http2.streams_active", 0);
        for (stat, value) in [
            ("upstream_cx_total", 1),
            ("upstream_cx_destroy", 0),
            ("upstream_rq_total", 3),
            ("upstream_rq_completed", 2),
            ("upstream_rq_tx_reset", 1),
            ("http2.tx_reset", 1),
        ] {
            assert_eq!(rig.stat(stat), value, "{program}: {stat}");
        }
        let admin = rig.proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_rq_active", 0);
        assert_eq!(admin.stat("http.ingress.downstream_rq_rx_reset"), 1, "{program}");
        assert_eq!(admin.stat("http2.rx_reset"), 1, "{program}");
    }
}

/// One response that its client does not read takes up all that the connection may have on its way: the
/// others wait, until its client gives it up.
#[test]
fn a_reset_gives_its_part_of_the_connections_window_back() {
    const WINDOW: usize = 65_535;
    let windows = "{ initial_stream_window_size: 65535, initial_connection_window_size: 65535 }";
    let cluster = HTTP2.replace("{}", windows);
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            if request.number == 0 {
                let body = "a".repeat(WINDOW);
                body.as_bytes().chunks(16_384).for_each(|it| peer.send(data(1, it, 0)));
            }
        });
        let rig = Rig::with(program, ["", "", &cluster], upstream);
        // SETTINGS_INITIAL_WINDOW_SIZE.
        let mut client = H2Client::open_with(rig.proxy.port("listener"), &[(4, 0)]);
        client.request(1, &h2_client::GET);
        client.read_slowly_until(|it| it.kind == kind::HEADERS);
        rig.proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 1);
        client.request(3, &h2_client::GET);
        client.read_slowly_until(|it| it.kind == kind::HEADERS);
        assert_eq!(rig.upstream.count(kind::WINDOW_UPDATE), 0, "{program}");
        client.send(reset(1, code::CANCEL));
        rig.upstream.wait_for(kind::WINDOW_UPDATE, 1);
        let body = "b".repeat(WINDOW);
        body.as_bytes().chunks(16_384).for_each(|it| rig.upstream.send(data(3, it, 0)));
        rig.upstream.send(data(3, "", END_STREAM));
        client.send(window_update(3, 65_535));
        assert_eq!(client.outcome(3).body.len(), WINDOW, "{program}");
        rig.settle();
    }
}

#[test]
fn a_request_that_was_refused_is_sent_again() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| match request.number {
            0 if request.ended => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => ok(peer, request),
        });
        assert_eq!(rig.ask(POST).status(), Some(200), "{program}");
        assert_eq!(rig.requests(), [2], "{program}");
        assert_eq!(rig.stat("upstream_rq_replayed"), 1, "{program}");
    }
}

#[test]
fn a_window_that_never_opens_ends_with_the_time_limit() {
    const LIMIT: &str = "stream_idle_timeout: 0.3s";
    for program in Program::ringmains() {
        let opening = Opening { first: settings(&[]), polite: false };
        let rig = Rig::before(program, LIMIT, "", H2Upstream::start_with(opening, |_, _| {}));
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1048576\r\n\r\n");
        client.send(vec![b'x'; 1024 * 1024]);
        let (answer, _) = client.read_to_end();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 504 "),
            "{program}: {answer}"
        );
        rig.upstream.wait_for(kind::RST_STREAM, 1);
        rig.settle();
    }
}

#[test]
fn a_response_may_come_before_the_request_has_ended() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| {
            if !request.ended && request.body.is_empty() {
                peer.send(headers(request.stream, OK, 0));
                peer.send(data(request.stream, "ok", END_STREAM));
                peer.send(reset(request.stream, code::NO_ERROR));
            }
        });
        let mut client = rig.client();
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 9\r\n\r\nhalf");
        assert_eq!(
            client.read_response().map(|answer| answer.status()),
            Ok(Some(200)),
            "{program}"
        );
        rig.settle();
    }
}

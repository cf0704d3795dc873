//! How many connections there are, and how they end.

use ringmain_tests::client::Client;
use ringmain_tests::h2_frame::{END_STREAM, code, goaway, headers, kind, settings};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening};
use ringmain_tests::proxy::Program;

use crate::rig::{GET, POST, Rig, ok};

#[test]
fn requests_share_a_connection() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, ok);
        for request in [GET, POST, GET] {
            let answer = rig.ask(request);
            assert_eq!(
                (answer.status(), answer.text().ends_with("ok")),
                (Some(200), true),
                "{program}"
            );
        }
        rig.settle();
        assert_eq!(rig.requests(), [3], "{program}");
        assert_eq!(rig.stat("upstream_cx_http2_total"), 1, "{program}");
        assert_eq!(rig.stat("upstream_cx_http1_total"), 0, "{program}");
        assert_eq!(rig.stat("upstream_rq_2xx"), 3, "{program}");
    }
}

#[test]
fn requests_at_once_are_streams_of_one_connection() {
    for program in Program::ringmains() {
        // The last of four answers all.
        let rig = Rig::start(program, |peer, request| {
            if request.number == 3 {
                for stream in [7, 5, 3, 1] {
                    peer.send(headers(stream, &[(":status", "204")], END_STREAM));
                }
            }
        });
        let mut clients: Vec<Client> = (0..4).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        for client in &mut clients {
            assert_eq!(
                client.read_response().map(|answer| answer.status()),
                Ok(Some(204)),
                "{program}"
            );
        }
        assert_eq!(rig.requests(), [4], "{program}");
    }
}

#[test]
fn another_connection_opens_when_streams_run_out() {
    for program in Program::ringmains() {
        let opening = Opening { first: settings(&[(3, 1)]), polite: true };
        let upstream = H2Upstream::start_with(opening, |peer, request| {
            // The first request stays open.
            if request.number != 1 {
                ok(peer, request);
            }
        });
        let rig = Rig::before(program, "", "", upstream);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        let mut held = rig.client();
        held.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 2);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.requests(), [2, 1], "{program}");
    }
}

#[test]
fn requests_at_once_open_no_more_connections_than_they_need() {
    let cluster = HTTP2.replace("{}", "{ max_concurrent_streams: 2 }");
    for program in Program::ringmains() {
        let upstream = H2Upstream::start(|_, _| {});
        let rig = Rig::with(program, ["", "", &cluster], upstream);
        let mut clients: Vec<Client> = (0..6).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        rig.upstream.wait_for(kind::HEADERS, 6);
        assert_eq!(rig.requests(), [2, 2, 2], "{program}");
        assert_eq!(rig.stat("upstream_cx_overflow"), 0, "{program}");
    }
}

#[test]
fn streams_before_a_goaway_finish_and_later_ones_go_elsewhere() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| match request.number {
            0 => {}
            1 => {
                peer.send(goaway(1, code::NO_ERROR));
                peer.send(headers(1, &[(":status", "204")], END_STREAM));
            }
            _ => ok(peer, request),
        });
        let (mut first, mut second) = (rig.client(), rig.client());
        first.send(GET);
        rig.upstream.wait_for(kind::HEADERS, 1);
        second.send(GET);
        assert_eq!(first.read_response().map(|answer| answer.status()), Ok(Some(204)), "{program}");
        assert_eq!(
            second.read_response().map(|answer| answer.status()),
            Ok(Some(200)),
            "{program}"
        );
        assert_eq!(rig.requests(), [2, 1], "{program}");
        rig.wait_for("upstream_cx_close_notify", 1);
        rig.wait_for("upstream_cx_active", 1);
    }
}

#[test]
fn a_connection_ends_after_its_last_request() {
    let cluster =
        format!("{HTTP2}    common_http_protocol_options: {{ max_requests_per_connection: 2 }}\n");
    for program in Program::ringmains() {
        let rig = Rig::with(program, ["", "", &cluster], H2Upstream::start(ok));
        for _ in 0..3 {
            assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        }
        assert_eq!(rig.requests(), [2, 1], "{program}");
        rig.wait_for("upstream_cx_max_requests", 1);
        rig.wait_for("upstream_cx_active", 1);
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let cluster = format!("{HTTP2}    common_http_protocol_options: {{ idle_timeout: 0.1s }}\n");
    for program in Program::ringmains() {
        let rig = Rig::with(program, ["", "", &cluster], H2Upstream::start(ok));
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        rig.wait_for("upstream_cx_active", 0);
        rig.wait_for("upstream_cx_idle_timeout", 1);
        rig.upstream.wait_for(kind::GOAWAY, 1);
    }
}

#[test]
fn a_connection_that_dies_ends_all_its_streams() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, |peer, request| {
            if request.number == 7 {
                peer.abort();
            }
        });
        let mut clients: Vec<Client> = (0..8).map(|_| rig.client()).collect();
        clients.iter_mut().for_each(|client| client.send(POST));
        for client in &mut clients {
            let answer = client.read_response().expect("an answer");
            assert_eq!(answer.status(), Some(503), "{program}");
        }
        rig.settle();
        rig.wait_for("upstream_cx_active", 0);
        rig.wait_for("upstream_cx_destroy_with_active_rq", 1);
    }
}

#[test]
fn an_upstream_without_settings_serves() {
    for program in Program::ringmains() {
        let opening = Opening { first: Vec::new(), polite: false };
        let rig = Rig::before(
            program,
            "",
            "",
            H2Upstream::start_with(opening, |peer, request| {
                if request.ended {
                    peer.send(settings(&[]));
                    ok(peer, request);
                }
            }),
        );
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
    }
}

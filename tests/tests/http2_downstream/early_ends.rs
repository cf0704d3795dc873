//! Who leaves, resets, takes nothing or breaks off, and what that ends.

use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{
    END_STREAM, code, data, headers, kind, reset, settings, window_update,
};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, long_response, ok};

use crate::rig::{LOG, Rig, both};

#[test]
fn a_reset_ends_the_request_upstream() {
    for program in both() {
        let rig = Rig::start(program, vec![vec![Act::ReadBody, Act::Stall], ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.send(reset(1, code::CANCEL));
        rig.wait_for_stat("http2.rx_reset", 1);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        let line = "GET / HTTP/2 0 DR http2.remote_reset 0 0\n";
        ringmain_tests::wait::eventually("a log line", || {
            rig.proxy.file("access.log").contains(line).then_some(())
        });
        // The connection serves on.
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
    }
}

#[test]
fn a_client_that_leaves_ends_its_requests() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![vec![Act::ReadBody, Act::Stall]]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        rig.upstream.wait_for_requests(1);
        client.close();
        rig.wait_for_stat("http.ingress.downstream_cx_active", 0);
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
    }
}

#[test]
fn clients_that_leave_inside_a_response_end_it() {
    let begun = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec()),
        Act::Stall,
    ];
    for program in both() {
        let rig = Rig::with_template(
            program,
            vec![begun.clone(), begun.clone()],
            &front_proxy(LOG, "timeout: 0s", ""),
        );
        let mut client = H2Client::open(rig.port());
        let mut answered = |stream| {
            client.request(stream, &GET);
            while client.next_frame().is_some_and(|frame| frame.kind != kind::DATA) {}
        };
        answered(1);
        answered(3);
        client.send(reset(1, code::CANCEL));
        rig.wait_for_stat("cluster.backend.upstream_rq_active", 1);
        client.close();
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_rq_active", 0);
        rig.wait_for_stat("cluster.backend.upstream_cx_active", 0);
        for line in [
            "GET / HTTP/2 200 DR http2.remote_reset 0 3\n",
            "GET / HTTP/2 200 DC downstream_remote_disconnect 0 3\n",
        ] {
            ringmain_tests::wait::eventually("a log line", || {
                rig.proxy.file("access.log").contains(line).then_some(())
            });
        }
    }
}

#[test]
fn a_response_that_breaks_off_resets_its_stream() {
    let cut = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
        Act::Close,
    ];
    for program in both() {
        let rig = Rig::start(program, vec![cut.clone(), ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        let outcome = client.outcome(1);
        assert_eq!(outcome.reset, Some(code::INTERNAL_ERROR), "{program}");
        assert_eq!(outcome.body, b"abc", "{program}");
        client.request(3, &GET);
        assert_eq!(client.outcome(3).status(), Some(200), "{program}");
    }
}

#[test]
fn an_answer_before_the_request_is_over_stops_it() {
    let early = vec![Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())];
    for program in both() {
        let rig = Rig::start(program, vec![early.clone()]);
        let mut client = H2Client::open(rig.port());
        client.send([headers(1, &POST, 0), data(1, "some", 0)].concat());
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        // RFC 9113 §8.1: the rest is not needed.
        assert_eq!(client.outcome(1).reset, Some(code::NO_ERROR), "{program}");
    }
}

/// A response that has ended for us, while its client grants no window.
#[test]
fn a_response_that_nobody_takes_is_given_up() {
    for program in both() {
        let rig = Rig::with(program, vec![ok()], "stream_idle_timeout: 1s", "");
        let mut client = H2Client::open_with(rig.port(), &[(4, 0)]);
        client.request(1, &GET);
        assert!(client.outcome(1).reset.is_some(), "{program}");
        rig.wait_for_stat("http2.tx_flush_timeout", 1);
        rig.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 0);
        let line = "GET / HTTP/2 200 - via_upstream 0 2\n";
        ringmain_tests::wait::eventually("a log line", || {
            rig.proxy.file("access.log").contains(line).then_some(())
        });
    }
}

/// The same where the end comes behind the body, with it or later, and the client has room for the first byte.
#[test]
fn a_response_whose_end_waits_behind_its_body_is_given_up() {
    let ends = [headers(1, &[("x-end", "1")], END_STREAM), data(1, "", END_STREAM)];
    let begun = [headers(1, &[(":status", "200")], 0), data(1, "hello", 0)].concat();
    let cases = ends
        .iter()
        .flat_map(|end| [([&begun[..], end].concat(), Vec::new()), (begun.clone(), end.clone())]);
    let cases: Vec<_> = cases.collect();
    for (program, (at_once, later)) in
        both().flat_map(|it| cases.clone().into_iter().map(move |case| (it, case)))
    {
        let upstream = H2Upstream::start(move |peer, _| peer.send(&at_once));
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let hcm = [LOG, "stream_idle_timeout: 2s"].concat();
        let proxy = Proxy::start(program, &front_proxy(&hcm, "", HTTP2), &values);
        let mut client = H2Client::open_with(proxy.port("listener"), &[(4, 1)]);
        client.request(1, &GET);
        let begun = client.read_slowly_until(|it| it.kind == kind::DATA).expect("the first byte");
        assert_eq!(begun.payload, b"h", "{program}");
        upstream.send(later);
        assert!(client.outcome(1).reset.is_some(), "{program}");
        let stats = proxy.admin();
        stats.wait_for_stat("http2.tx_flush_timeout", 1);
        stats.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 0);
    }
}

/// The client leaves while the last of the response waits for a window: it has not been served.
#[test]
fn a_client_that_leaves_before_the_last_of_a_response_is_told_of() {
    const BODY_BYTES: usize = 100_000;
    const WINDOW: usize = 65_535;
    for program in both() {
        let (long, short) = (long_response(BODY_BYTES), ok());
        let rig = Rig::start(program, vec![long.clone(), long, short]);
        let waiting = || {
            let mut client = H2Client::open(rig.port());
            client.request(1, &GET);
            let mut received = 0;
            while received < WINDOW {
                let frame = client.read_slowly_until(|it| it.kind == kind::DATA);
                received += frame.expect("more of the body").payload.len();
            }
            client
        };
        let mut resetting = waiting();
        resetting.send(reset(1, code::CANCEL));
        rig.wait_for_stat("http2.rx_reset", 1);
        waiting().close();
        for ending in [" 200 DR http2.remote_reset ", " 200 DC downstream_remote_disconnect "] {
            ringmain_tests::wait::eventually("a log line", || {
                rig.proxy.file("access.log").contains(ending).then_some(())
            });
        }
        rig.wait_for_stat("http.ingress.downstream_rq_active", 0);
        assert_eq!(rig.ask(&GET).status(), Some(200), "{program}");
    }
}

/// The client takes back the window that it has granted, once the responses are over for us.
#[test]
fn responses_whose_window_is_taken_back_are_given_up() {
    const STREAMS: u32 = 60;
    const BODY_BYTES: usize = 200_000;
    for program in Program::ringmains() {
        let replies = vec![long_response(BODY_BYTES)];
        let rig = Rig::with(program, replies, "stream_idle_timeout: 5s", "");
        let mut client = H2Client::open_with(rig.port(), &[(4, BODY_BYTES as u32)]);
        client.send(window_update(0, i32::MAX as u32 - 65_535));
        for index in 0..STREAMS {
            client.request(2 * index + 1, &GET);
        }
        rig.upstream.wait_for_requests(STREAMS as usize);
        rig.wait_for_stat("http.ingress.downstream_rq_2xx", STREAMS.into());
        let received = "http.ingress.downstream_cx_rx_bytes_total";
        let before = rig.proxy.admin().stat(received);
        let frame = settings(&[(4, 0)]);
        client.send(&frame);
        // Reading makes room for what is to lie.
        rig.wait_for_stat(received, before + frame.len() as u64);
        assert!(client.is_ended(), "{program}");
        rig.wait_for_stat("http2.tx_flush_timeout", 1);
        rig.wait_for_stat("http.ingress.downstream_cx_active", 0);
    }
}

#[test]
fn a_drain_says_goodbye() {
    for program in Program::ringmains() {
        let mut rig = Rig::start(program, vec![ok()]);
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        rig.proxy.terminate();
        assert_eq!(client.goaway(), Some(code::NO_ERROR), "{program}");
        drop(client);
        assert!(rig.proxy.wait_exit().success(), "{program}");
    }
}

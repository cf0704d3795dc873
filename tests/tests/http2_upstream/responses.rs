//! What responses are passed on, and as what.

use std::time::Duration;

use ringmain_tests::h2_frame::{END_STREAM, data, headers};
use ringmain_tests::h2_upstream::{Opening, Peer, Request};
use ringmain_tests::proxy::Program;

use crate::rig::{GET, PAUSE, POST, Rig, compare, ok, outcome};

/// The beginning of what would be a response of its own to an HTTP/1 client.
const SMUGGLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL";

/// RFC 9110 §6.4.1: what a response without a body has for one reaches nobody.
#[test]
fn content_of_a_response_that_has_none_is_not_passed_on() {
    for program in Program::ringmains() {
        for (status, method) in [("204", "GET"), ("304", "GET"), ("200", "HEAD")] {
            for pause in [Duration::ZERO, PAUSE] {
                let rig = Rig::start(program, move |peer, request| {
                    peer.send(headers(request.stream, &[(":status", status)], 0));
                    std::thread::sleep(pause);
                    peer.send(data(request.stream, SMUGGLED, END_STREAM));
                });
                let mut client = rig.client();
                client.send(format!(
                    "{method} / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n"
                ));
                let (received, _) = client.read_to_end();
                let received = String::from_utf8_lossy(&received);
                assert!(received.starts_with("HTTP/1.1 "), "{program}, {status}: {received}");
                assert!(!received.contains("EVIL"), "{program}, {status}: {received}");
                rig.settle();
            }
        }
    }
}

/// RFC 9110 §8.6, RFC 9113 §8.1.1.
#[test]
fn responses_of_doubtful_length_are_refused() {
    let cases: [&[(&str, &str)]; 5] = [
        &[(":status", "200"), ("content-length", "")],
        &[(":status", "200"), ("content-length", "+2")],
        &[(":status", "200"), ("content-length", "02")],
        &[(":status", "200"), ("content-length", "2"), ("content-length", "2")],
        &[(":status", "204"), ("content-length", "2")],
    ];
    for program in Program::ringmains() {
        for fields in cases {
            let rig = Rig::start(program, move |peer, request| {
                peer.send(headers(request.stream, fields, 0));
                peer.send(data(request.stream, "ok", END_STREAM));
            });
            assert_eq!(rig.ask(GET).status(), Some(502), "{program}, {fields:?}");
            rig.settle();
        }
    }
}

/// `max_headers_count`, which counts `:status`.
#[test]
fn responses_with_too_many_fields_are_as_envoys() {
    compare(
        "too many fields",
        "",
        &Opening::default(),
        |peer, request| {
            let fields = [&[(":status", "200")][..], &[("x", "y"); 100]].concat();
            peer.send(headers(request.stream, &fields, END_STREAM));
        },
        &[GET],
    );
}

#[test]
fn responses_are_as_envoys() {
    let opening = Opening::default();
    compare("ok", "", &opening, ok, &[GET, POST, GET]);
    compare(
        "without a body",
        "",
        &opening,
        |peer, request| {
            let status = if request.number == 0 { "204" } else { "200" };
            peer.send(headers(request.stream, &[(":status", "100")], 0));
            peer.send(headers(request.stream, &[(":status", status), ("x-a", "b")], END_STREAM));
        },
        &[GET, GET],
    );
    compare(
        "trailers-only",
        "",
        &opening,
        |peer, request| {
            let fields =
                [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5")];
            peer.send(headers(request.stream, &fields, END_STREAM));
        },
        &[GET],
    );
}

/// The `h2` crate takes them away and shows nobody, so they reach no client; Envoy resets the stream.
#[test]
fn pseudo_headers_where_none_belong_are_taken_away() {
    const ASK: [&str; 1] = ["GET / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\n\r\n"];
    let in_head: fn(&mut Peer, &Request) = |peer, request| {
        let fields = [(":status", "200"), (":path", "/x"), ("x-a", "b")];
        peer.send(headers(request.stream, &fields, END_STREAM));
    };
    let in_trailers: fn(&mut Peer, &Request) = |peer, request| {
        peer.send(headers(request.stream, &[(":status", "200")], 0));
        peer.send(data(request.stream, "ok", 0));
        peer.send(headers(request.stream, &[(":status", "500"), ("x-a", "b")], END_STREAM));
    };
    let opening = Opening::default();
    for script in [in_head, in_trailers] {
        let refused = outcome(Program::Envoy, "", &opening, script, &ASK);
        assert!(refused.contains("upstream_rq_tx_reset: 1\n"), "{refused}");
        for program in Program::ringmains() {
            let taken = outcome(program, "", &opening, script, &ASK);
            assert!(taken.starts_with("HTTP/1.1 200 OK\n"), "{program}: {taken}");
            assert!(!taken.contains("/x") && !taken.contains("500"), "{program}: {taken}");
            assert!(taken.contains("200 - via_upstream HTTP/2"), "{program}: {taken}");
        }
    }
}

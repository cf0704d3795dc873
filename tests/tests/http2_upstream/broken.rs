//! Streams that are reset and connections that break, beside Envoy.

use ringmain_tests::h2_frame::{code, headers, reset};
use ringmain_tests::h2_upstream::Opening;

use crate::rig::{GET, PAUSE, compare, ok};

#[test]
fn resets_are_answered_as_envoy_does() {
    let opening = Opening::default();
    compare(
        "reset before the head",
        "",
        &opening,
        |peer, request| peer.send(reset(request.stream, code::INTERNAL_ERROR)),
        &[GET],
    );
    compare(
        "reset behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            std::thread::sleep(PAUSE);
            peer.send(reset(request.stream, code::INTERNAL_ERROR));
        },
        &[GET],
    );
    compare(
        "reset at once behind the head",
        "",
        &opening,
        |peer, request| {
            let head = headers(request.stream, &[(":status", "200")], 0);
            peer.send([head, reset(request.stream, code::INTERNAL_ERROR)].concat());
        },
        &[GET],
    );
    compare(
        "refused and sent again",
        "retry_policy: { retry_on: refused-stream }",
        &opening,
        |peer, request| match request.number {
            0 => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => ok(peer, request),
        },
        &[GET],
    );
    compare("timeout", "timeout: 0.2s", &opening, |_, _| {}, &[GET]);
}

#[test]
fn broken_connections_are_answered_as_envoy_does() {
    let opening = Opening::default();
    compare("closed before the head", "", &opening, |peer, _| peer.close(), &[GET]);
    compare(
        "closed behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            std::thread::sleep(PAUSE);
            peer.close();
        },
        &[GET],
    );
    compare(
        "closed at once behind the head",
        "",
        &opening,
        |peer, request| {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
            peer.close();
        },
        &[GET],
    );
    let http1 = Opening { first: b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), polite: false };
    compare("HTTP/1", "", &http1, |_, _| {}, &[GET]);
}

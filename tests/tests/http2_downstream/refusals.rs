//! Clients that break the rules (RFC 9113) or a limit.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, PREFACE, code, data, frame, headers, kind, settings};
use ringmain_tests::proxy::Program;
use ringmain_tests::upstream::ok;

use crate::rig::{ENHANCE_YOUR_CALM, HTTP1_GET, PROTOCOL_ERROR, Rig, both};

/// RFC 9113 §8.2, §8.3: a malformed request resets its stream.
#[test]
fn malformed_requests_are_refused() {
    let get = |more: &[(&'static str, &'static str)]| [&GET[..], more].concat();
    let cases = [
        ("upper case", get(&[("X-Upper", "v")])),
        ("connection", get(&[("connection", "close")])),
        ("te", get(&[("te", "gzip")])),
        ("transfer-encoding", get(&[("transfer-encoding", "chunked")])),
        ("a second path", get(&[(":path", "/b")])),
        ("a pseudo-header behind a field", [&[("a", "b")], &GET[..]].concat()),
        ("an unknown pseudo-header", get(&[(":unknown", "v")])),
        ("a response's pseudo-header", get(&[(":status", "200")])),
        ("no method", GET[1..].to_vec()),
        ("no path", [&GET[..2], &GET[3..]].concat()),
        ("no scheme", [&GET[..1], &GET[2..]].concat()),
        ("two lengths", get(&[("content-length", "0"), ("content-length", "0")])),
        ("a host that is none", [&GET[..3], &[("host", "b c/d")]].concat()),
        ("two hosts", [&GET[..3], &[("host", "b"), ("host", "c")]].concat()),
        ("user information", [&GET[..3], &[(":authority", "u@a")]].concat()),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()]);
        for (name, fields) in &cases {
            let outcome = rig.ask(fields);
            let code = outcome.reset.or(outcome.goaway);
            assert_eq!(code, Some(PROTOCOL_ERROR), "{program}, {name}: {outcome:?}");
        }
        for length in ["", "+4", "04", "four", "4, 4"] {
            let fields = [&POST[..], &[("content-length", length)]].concat();
            let mut client = H2Client::open(rig.port());
            client.send([headers(1, &fields, 0), data(1, "four", END_STREAM)].concat());
            assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, {length:?}");
        }
        let mut client = H2Client::open(rig.port());
        let trailers = headers(1, &[("content-length", "4")], END_STREAM);
        client.send([headers(1, &POST, 0), data(1, "four", 0), trailers].concat());
        assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, trailers");
        let length = [&POST[..], &[("content-length", "5")]].concat();
        let mut client = H2Client::open(rig.port());
        client.send([headers(1, &length, 0), data(1, "four", END_STREAM)].concat());
        assert_eq!(client.outcome(1).reset, Some(PROTOCOL_ERROR), "{program}, content-length");
        rig.assert_served();
    }
}

#[test]
fn too_many_fields_reset_the_stream() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let names: Vec<String> = (0..101).map(|index| format!("x-{index}")).collect();
        let more = names.iter().map(|name| (name.as_str(), "v"));
        let fields: Vec<(&str, &str)> = GET.into_iter().chain(more).collect();
        assert_eq!(rig.ask(&fields).reset, Some(code::INTERNAL_ERROR), "{program}");
        rig.wait_for_stat("http2.header_overflow", 1);
    }
}

/// They are joined for the upstream, but count as they came.
#[test]
fn too_many_crumbs_of_a_cookie_reset_the_stream() {
    for program in both() {
        let rig = Rig::start(program, vec![ok()]);
        let crumbs = |count| [&GET[..], &vec![("cookie", "a=b"); count]].concat();
        assert_eq!(rig.ask(&crumbs(90)).status(), Some(200), "{program}");
        assert_eq!(rig.ask(&crumbs(101)).reset, Some(code::INTERNAL_ERROR), "{program}");
        rig.wait_for_stat("http2.header_overflow", 1);
    }
}

#[test]
fn a_listener_of_one_version_refuses_the_other() {
    for program in both() {
        let rig = Rig::with(program, vec![ok()], "\ncodec_type: HTTP1", "");
        let mut client = Client::connect(rig.port());
        client.send([PREFACE, &settings(&[])].concat());
        assert_eq!(client.read_response().map(|it| it.status()), Ok(Some(400)), "{program}");
        let rig = Rig::with(program, vec![ok()], "\ncodec_type: HTTP2", "");
        let mut client = Client::connect(rig.port());
        client.send(HTTP1_GET);
        let (bytes, _) = client.read_to_end();
        assert!(!bytes.starts_with(b"HTTP/1"), "{program}: {}", bytes.escape_ascii());
        rig.wait_for_stat("http.ingress.downstream_cx_protocol_error", 1);
        rig.assert_served();
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    const CONTINUATION: u8 = 9;
    for program in Program::ringmains() {
        let rig = Rig::with(program, vec![ok()], "request_headers_timeout: 1s", "");
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        // No END_HEADERS, neither here nor there.
        client.send(frame(kind::HEADERS, 0, 3, b"\x82\x86\x84\x41\x01a"));
        client.send(frame(CONTINUATION, 0, 3, b"\x00\x01b\x01c"));
        assert_eq!(client.goaway(), Some(ENHANCE_YOUR_CALM), "{program}");
        rig.wait_for_stat("http.ingress.downstream_rq_header_timeout", 1);
        rig.assert_served();
    }
}

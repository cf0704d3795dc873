//! What is counted and logged of streams and connections.

use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, Frame, PREFACE, code, data, headers, kind, settings};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::ok;

use crate::rig::{LOG, PROTOCOL_ERROR, Rig, both};

/// What Envoy counts of streams that are refused or reset, and of ends that are announced.
#[test]
fn resets_and_refusals_are_counted() {
    for program in both() {
        let rig = Rig::with(
            program,
            vec![ok()],
            "http2_protocol_options: { max_concurrent_streams: 1 }",
            "",
        );
        let mut client = H2Client::connect(rig.port());
        // Before the limit can have been acknowledged.
        client.send([PREFACE, &settings(&[])].concat());
        client.send([headers(1, &POST, 0), headers(3, &POST, 0)].concat());
        assert_eq!(client.outcome(3).reset, Some(code::REFUSED_STREAM), "{program}");
        rig.wait_for_stat("http2.stream_refused_errors", 1);
        rig.wait_for_stat("http2.tx_reset", 1);
        client.send(data(1, "", END_STREAM));
        assert_eq!(client.outcome(1).status(), Some(200), "{program}");
        rig.wait_for_stat("http2.goaway_sent", 0);
    }
}

/// The GOAWAY that ends a drain is counted, the notice before it is not, nor that of an error.
#[test]
fn ends_of_drained_connections_are_counted() {
    const DRAINS: &str =
        "drain_timeout: 0.1s\ncommon_http_protocol_options: { max_requests_per_connection: 1 }";
    for program in both() {
        let rig = Rig::with(program, vec![ok()], DRAINS, "");
        let mut client = H2Client::open(rig.port());
        client.send(data(0, "of no stream", 0));
        assert_eq!(client.goaway(), Some(PROTOCOL_ERROR), "{program}");
        client.close();
        let mut client = H2Client::open(rig.port());
        client.request(1, &GET);
        assert_eq!(client.goaway(), Some(code::NO_ERROR), "{program}");
        client.close();
        rig.wait_for_stat("http.ingress.downstream_cx_destroy", 2);
        rig.wait_for_stat("http2.goaway_sent", 1);
        rig.wait_for_stat("http2.tx_reset", 0);
    }
}

/// `%DOWNSTREAM_WIRE_BYTES_*%` and `%UPSTREAM_WIRE_BYTES_*%`: frames of the stream, their headers included.
#[test]
fn wire_bytes_are_those_of_the_streams_frames() {
    let log = LOG.replace(
        "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
         %BYTES_RECEIVED% %BYTES_SENT%",
        "%DOWNSTREAM_WIRE_BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_SENT% \
         %UPSTREAM_WIRE_BYTES_RECEIVED%",
    );
    assert_ne!(log, LOG);
    let bytes = |frames: &[Frame], stream| -> usize {
        let of_stream = frames.iter().filter(|frame| {
            frame.stream == stream && matches!(frame.kind, kind::HEADERS | kind::DATA)
        });
        of_stream.map(|frame| 9 + frame.payload.len()).sum()
    };
    for program in both() {
        let answer = |stream| {
            [
                headers(stream, &[(":status", "200")], 0),
                data(stream, "hello", 0),
                headers(stream, &[("x-end", "1")], END_STREAM),
            ]
            .concat()
        };
        let upstream = H2Upstream::start(move |peer, request| {
            if request.ended {
                peer.send(answer(request.stream));
            }
        });
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(&log, "", HTTP2), &values);
        let mut client = H2Client::open(proxy.port("listener"));
        let request = [headers(1, &POST, 0), data(1, "body", END_STREAM)].concat();
        client.send(&request);
        assert_eq!(client.outcome(1).body, b"hello", "{program}");
        let line = ringmain_tests::wait::eventually("a log line", || {
            Some(proxy.file("access.log")).filter(|log| !log.is_empty())
        });
        let sent = bytes(&client.frames, 1);
        let upstream_sent = bytes(&upstream.connections()[0], 1);
        let expected = format!("{} {sent} {upstream_sent} {}\n", request.len(), answer(1).len());
        assert_eq!(line, expected, "{program}");
    }
}

/// A difference that is meant: Envoy looks at no more than the HEADERS of a request that it answers by itself.
#[test]
fn wire_bytes_are_also_those_of_a_body_that_nobody_takes() {
    const REFUSES: &str = "path_with_escaped_slashes_action: REJECT_REQUEST";
    let log = LOG.replace(
        "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
         %BYTES_RECEIVED% %BYTES_SENT%",
        "%BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_RECEIVED%",
    );
    assert_ne!(log, LOG);
    let mut fields = POST;
    fields.iter_mut().filter(|(name, _)| *name == ":path").for_each(|(_, path)| *path = "/%2f");
    for program in both() {
        let template = front_proxy(&[&log, REFUSES].concat(), "", "");
        let rig = Rig::with_template(program, vec![ok()], &template);
        let mut client = H2Client::open(rig.port());
        let (head, body) = (headers(1, &fields, 0), data(1, "body", END_STREAM));
        client.send([&head[..], &body].concat());
        assert_eq!(client.outcome(1).status(), Some(400), "{program}");
        let line = ringmain_tests::wait::eventually("a log line", || {
            Some(rig.proxy.file("access.log")).filter(|log| !log.is_empty())
        });
        let counted = match program {
            Program::Envoy => head.len(),
            _ => head.len() + body.len(),
        };
        assert_eq!(line, format!("0 {counted}\n"), "{program}");
    }
}

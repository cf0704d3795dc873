//! Bodies through the compressor, over both versions of HTTP: whatever comes at once, all of it arrives,
//! and what comes bit by bit does not wait for more.

use std::io::Write;

use flate2::write::GzDecoder;
use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, data, headers, kind};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::message::{Framing, Message};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Upstream, reply};

const LIBRARIES: [(&str, &str); 2] =
    [("gzip", "gzip.compressor.v3.Gzip"), ("br", "brotli.compressor.v3.Brotli")];

fn start(program: Program, library: &str, upstream: &Upstream) -> Proxy {
    let template = with_compressor(library, "", &front_proxy("", "", ""));
    start_before(program, &template, upstream.address().port())
}

fn start_before(program: Program, template: &str, port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), port.to_string())]);
    Proxy::start(program, template, &values)
}

/// `template` with a compressor before the router, with further `fields` for responses.
fn with_compressor(library: &str, fields: &str, template: &str) -> String {
    let filter = format!(
        "- name: compressor\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor\n    \
         response_direction_config: {{ common_config: {{ {fields} }} }}\n    \
         compressor_library: {{ name: library, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.compression.{library} }} }}"
    );
    let router = "          - name: router\n";
    template.replace(router, &format!("{}{router}", indented(&filter, 10)))
}

fn answer(content: &[u8], chunked: bool) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";
    if !chunked {
        let length = format!("content-length: {}\r\n\r\n", content.len());
        return [head.as_bytes(), length.as_bytes(), content].concat();
    }
    let mut answer = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in content.chunks(7_777) {
        answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    answer
}

/// Bytes that no compressor makes fewer of.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// `content` arrives whole over a connection of HTTP/1, and once more.
fn arrives_twice(program: Program, (coding, library): (&str, &str), content: &[u8], chunked: bool) {
    let upstream = Upstream::start(vec![reply(answer(content, chunked))]);
    let proxy = start(program, library, &upstream);
    let mut client = Client::connect(proxy.port("listener"));
    for _ in 0..2 {
        client.send(format!(
            "GET / HTTP/1.1\r\nhost: a.example\r\naccept-encoding: {coding}\r\n\r\n"
        ));
        let response = client.read_response().expect("a response");
        assert_eq!(response.header("content-encoding"), Some(coding), "{program}");
        assert!(response.decoded() == content, "{program} {coding}");
    }
}

#[test]
fn over_http1() {
    for content in [noise(300_000), b"the same again, ".repeat(20_000)] {
        for program in Program::ringmains() {
            for chunked in [false, true] {
                LIBRARIES
                    .iter()
                    .for_each(|library| arrives_twice(program, *library, &content, chunked));
            }
        }
    }
}

#[test]
fn over_http2() {
    let content = b"the same again, ".repeat(20_000);
    for program in Program::ringmains() {
        for (coding, library) in LIBRARIES {
            let upstream = Upstream::start(vec![reply(answer(&content, false))]);
            let proxy = start(program, library, &upstream);
            let mut client = H2Client::open(proxy.port("listener"));
            let request = [&GET[..], &[("accept-encoding", coding)]].concat();
            client.request(1, &request);
            let outcome = client.outcome(1);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\n");
            let response = Message { body: outcome.body, ..Message::of_head(head, Framing::None) };
            assert!(response.decoded() == content, "{program} {coding}");
        }
    }
}

/// A message of gRPC: its prefix, and five bytes.
const MESSAGE: &str = "\0\0\0\0\x05hello";
const MESSAGES: usize = 3;

/// An upstream that begins its answer to a call at once.
fn grpc_upstream() -> H2Upstream {
    H2Upstream::start(|peer, request| {
        if request.body.is_empty() {
            let head = [(":status", "200"), ("content-type", "application/grpc")];
            peer.send(headers(request.stream, &head, 0));
        }
    })
}

/// Makes a call whose messages come one by one, in answer to the request or each to one of its messages.
fn call_streams(program: Program, fields: &str, is_compressed: bool, is_bidirectional: bool) {
    let upstream = grpc_upstream();
    let (_, library) = LIBRARIES[0];
    let template = with_compressor(library, fields, &front_proxy("", "", HTTP2));
    let proxy = start_before(program, &template, upstream.address().port());
    let mut client = H2Client::open(proxy.port("listener"));
    let call =
        [("content-type", "application/grpc"), ("te", "trailers"), ("accept-encoding", "gzip")];
    client.send(headers(1, &[&POST[..], &call].concat(), 0));
    if !is_bidirectional {
        client.send(data(1, MESSAGE, END_STREAM));
        upstream.wait_for(kind::DATA, 1);
    }
    let mut received = Vec::new();
    for count in 1..=MESSAGES {
        if is_bidirectional {
            client.send(data(1, MESSAGE, 0));
            upstream.wait_for(kind::DATA, count);
        }
        upstream.send(data(1, MESSAGE, 0));
        while !holds(&received, is_compressed, &MESSAGE.repeat(count)) {
            let piece = client.read_slowly_until(|it| it.kind == kind::DATA).expect("a piece");
            assert!(!piece.ends_stream(), "{program}");
            received.extend(piece.payload);
        }
    }
    if is_bidirectional {
        client.send(data(1, "", END_STREAM));
        upstream.wait_for(kind::DATA, MESSAGES + 1);
    }
    upstream.send(headers(1, &[("grpc-status", "0")], END_STREAM));
    let outcome = client.outcome(1);
    assert!(outcome.ended, "{program}: {outcome:?}");
    proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
}

/// Whether `messages` can be read of what was `received`.
fn holds(received: &[u8], is_compressed: bool, messages: &str) -> bool {
    if !is_compressed {
        return received == messages.as_bytes();
    }
    let mut decoder = GzDecoder::new(Vec::new());
    decoder.write_all(received).and_then(|()| decoder.flush()).expect("gzip");
    decoder.get_ref() == messages.as_bytes()
}

#[test]
fn calls_of_grpc_that_stream() {
    for program in [Program::ringmains(), vec![Program::Envoy]].concat() {
        for is_bidirectional in [false, true] {
            call_streams(program, "", false, is_bidirectional);
            call_streams(program, "content_type: [application/grpc]", true, is_bidirectional);
        }
    }
}

//! Long bodies through the compressor, over both versions of HTTP: whatever comes at once, all of it
//! arrives.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::message::{Framing, Message};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Upstream, reply};

const LIBRARIES: [(&str, &str); 2] =
    [("gzip", "gzip.compressor.v3.Gzip"), ("br", "brotli.compressor.v3.Brotli")];

fn start(program: Program, library: &str, upstream: &Upstream) -> Proxy {
    let filter = format!(
        "- name: compressor\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor\n    \
         compressor_library: {{ name: library, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.compression.{library} }} }}"
    );
    let router = "          - name: router\n";
    let template = front_proxy("", "", "");
    let template = template.replace(router, &format!("{}{router}", indented(&filter, 10)));
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    Proxy::start(program, &template, &values)
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

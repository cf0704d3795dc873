//! Differences at the two ends of a connection: its first bytes and how it is closed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, bare_listener};
use ringmain_tests::wait::PATIENCE;
use socket2::SockRef;

/// HTTP behind these `fields` of the listener; each request is answered with 204.
fn answering(fields: &str) -> String {
    let chain = r#"- filters:
  - name: http
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: in
      route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 204 } }] }] }
      http_filters: [{ name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
"#;
    bare_listener(fields, chain, "")
}

/// What a client gets whose end comes in one segment with `text`.
fn answered(program: Program, fields: &str, text: &str) -> Vec<u8> {
    let proxy = Proxy::start(program, &answering(fields), &Values::new());
    let address = (Ipv4Addr::LOCALHOST, proxy.port("listener"));
    let mut client = TcpStream::connect(address).expect("the proxy listens");
    client.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    SockRef::from(&client).set_tcp_cork(true).expect("TCP_CORK");
    client.write_all(text.as_bytes()).expect("room");
    client.shutdown(Shutdown::Write).expect("open");
    let mut answer = Vec::new();
    // Envoy resets the connection.
    let _end = client.read_to_end(&mut answer);
    answer
}

/// A client that half-closes behind its request may still be told the answer, listener filters or not. Envoy's
/// listener filters take its end for that of the connection where they see it with the first bytes.
#[test]
fn an_end_that_comes_with_the_first_bytes_is_a_half_close() {
    const FILTERS: &str = r#"listener_filters: [{ name: inspector, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector } }]"#;
    let get = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
    assert!(answered(Program::Envoy, FILTERS, get).is_empty());
    for program in Program::ringmains() {
        let answer = answered(program, FILTERS, get);
        assert!(answer.starts_with(b"HTTP/1.1 204 No Content\r\n"), "{program}: {answer:?}");
    }
}

/// What can be no request is refused at the byte that shows it. Envoy waits for the end of the line, and says nothing to
/// who leaves before.
#[test]
fn the_first_byte_of_no_method_is_refused() {
    assert!(answered(Program::Envoy, "", "hello").is_empty());
    for program in Program::ringmains() {
        let answer = answered(program, "", "hello");
        assert!(answer.starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{program}: {answer:?}");
    }
}

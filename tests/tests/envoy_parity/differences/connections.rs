//! Differences at the two ends of a connection: its first bytes and how it is closed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};

use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, bare_listener};
use ringmain_tests::wait::PATIENCE;
use socket2::SockRef;

use crate::listener_filters;

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

/// What a client gets that does as `say` does.
fn answered(program: Program, fields: &str, say: impl Fn(&mut TcpStream)) -> Vec<u8> {
    let proxy = Proxy::start(program, &answering(fields), &Values::new());
    let address = (Ipv4Addr::LOCALHOST, proxy.port("listener"));
    let mut client = TcpStream::connect(address).expect("the proxy listens");
    client.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    say(&mut client);
    let mut answer = Vec::new();
    // Envoy resets the connection.
    let _end = client.read_to_end(&mut answer);
    answer
}

/// Sends `bytes` and the end of the client's side in one segment.
fn all_at_once(bytes: &[u8]) -> impl Fn(&mut TcpStream) {
    move |client| {
        SockRef::from(&*client).set_tcp_cork(true).expect("TCP_CORK");
        client.write_all(bytes).expect("room");
        client.shutdown(Shutdown::Write).expect("open");
    }
}

const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\n";

/// A client that half-closes behind its request may still be told the answer, listener filters or not. Envoy's
/// listener filters take its end for that of the connection where they see it with the first bytes.
#[test]
fn an_end_that_comes_with_the_first_bytes_is_a_half_close() {
    const FILTERS: &str = r#"listener_filters: [{ name: inspector, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector } }]"#;
    let get = all_at_once(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert!(answered(Program::Envoy, FILTERS, &get).is_empty());
    for program in Program::ringmains() {
        let answer = answered(program, FILTERS, &get);
        assert!(answer.starts_with(b"HTTP/1.1 204 No Content\r\n"), "{program}: {answer:?}");
    }
}

/// What can be no request is refused at the byte that shows it. Envoy waits for the end of the line, and says nothing to
/// who leaves before.
#[test]
fn the_first_byte_of_no_method_is_refused() {
    let hello = all_at_once(b"hello");
    assert!(answered(Program::Envoy, "", &hello).is_empty());
    for program in Program::ringmains() {
        let answer = answered(program, "", &hello);
        assert!(answer.starts_with(BAD_REQUEST), "{program}: {answer:?}");
    }
}

/// The version of a ClientHello is for TLS to judge, which says what is wrong. Envoy's inspector closes the connection.
#[test]
fn a_client_hello_of_no_version_of_tls_is_passed_on() {
    const FILTERS: &str = r#"listener_filters: [{ name: inspector, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector } }]"#;
    let of_version = |version: [u8; 2]| {
        let mut hello = listener_filters::client_hello(&[0xc02b], &[]);
        // Behind the headers of record and message (RFC 5246 §7.4.1.2).
        hello[9..11].copy_from_slice(&version);
        move |client: &mut TcpStream| client.write_all(&hello).expect("room")
    };
    let answered_by_envoy = |version| answered(Program::Envoy, FILTERS, of_version(version));
    // Nobody has TLS here, so that bytes that are passed on are a bad request.
    assert!(answered_by_envoy([3, 3]).starts_with(BAD_REQUEST));
    assert!(answered_by_envoy([2, 0]).is_empty());
    for program in Program::ringmains() {
        let answer = answered(program, FILTERS, of_version([2, 0]));
        assert!(answer.starts_with(BAD_REQUEST), "{program}: {answer:?}");
    }
}

/// Where one chain names a range of every address and another none, Envoy has both at the same place of its trie
/// and takes the one or the other, as chance would have it at its start.
#[test]
fn a_range_of_everything_counts_for_more_than_none() {
    let chain = |name: &str, conditions: &str| {
        format!(
            r#"
    - filter_chain_match: {{ {conditions} }}
      filters:
      - name: hello
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
          response: {{ inline_string: {name} }}"#
        )
    };
    let everything = "prefix_ranges: [{ address_prefix: 0.0.0.0, prefix_len: 0 }]";
    let config = bare_listener("", &(chain("any", "") + &chain("range", everything)), "");
    for program in Program::ringmains() {
        let proxy = Proxy::start(program, &config, &Values::new());
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port("listener")))
            .expect("the proxy listens");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer, "range", "{program}");
    }
}

/// Addresses of the PROXY protocol have no zones.
#[test]
fn a_zone_in_a_proxy_header_is_refused() {
    const FILTERS: &str = r#"listener_filters: [{ name: proxy, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol } }]"#;
    let say = |client: &mut TcpStream| {
        let request = b"PROXY TCP6 fe80::1%lo ::1 1 2\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        client.write_all(request).expect("room");
    };
    assert!(answered(Program::Envoy, FILTERS, say).starts_with(b"HTTP/1.1 204 No Content\r\n"));
    for program in Program::ringmains() {
        assert!(answered(program, FILTERS, say).is_empty(), "{program}");
    }
}

/// Requests that were sent without waiting are answered one after the other, however many there are. Envoy ends
/// the connection where more than a few that it answers itself come at once.
#[test]
fn requests_in_a_row_that_the_proxy_answers_are_all_answered() {
    const COUNT: usize = 10;
    let mut requests = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n".repeat(COUNT - 1);
    requests.extend_from_slice(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n");
    let say = |client: &mut TcpStream| client.write_all(&requests).expect("room");
    let answers = |program| {
        let answer = answered(program, "", say);
        String::from_utf8_lossy(&answer).matches("HTTP/1.1 204 No Content\r\n").count()
    };
    let of_envoy = answers(Program::Envoy);
    assert!(of_envoy < COUNT, "{of_envoy}");
    for program in Program::ringmains() {
        assert_eq!(answers(program), COUNT, "{program}");
    }
}

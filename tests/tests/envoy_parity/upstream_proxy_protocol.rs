//! PROXY headers to upstreams: who a connection is told to be, and who shares it.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::same_with;
use ringmain_tests::template::{Values, bare_listener};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

use crate::GET;

const TCP: &str = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: up";
const HTTP: &str = "http_connection_manager.v3.HttpConnectionManager, stat_prefix: ingress, http_filters: [{ name: router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }], route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: up } }] }] }";

/// A listener that may be told of clients, and a cluster that wants to know: `kept` are fields of the
/// listener filter, `header` those of the cluster's `config`.
fn config(filter: &str, kept: &str, header: &str) -> String {
    let told = format!(
        r#"listener_filters:
- name: proxy_protocol
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
    allow_requests_without_proxy_protocol: true
    {kept}"#
    );
    let chain = format!(
        r#"- filters:
  - name: last
    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.network.{filter} }}"#
    );
    let clusters = format!(
        r#"  clusters:
  - name: up
    type: STATIC
    transport_socket:
      name: proxy_protocol
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport
        config: {{ {header} }}
        transport_socket:
          name: raw
          typed_config: {{ "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer }}
    load_assignment:
      cluster_name: up
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }} }}] }}]
"#
    );
    bare_listener(&told, &chain, &clusters)
}

/// A peer that keeps what its connections have sent.
struct Sink {
    received: Arc<Mutex<Vec<u8>>>,
}

fn sink() -> (Values, Sink) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    let port = listener.local_addr().expect("bound").port().to_string();
    let received: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = received.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                kept.lock().expect("nobody panics").extend_from_slice(&bytes[..count]);
            }
        }
    });
    (Values::from([("upstream".into(), port)]), Sink { received })
}

/// What the peer gets of a client that sends `header` and data, ports by their names.
fn passed_on(proxy: &Proxy, sink: &Sink, header: &[u8]) -> String {
    const DATA: &[u8] = b"data, and enough of it";
    let mut client = Client::connect(proxy.port("listener"));
    client.send([header, DATA].concat());
    let port = client.local_address().port();
    let got = eventually("the bytes", || {
        let mut received = sink.received.lock().expect("nobody panics");
        received.ends_with(DATA).then(|| std::mem::take(&mut *received))
    });
    let (ours, theirs) = (port.to_be_bytes(), proxy.port("listener").to_be_bytes());
    let binary: Vec<u8> = match got.windows(4).position(|four| four == [ours, theirs].concat()) {
        Some(at) => [&got[..at], b"<ports>", &got[at + 4..]].concat(),
        None => got,
    };
    let text = binary.escape_ascii().to_string();
    let text = text.replace(&format!(" {port} "), " <client> ");
    text.replace(&format!(" {}\\r", proxy.port("listener")), " <listener>\\r") + "\n"
}

/// A header of version 2 for a client with these vectors. Each has a port of its own: Envoy sends the
/// vectors of the first connection between two ends with all later ones.
fn binary_header(port: u8, vectors: &[(u8, &[u8])]) -> Vec<u8> {
    let mut rest = vec![1, 2, 3, 4, 5, 6, 7, 8, 0, port, 0, 10];
    for (kind, value) in vectors {
        rest.push(*kind);
        rest.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        rest.extend_from_slice(value);
    }
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11".as_slice(), &length, &rest].concat()
}

#[test]
fn a_connection_is_told_to_be_the_clients() {
    let vectors: &[(u8, &[u8])] =
        &[(1, b"h2"), (2, b"one"), (3, b"sum"), (224, b"own"), (2, b"two")];
    let all = "pass_through_tlvs: { match_type: INCLUDE_ALL }";
    let some = "pass_through_tlvs: { match_type: INCLUDE, tlv_type: [2, 224] }";
    let added = "added_tlvs: [{ type: 224, value: YWJj }, { type: 225, value: eHl6 }]";
    for (kept, header) in [
        ("", "version: V1".to_owned()),
        (all, "version: V2".to_owned()),
        (all, format!("version: V2, {all}")),
        (some, format!("version: V2, {all}")),
        (all, format!("version: V2, {some}, {added}")),
    ] {
        same_with(&config(TCP, kept, &header), sink, |proxy, sink| {
            [
                Vec::new(),
                b"PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\n".to_vec(),
                b"PROXY TCP6 ::1 2001:db8::1 1 2\r\n".to_vec(),
                b"PROXY UNKNOWN\r\n".to_vec(),
                binary_header(1, &[]),
                binary_header(2, vectors),
            ]
            .map(|bytes| passed_on(proxy, sink, &bytes))
            .concat()
        });
    }
}

fn upstream() -> (Values, Upstream) {
    let upstream = Upstream::start(vec![ok()]);
    (Values::from([("upstream".into(), upstream.address().port().to_string())]), upstream)
}

#[test]
fn requests_of_the_same_client_share_a_connection() {
    same_with(&config(HTTP, "", "version: V1"), upstream, |proxy, upstream| {
        let ask = |client: &mut Client, before: &str| {
            client.send(format!("{before}{GET}"));
            client.read_response().expect("an answer");
        };
        let mut clients: [Client; 4] =
            std::array::from_fn(|_| Client::connect(proxy.port("listener")));
        ask(&mut clients[0], "");
        ask(&mut clients[1], "");
        ask(&mut clients[0], "");
        let named = "PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\n";
        ask(&mut clients[2], named);
        ask(&mut clients[3], named);
        let mut text = upstream.transcript();
        text = text.replace(&format!(" {}\r", proxy.port("listener")), " <listener>\r");
        text = text.replace(&format!(" {}\n", proxy.port("listener")), " <listener>\n");
        for (index, client) in clients.iter().enumerate() {
            let port = client.local_address().port();
            text = text.replace(&format!(" {port} "), &format!(" <client {index}> "));
        }
        normalize::headers(&text)
    });
}

#[test]
fn hosts_that_another_transport_socket_is_for_are_not_told_whose_connection_it_is() {
    let matches = r#"    transport_socket_matches:
    - name: plain
      match: {}
      transport_socket:
        name: raw
        typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer }
    load_assignment:"#;
    let template = config(HTTP, "", "version: V1").replace("    load_assignment:", matches);
    same_with(&template, upstream, |proxy, upstream| {
        for _ in 0..2 {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(GET);
            client.read_response().expect("an answer");
        }
        normalize::headers(&upstream.transcript())
    });
}

//! Two proxies in a row, as Envoy's examples for TLS, SNI, double proxies, the PROXY protocol and RBAC have
//! them: the first shows a certificate and says whose connection it is, the second asks for both.

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::Values;
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::upstream::{Act, Upstream};

use crate::rig::{GET, assert_alike, authority, connection_lines, logged};

const ADMIN: &str = "
admin: { address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } } }
static_resources:
  listeners:
  - name: in
    address: { socket_address: { address: 127.0.0.1, port_value: {{listener}} } }
";

/// Sends all connections on over TLS as `sni`, with the certificate `front`, behind a PROXY header.
const FRONT: &str = r#"    filter_chains:
    - filters:
      - name: tcp
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: front, cluster: back }
  clusters:
  - name: back
    type: STATIC
    load_assignment: { cluster_name: back, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {{back}} } } } }] }] }
    transport_socket:
      name: proxy_protocol
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport
        config: { version: V2 }
        transport_socket:
          name: tls
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
            sni: {{sni}}
            common_tls_context:
              tls_certificates:
              - certificate_chain: { filename: '{{certificates}}/{{front}}.crt' }
                private_key: { filename: '{{certificates}}/{{front}}.key' }
              validation_context:
                trusted_ca: { filename: '{{certificates}}/ca.crt' }
"#;

/// Serves two names, whose clients have to show a certificate; only that of `front.example` may ask.
const BACK: &str = r#"    listener_filters:
    - name: proxy_protocol
      typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol }
    - name: tls_inspector
      typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
    filter_chains:
    - name: bytes
      filter_chain_match: { server_names: [bytes.example] }
      transport_socket: &tls
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            tls_certificates:
            - certificate_chain: { filename: '{{certificates}}/back.crt' }
              private_key: { filename: '{{certificates}}/back.key' }
            validation_context:
              trusted_ca: { filename: '{{certificates}}/ca.crt' }
      filters:
      - name: tcp
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: back, cluster: backend }
    - name: requests
      filter_chain_match: { server_names: ['*.requests.example'] }
      transport_socket: *tls
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: { subject: true, dns: true }
          http_filters:
          - name: rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                action: ALLOW
                policies:
                  front:
                    permissions: [{ header: { name: ':method', string_match: { exact: GET } } }]
                    principals: [{ authenticated: { principal_name: { exact: front.example } } }]
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: backend } }] }] }
  clusters:
  - name: backend
    type: STATIC
    load_assignment: { cluster_name: backend, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {{upstream}} } } } }] }] }
"#;

const FORMAT: &str = "%FILTER_CHAIN_NAME% %REQUESTED_SERVER_NAME% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_DNS_SAN% %DOWNSTREAM_LOCAL_SUBJECT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

fn with_both() -> Authority {
    let authority = authority();
    let dns = vec!["bytes.example", "a.requests.example", "nobody.example"];
    authority.issue("back", &Subject { name: "back", dns, ..Subject::default() });
    for (file, name) in [("front", "front.example"), ("other", "other.example")] {
        authority.issue(file, &Subject { name: file, dns: vec![name], ..Subject::default() });
    }
    authority
}

/// What a client gets that asks through both, what the host got, and what the second says of the connection.
fn ask(program: Program, authority: &Authority, sni: &str, front: &str) -> [String; 3] {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let upstream = Upstream::start(vec![vec![Act::Send(answer.into()), Act::Close]]);
    let mut values = Values::from([
        ("upstream".into(), upstream.address().port().to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
        ("sni".into(), sni.into()),
        ("front".into(), front.into()),
    ]);
    let back = Proxy::start(program, &logged(&format!("{ADMIN}{BACK}"), FORMAT), &values);
    values.insert("back".into(), back.port("listener").to_string());
    let first = Proxy::start(program, &format!("{ADMIN}{FRONT}"), &values);
    let mut client = Client::connect(first.port("listener"));
    client.send(GET);
    let (answer, _) = client.read_to_end();
    drop(client);
    let answer = normalize::headers(&String::from_utf8_lossy(&answer).replace("\r\n", "\n"));
    let lines = connection_lines(&back, 1).concat();
    [answer, normalize::headers(&upstream.transcript()), lines]
}

#[test]
fn who_comes_through_both_is_known_by_certificate_and_address() {
    let authority = with_both();
    for (sni, front) in [
        ("bytes.example", "front"),
        ("a.requests.example", "front"),
        ("a.requests.example", "other"),
        ("nobody.example", "front"),
    ] {
        assert_alike(|program| ask(program, &authority, sni, front));
    }
}

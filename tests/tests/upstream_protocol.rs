//! What is spoken with hosts where that is not fixed: by ALPN (`auto_config`), or as the client does
//! (`use_downstream_protocol_config`). The host is a ringmain that speaks both.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, tcp_proxy};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::upstream::{Act, Upstream, ok};

const HTTP1_GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

fn options(specifier: &str) -> String {
    format!(
        "typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    {specifier}
"
    )
}

/// A host that speaks TLS and offers `alpn`, of the configuration `plain` with TLS before it.
fn tls_host(
    authority: &Authority,
    program: Program,
    alpn: &str,
    plain: &str,
    behind: &Upstream,
) -> Proxy {
    let socket = format!(
        "    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [{alpn}]
            tls_certificates:
            - certificate_chain: {{ filename: '{{{{certificates}}}}/server.crt' }}
              private_key: {{ filename: '{{{{certificates}}}}/server.key' }}
      filters:"
    );
    let template = plain.replace("    filter_chains:\n    - filters:", &socket);
    let values = Values::from([
        ("upstream".into(), behind.address().port().to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
    ]);
    Proxy::start(program, &template, &values)
}

/// Speaks with the host through TLS, and by the protocol that ALPN decides.
fn auto() -> String {
    options("auto_config: {}")
        + "transport_socket:
  name: tls
  typed_config: { \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext }
"
}

fn server_authority() -> Authority {
    let authority = Authority::new();
    authority.issue("server", &Subject { name: "server", ..Subject::default() });
    authority
}

fn before(host: &Proxy, program: Program, cluster: &str) -> Proxy {
    let values = Values::from([("upstream".into(), host.port("listener").to_string())]);
    Proxy::start(program, &front_proxy("", "", cluster), &values)
}

fn ask(proxy: &Proxy) -> Option<u16> {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(HTTP1_GET);
    client.read_response().expect("a response").status()
}

#[test]
fn alpn_decides() {
    let (authority, plain) = (server_authority(), front_proxy("", "", ""));
    for program in Program::ringmains() {
        for (alpn, http1, http2) in [("h2, http/1.1", 0, 1), ("http/1.1", 1, 0)] {
            let upstream = Upstream::start(vec![ok()]);
            let host = tls_host(&authority, program, alpn, &plain, &upstream);
            let proxy = before(&host, program, &auto());
            for _ in 0..3 {
                assert_eq!(ask(&proxy), Some(200), "{program} {alpn}");
            }
            let stat = |name: &str| proxy.admin().stat(&format!("cluster.backend.{name}"));
            assert_eq!(stat("upstream_cx_http1_total"), http1, "{program} {alpn}");
            assert_eq!(stat("upstream_cx_http2_total"), http2, "{program} {alpn}");
            assert_eq!(stat("upstream_cx_total"), 1, "{program} {alpn}");
            assert_eq!(stat("upstream_rq_total"), 3, "{program} {alpn}");
            proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
        }
    }
}

/// A connection that is there before its request may be one that the host closes just then, whether or not
/// it was opened for HTTP/2 too.
#[test]
fn a_request_on_a_connection_opened_ahead_is_sent_once_more() {
    const BEHIND: &str = "  clusters:
  - name: behind
    load_assignment:
      cluster_name: behind
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {{upstream}} } } }
";
    let authority = server_authority();
    let plain = tcp_proxy("cluster: behind", "-", BEHIND);
    let cluster = auto() + "preconnect_policy: { per_upstream_preconnect_ratio: 2 }\n";
    for program in Program::ringmains() {
        let held = vec![Act::ReadBody, Act::AwaitRelease, ok()[1].clone()];
        let upstream = Upstream::start(vec![held, vec![Act::ReadBody, Act::Close], ok()]);
        let host = tls_host(&authority, program, "http/1.1", &plain, &upstream);
        let proxy = before(&host, program, &cluster);
        let mut first = Client::connect(proxy.port("listener"));
        first.send(HTTP1_GET);
        upstream.wait_for_requests(1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_cx_http1_total", 2);
        assert_eq!(ask(&proxy), Some(200), "{program}");
        upstream.release();
        assert_eq!(first.read_response().expect("a response").status(), Some(200), "{program}");
        assert_eq!(upstream.requests().len(), 3, "{program}");
    }
}

#[test]
fn the_client_decides() {
    let cluster = options(
        "use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options: {} }",
    );
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let host = Proxy::start(program, &front_proxy("", "", ""), &values);
        let proxy = before(&host, program, &cluster);
        let mut client = H2Client::open(proxy.port("listener"));
        for stream in [1, 3] {
            client.request(stream, &GET);
            assert_eq!(client.outcome(stream).status(), Some(200), "{program}");
        }
        for _ in 0..2 {
            assert_eq!(ask(&proxy), Some(200), "{program}");
        }
        proxy.admin().wait_for_stat("cluster.backend.upstream_cx_http1_total", 1);
        proxy.admin().wait_for_stat("cluster.backend.upstream_cx_http2_total", 1);
        host.admin().wait_for_stat("http.ingress.downstream_rq_http1_total", 2);
        host.admin().wait_for_stat("http.ingress.downstream_rq_http2_total", 2);
    }
}

//! Clients and servers that people use, through the proxy: gRPC, WebSocket, HTTP/2 with and without
//! TLS.

use ringmain_tests::h2_upstream::HTTP2;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::python::{self, Server};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::upstream::{Upstream, ok};

fn start(program: Program, template: &str, upstream_port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), upstream_port.to_string())]);
    Proxy::start(program, template, &values)
}

#[test]
fn grpc_of_every_kind() {
    let server = Server::start("grpc_server.py");
    for program in Program::ringmains() {
        let proxy = start(program, &front_proxy("", "timeout: 0s", HTTP2), server.port());
        let port = proxy.port("listener").to_string();
        assert_eq!(python::run("grpc_client.py", &[&port]), "done\n", "{program}");
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_active", 0);
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
    }
}

#[test]
fn websocket() {
    let server = Server::start("websocket_server.py");
    let hcm = "upgrade_configs: [{ upgrade_type: websocket }]";
    for program in Program::ringmains() {
        let proxy = start(program, &front_proxy(hcm, "", ""), server.port());
        let port = proxy.port("listener").to_string();
        assert_eq!(python::run("websocket_client.py", &[&port]), "done\n", "{program}");
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_upgrades_total", 1);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_upgrades_active", 0);
    }
}

#[test]
fn http2_by_prior_knowledge_and_http1_on_one_port() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = start(program, &front_proxy("", "", ""), upstream.address().port());
        let url = format!("http://127.0.0.1:{}", proxy.port("listener"));
        assert_eq!(python::run("http_client.py", &[&url]), "done\n", "{program}");
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_http2_total", 1);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_http1_total", 1);
    }
}

#[test]
fn http2_by_alpn() {
    let authority = Authority::new();
    let dns = vec!["server.example"];
    authority.issue("server", &Subject { name: "server", dns, ..Subject::default() });
    let folder = authority.folder().display().to_string();
    let socket = "    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: { filename: '{{certificates}}/server.crt' }
              private_key: { filename: '{{certificates}}/server.key' }
      filters:";
    let template = front_proxy("", "", "").replace("    filter_chains:\n    - filters:", socket);
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("certificates".into(), folder.clone()),
        ]);
        let proxy = Proxy::start(program, &template, &values);
        let url = format!("https://127.0.0.1:{}", proxy.port("listener"));
        let ca = format!("{folder}/ca.crt");
        assert_eq!(python::run("http_client.py", &[&url, &ca]), "done\n", "{program}");
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_http2_total", 1);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_http1_total", 1);
    }
}

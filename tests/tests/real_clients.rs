//! Clients and servers that people use, through the proxy: gRPC, WebSocket, HTTP/2 with and without
//! TLS. Those in Python are always there; `curl`, `nghttp` and `h2load` where the machine has them.

use std::thread;

use ringmain_tests::h2_upstream::HTTP2;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::python::{self, Server};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::tool;
use ringmain_tests::upstream::{Upstream, ok};

fn start(program: Program, template: &str, upstream_port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), upstream_port.to_string())]);
    Proxy::start(program, template, &values)
}

#[test]
fn grpc_of_every_kind() {
    let server = Server::start("grpc_server.py");
    for program in [Program::ringmains(), vec![Program::Envoy]].concat() {
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
        curl(&url, &["--http2", "--insecure"], "2 200");
        curl(&url, &["--http1.1", "--insecure"], "1.1 200");
        nghttp(&url);
        h2load(&url, &[]);
    }
}

/// `url` is served to `curl` in the version and with the status expected.
#[track_caller]
fn curl(url: &str, options: &[&str], expected: &str) {
    let quiet = ["-s", "-o", "/dev/null", "-w", "%{http_version} %{response_code}"];
    if let Some(written) = tool::run("curl", &[&quiet, options, &[url]].concat()) {
        assert_eq!(written, expected, "curl {options:?}");
    }
}

#[track_caller]
fn nghttp(url: &str) {
    if let Some(written) = tool::run("nghttp", &["-nv", "--no-verify-peer", url]) {
        assert!(written.contains(":status: 200"), "{written}");
    }
}

/// Many streams on a few connections, all of which are answered.
#[track_caller]
fn h2load(url: &str, options: &[&str]) {
    let load = ["-n", "400", "-c", "4", "-m", "16"];
    if let Some(written) = tool::run("h2load", &[&load, options, &[url]].concat()) {
        assert!(written.contains(" 400 succeeded, 0 failed, 0 errored"), "{written}");
    }
}

/// Routes to a server of gRPC and one of WebSocket, before the one for everything.
const ROUTES: &str = "              - match: { prefix: /test.Echo/ }
                route: { cluster: grpc, timeout: 0s }
              - match: { prefix: /chat }
                route: { cluster: chat, upgrade_configs: [{ upgrade_type: websocket }] }
";

fn cluster(name: &str, port: u16, options: &str) -> String {
    format!(
        "  - name: {name}
    type: STATIC
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}
{}",
        indented(options, 4)
    )
}

#[test]
fn one_port_serves_all_of_them_at_once() {
    let (grpc, chat) = (Server::start("grpc_server.py"), Server::start("websocket_server.py"));
    let everything = "              - match: { prefix: / }\n";
    let template = front_proxy("codec_type: AUTO", "", "")
        .replace(everything, &[ROUTES, everything].concat())
        + &cluster("grpc", grpc.port(), HTTP2)
        + &cluster("chat", chat.port(), "");
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = start(program, &template, upstream.address().port());
        let port = &proxy.port("listener").to_string();
        let url = &format!("http://127.0.0.1:{port}");
        thread::scope(|clients| {
            for script in ["grpc_client.py", "websocket_client.py"] {
                clients.spawn(move || assert_eq!(python::run(script, &[port]), "done\n"));
            }
            clients.spawn(|| assert_eq!(python::run("http_client.py", &[url]), "done\n"));
            clients.spawn(|| curl(url, &["--http1.1"], "1.1 200"));
            clients.spawn(|| curl(url, &["--http2-prior-knowledge"], "2 200"));
            // `Upgrade: h2c` is not taken up, as in Envoy.
            clients.spawn(|| curl(url, &["--http2"], "1.1 200"));
            clients.spawn(|| nghttp(url));
            clients.spawn(|| h2load(url, &[]));
            clients.spawn(|| h2load(url, &["--h1"]));
        });
        let admin = proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_rq_active", 0);
        admin.wait_for_stat("http.ingress.downstream_rq_5xx", 0);
        admin.wait_for_stat("http.ingress.downstream_cx_protocol_error", 0);
        admin.wait_for_stat("http2.streams_active", 0);
    }
}

//! TLS to upstreams: who is accepted, what is told of who is not, and ends that are none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::wait::eventually;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::rig::{GET, assert_alike, authority};

const LOG: &str = "access_log:
- name: own
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/tls.log'
    log_format:
      text_format_source:
        inline_string: \"%UPSTREAM_TRANSPORT_FAILURE_REASON% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT% %UPSTREAM_PEER_DNS_SAN%\\n\"
";

const TRUSTING: &str =
    "validation_context:\n  trusted_ca: { filename: '{{certificates}}/ca.crt' }\n";

/// A server that answers every request on a connection, with TLS.
pub struct TlsUpstream {
    pub port: u16,
}

/// How it ends its answers.
#[derive(Clone, Copy)]
pub enum Answer {
    Whole,
    /// A body that lasts until the end, which comes without close_notify.
    Truncated,
    /// The name that the client has asked for.
    Named,
    /// The `x-forwarded-proto` of the request.
    Forwarded,
}

impl TlsUpstream {
    pub fn start(
        authority: &Authority,
        file: &str,
        asks_for_certificate: bool,
        answer: Answer,
    ) -> Self {
        let certificate = authority.certificate(file);
        Self::showing(certificate, authority, file, asks_for_certificate, answer)
    }

    /// Shows `certificate`, whose key is in `<file>.key`.
    fn showing(
        certificate: CertificateDer<'static>,
        authority: &Authority,
        file: &str,
        asks_for_certificate: bool,
        answer: Answer,
    ) -> Self {
        let builder = ServerConfig::builder();
        let builder = if asks_for_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate("ca")).expect("an authority");
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            builder.with_client_cert_verifier(verifier.expect("roots"))
        } else {
            builder.with_no_client_auth()
        };
        let keys = builder.crypto_provider().key_provider;
        let key = keys.load_private_key(authority.key(file)).expect("a key");
        let pair = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
        let config = Arc::new(builder.with_cert_resolver(Arc::new(pair)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).expect("a server");
                thread::spawn(move || serve(StreamOwned::new(connection, stream), answer));
            }
        });
        Self { port }
    }
}

fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, answer: Answer) {
    let mut received = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        received.push(byte[0]);
        if !received.ends_with(b"\r\n\r\n") {
            continue;
        }
        let request = String::from_utf8_lossy(&std::mem::take(&mut received)).into_owned();
        let whole =
            |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (text, ends) = match answer {
            Answer::Whole => (whole("ok"), false),
            Answer::Truncated => ("HTTP/1.1 200 OK\r\n\r\nhalf".to_owned(), true),
            Answer::Named => (whole(stream.conn.server_name().unwrap_or("nobody")), false),
            Answer::Forwarded => {
                let mut lines = request.lines();
                let proto = lines.find_map(|line| line.strip_prefix("x-forwarded-proto: "));
                (whole(proto.unwrap_or("none")), false)
            }
        };
        if stream.write_all(text.as_bytes()).is_err() || stream.flush().is_err() || ends {
            return;
        }
        if request.contains("connection: close\r\n") {
            stream.conn.send_close_notify();
            // A client that has gone needs no last word.
            let _gone = stream.flush();
            return;
        }
    }
}

fn start(program: Program, authority: &Authority, context: &str, common: &str, port: u16) -> Proxy {
    start_with(program, authority, context, common, "", port)
}

/// The same with further fields of the cluster.
fn start_with(
    program: Program,
    authority: &Authority,
    context: &str,
    common: &str,
    more: &str,
    port: u16,
) -> Proxy {
    let values = Values::from([
        ("upstream".into(), port.to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
    ]);
    let cluster = format!("{more}{}", tls_fields(context, common));
    Proxy::start(program, &front_proxy(LOG, "", &cluster), &values)
}

/// The transport socket of a cluster.
fn tls_fields(context: &str, common: &str) -> String {
    format!(
        "transport_socket:
  name: tls
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
{}    common_tls_context:
{}",
        indented(context, 4),
        if common.is_empty() { "      {}\n".to_owned() } else { indented(common, 6) }
    )
}

/// The answer, the log line, and the counters of the cluster that tell of TLS and of connecting.
fn observe(proxy: &Proxy) -> (String, String, Vec<(String, String)>) {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    let (answer, _) = client.read_to_end();
    let answer = String::from_utf8_lossy(&answer).replace("\r\n", "\n");
    let log =
        eventually("a log line", || Some(proxy.file("tls.log")).filter(|log| log.ends_with('\n')));
    let told = |name: &str| {
        let leaf = name.strip_prefix("cluster.backend.").unwrap_or_default();
        (leaf.starts_with("ssl.") && !leaf.contains("certificate.") && !leaf.contains("ciphers."))
            || ["upstream_cx_connect_fail", "upstream_cx_destroy_remote"].contains(&leaf)
    };
    let stats = proxy.admin().stats("cluster.backend").into_iter();
    let stats = stats.filter(|(name, value)| told(name) && value != "0").collect();
    (normalize::headers(&answer), log, stats)
}

fn compare(file: &str, asks_for_certificate: bool, context: &str, common: &str) {
    let authority = authority();
    let subject = Subject { name: "upstream", dns: vec!["up.example"], ..Subject::default() };
    authority.issue("up", &subject);
    authority.issue("expired", &Subject { expired: true, ..subject.clone() });
    authority.self_sign("self", &subject);
    authority.issue("revoked", &subject);
    authority.revoke("revoked", "ca", 2120);
    authority.revoke("revoked", "old", 2021);
    let upstream = TlsUpstream::start(&authority, file, asks_for_certificate, Answer::Whole);
    assert_alike(|program| observe(&start(program, &authority, context, common, upstream.port)));
}

/// Behind the connecting of the socket comes the handshake, never the other way round.
#[test]
fn logs_tell_how_long_the_handshake_took() {
    let authority = authority();
    let upstream = TlsUpstream::start(&authority, "server", false, Answer::Whole);
    let values = Values::from([("upstream".into(), upstream.port.to_string())]);
    let durations = "%COMMON_DURATION(US_CX_BEG:US_CX_END:ns)% %COMMON_DURATION(US_CX_END:US_HS_END:ns)% \
                     %COMMON_DURATION(US_HS_END:US_TX_BEG:ns)% %COMMON_DURATION(US_HS_END:US_CX_END:ns)%";
    let log = LOG.replace("%UPSTREAM_TRANSPORT_FAILURE_REASON%", durations);
    assert_alike(|program| {
        let proxy = Proxy::start(program, &front_proxy(&log, "", &tls_fields("", "")), &values);
        let (_, log, _) = observe(&proxy);
        let told = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        log.split(' ').take(4).map(told).collect::<Vec<_>>()
    });
}

#[test]
fn an_upstream_that_is_known_is_as_with_envoy() {
    compare("up", false, "sni: up.example\n", TRUSTING);
    compare("up", false, "", "");
    compare("up", false, "sni: up.example\nauto_sni_san_validation: true\n", TRUSTING);
}

#[test]
fn one_that_is_not_accepted_is_told_as_by_envoy() {
    compare("expired", false, "", TRUSTING);
    compare("self", false, "", TRUSTING);
    let list =
        |name| format!("{TRUSTING}  crl: {{ filename: '{{{{certificates}}}}/{name}.crl' }}\n");
    compare("revoked", false, "", &list("ca"));
    // By a list that is out of date nobody is known to be good.
    compare("up", false, "", &list("old"));
    let named = format!(
        "{TRUSTING}  match_typed_subject_alt_names:\n  - {{ san_type: DNS, matcher: {{ exact: \
         nobody }} }}\n"
    );
    compare("up", false, "", &named);
    // Without a name to send, the configured ones count.
    compare("up", false, "auto_sni_san_validation: true\n", &named);
    compare("up", false, "sni: other.example\nauto_sni_san_validation: true\n", TRUSTING);
    let pinned =
        format!("validation_context: {{ verify_certificate_hash: ['{}'] }}\n", "00".repeat(32));
    compare("up", false, "", &pinned);
}

/// webpki reads no certificates of X.509 version 1; who asks for no chain takes them all the same, in either version of
/// TLS.
#[test]
fn one_of_version_1_is_taken_where_no_chain_is_asked_for() {
    let authority = authority();
    let stranger = Authority::named("other authority");
    stranger.issue("old", &Subject { name: "old", ..Subject::default() });
    let certificate = stranger.as_version_1("old");
    let upstream = TlsUpstream::showing(certificate, &stranger, "old", false, Answer::Whole);
    for version in ["TLSv1_2", "TLSv1_3"] {
        let parameters = format!(
            "tls_params: {{ tls_minimum_protocol_version: {version}, tls_maximum_protocol_version: {version} }}\n"
        );
        let untrusted = format!("{TRUSTING}  trust_chain_verification: ACCEPT_UNTRUSTED\n");
        for rules in ["", &untrusted] {
            let common = format!("{parameters}{rules}");
            assert_alike(|program| {
                let proxy = start(program, &authority, "", &common, upstream.port);
                let (answer, log, stats) = observe(&proxy);
                assert!(answer.starts_with("HTTP/1.1 200 OK"), "{program}, {common}: {log}");
                (log, stats)
            });
        }
    }
}

/// With a chain asked for, Envoy takes them too.
#[test]
fn one_of_version_1_is_not_taken_for_one_of_a_chain() {
    let authority = authority();
    authority.issue("old", &Subject { name: "old", ..Subject::default() });
    let certificate = authority.as_version_1("old");
    let upstream = TlsUpstream::showing(certificate, &authority, "old", false, Answer::Whole);
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let proxy = start(program, &authority, "", TRUSTING, upstream.port);
        let (answer, log, _) = observe(&proxy);
        let status = if program == Program::Envoy { "200" } else { "503" };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{program}: {log}");
    }
}

#[test]
fn a_certificate_is_shown_to_who_asks() {
    let own = "tls_certificates:
- certificate_chain: { filename: '{{certificates}}/server.crt' }
  private_key: { filename: '{{certificates}}/server.key' }
";
    compare("up", true, "", own);
}

#[test]
fn connections_are_kept_and_sessions_resumed() {
    let authority = authority();
    let upstream = TlsUpstream::start(&authority, "server", false, Answer::Whole);
    for program in Program::ringmains() {
        let proxy = start(program, &authority, "sni: server.example\n", TRUSTING, upstream.port);
        for _ in 0..3 {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(GET);
            assert_eq!(client.read_response().expect("an answer").status(), Some(200), "{program}");
        }
        assert_eq!(proxy.admin().stat("cluster.backend.ssl.handshake"), 1, "{program}");
    }
}

/// Envoy takes the missing close_notify for a good end of the body.
#[test]
fn a_body_that_is_cut_short_does_not_look_whole() {
    let authority = authority();
    let upstream = TlsUpstream::start(&authority, "server", false, Answer::Truncated);
    for program in Program::ringmains() {
        let proxy = start(program, &authority, "sni: server.example\n", TRUSTING, upstream.port);
        let mut client = Client::connect(proxy.port("listener"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let (answer, _) = client.read_to_end();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.contains("half") && !answer.contains("0\r\n\r\n"), "{program}: {answer}");
    }
}

/// Requests for several names over one connection of the client's: whom the upstream was asked for, and
/// how many connections it took.
#[test]
fn requests_name_the_host_that_tls_asks_for() {
    let authority = authority();
    let dns = vec!["up.example", "second.example"];
    authority.issue("up", &Subject { name: "upstream", dns, ..Subject::default() });
    let upstream = TlsUpstream::start(&authority, "up", false, Answer::Named);
    for options in [
        "auto_sni: true",
        "auto_sni: true, auto_san_validation: true",
        "auto_sni: true, auto_san_validation: true, override_auto_sni_header: X-Name",
    ] {
        let options = format!(
            "typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: {{ http_protocol_options: {{}} }}
    upstream_http_protocol_options: {{ {options} }}
"
        );
        assert_alike(|program| {
            let context = "sni: configured.example\n";
            let proxy = start_with(program, &authority, context, TRUSTING, &options, upstream.port);
            let mut client = Client::connect(proxy.port("listener"));
            let mut ask = |host: &str, more: &str| {
                client.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n{more}\r\n"));
                let answer = client.read_response().expect("an answer");
                let status = answer.status();
                (status, if status == Some(200) { answer.body } else { Vec::new() })
            };
            let answers = [
                ask("up.example", ""),
                ask("up.example:8080", ""),
                ask("second.example", ""),
                ask("other.example", ""),
                ask("127.0.0.1", ""),
                ask("[::1]:80", ""),
                ask("up.example", "x-name: second.example\r\n"),
                ask("up.example", "x-name:\r\n"),
            ];
            let stats = ["upstream_cx_total", "ssl.fail_verify_san"]
                .map(|name| proxy.admin().stat(&format!("cluster.backend.{name}")));
            (answers, stats)
        });
    }
}

#[test]
fn health_checks_go_through_the_clusters_tls() {
    const CHECKS: &str = "health_checks:
- timeout: 60s
  interval: 60s
  unhealthy_threshold: 1
  healthy_threshold: 1
  tls_options: { alpn_protocols: [http/1.1] }
";
    let authority = authority();
    let upstream = TlsUpstream::start(&authority, "server", false, Answer::Whole);
    for (checker, sni, healthy) in [
        ("http_health_check: { path: / }", "server.example", 1),
        ("tcp_health_check: {}", "server.example", 1),
        ("http_health_check: { path: / }", "other.example", 0),
        ("tcp_health_check: {}", "other.example", 0),
    ] {
        assert_alike(|program| {
            let context = format!("sni: {sni}\nauto_sni_san_validation: true\n");
            let checks = format!("{CHECKS}  {checker}\n");
            let proxy = start_with(program, &authority, &context, TRUSTING, &checks, upstream.port);
            let stats = proxy.admin().stats("cluster.backend.(health_check|membership_healthy)");
            assert_eq!(stats["cluster.backend.membership_healthy"], healthy.to_string());
            stats
        });
    }
}

/// The certificate that is shown and the authority that is trusted change; health checks follow.
#[test]
fn other_certificates_serve_new_connections_to_hosts() {
    const OWN: &str = "tls_certificates:
- certificate_chain: { filename: '{{certificates}}/own.crt' }
  private_key: { filename: '{{certificates}}/own.key' }
validation_context:
  trusted_ca: { filename: '{{certificates}}/trusted.crt' }
";
    const CHECKS: &str = "health_checks:
- timeout: 60s
  interval: 0.2s
  no_traffic_interval: 0.2s
  unhealthy_threshold: 1
  healthy_threshold: 1
  http_health_check: { path: / }
common_lb_config: { healthy_panic_threshold: { value: 0 } }
";
    for program in Program::ringmains() {
        let authority = authority();
        let own = Subject { name: "own", ..Subject::default() };
        authority.self_sign("own", &own);
        authority.self_sign("trusted", &own);
        let upstream = TlsUpstream::start(&authority, "server", true, Answer::Whole);
        for more in ["", CHECKS] {
            let proxy = start_with(program, &authority, "", OWN, more, upstream.port);
            let ask = || {
                let mut client = Client::connect(proxy.port("listener"));
                client.send(GET);
                client.read_response().ok()?.status()
            };
            assert_eq!(ask(), Some(503), "{program}: nobody vouches for the upstream");
            let copy = |from: &str| {
                let folder = authority.folder();
                std::fs::copy(folder.join(from), folder.join("trusted.crt")).expect("writable");
            };
            copy("ca.crt");
            let trusts = || proxy.admin().stat("server.certificate_reload");
            eventually("the authority", || (trusts() == 1).then_some(()));
            assert_eq!(ask(), Some(503), "{program}: nobody vouches for the proxy");
            authority.issue("own", &own);
            eventually("both certificates", || (ask() == Some(200)).then_some(()));
            let certs = proxy.admin().get("/certs").text();
            assert!(certs.contains("own.crt") && certs.contains("trusted.crt"), "{certs}");
            authority.self_sign("own", &own);
            copy("own.crt");
        }
    }
}

#[test]
fn hosts_without_a_choice_count_for_the_default_transport_socket() {
    let values = Values::from([("upstream".into(), "1".into())]);
    assert_alike(|program| {
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        proxy.admin().stat("cluster.backend.default.total_match_count")
    });
}

#[test]
fn labels_of_hosts_choose_the_transport_socket() {
    let authority = authority();
    let upstream = TlsUpstream::start(&authority, "server", false, Answer::Named);
    let socket = tls_fields("sni: server.example\n", TRUSTING);
    let matches = format!(
        "transport_socket_matches:\n- name: secure\n  match: {{ secure: true, zone: a }}\n{}",
        indented(&socket, 2)
    );
    let values = Values::from([
        ("upstream".into(), upstream.port.to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
    ]);
    // The first key of the list's only entry, and what has to come before it.
    for entry in ["        - endpoint:", "      - lb_endpoints:"] {
        for labels in ["secure: true, zone: a, more: 1", "secure: true", "secure: 'true', zone: a"]
        {
            let (dash, key) = entry.split_once("- ").expect("an entry of a list");
            let metadata = format!(
                "{dash}- metadata: {{ filter_metadata: {{ envoy.transport_socket_match: {{ {labels} }} }} }}"
            );
            let template = front_proxy("", "", &matches);
            let template = template.replace(entry, &format!("{metadata}\n{dash}  {key}"));
            assert_alike(|program| {
                let proxy = Proxy::start(program, &template, &values);
                let mut client = Client::connect(proxy.port("listener"));
                client.send(GET);
                let answer = client.read_response().expect("an answer");
                let counted = ["default", "secure"].map(|name| {
                    proxy.admin().stat(&format!("cluster.backend.{name}.total_match_count"))
                });
                (answer.status(), answer.status() == Some(200), counted)
            });
        }
    }
}

//! Requests over TLS: versions, protocols, certificates by name, sessions, long bodies.

use ringmain_tests::normalize;
use ringmain_tests::proxy::Program;
use ringmain_tests::template::tcp_proxy;
use ringmain_tests::tls::{Handshake, Subject};
use ringmain_tests::upstream::{Act, reply};
use rustls::version::TLS12;

use crate::rig::{
    GET, Rig, SERVER, VERSIONS, assert_alike, authority, normal, over_tls, tls_front,
};

const LOG: &str = "access_log:
- name: own
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/tls.log'
    log_format:
      text_format_source:
        inline_string: \"%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_GROUP% %DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_LOCAL_DNS_SAN% %DOWNSTREAM_PEER_SUBJECT% %PROTOCOL%\\n\"
";

#[test]
fn a_request_over_each_version_is_as_with_envoy() {
    let authority = authority();
    let template = tls_front(SERVER, "", LOG, "");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let mut answers = Vec::new();
        for version in VERSIONS {
            let handshake = Handshake::new(&authority, "server.example", &[version]);
            answers.push(normal(&handshake.connect(rig.port()).ask(GET)));
        }
        rig.wait_for_ends(2);
        rig.upstream.settle();
        let received = normalize::headers(&rig.upstream.transcript());
        assert!(received.contains("x-forwarded-proto: https"), "{received}");
        let ssl_total = rig.proxy.admin().stat("http.ingress.downstream_cx_ssl_total");
        let mut stats = rig.ssl_stats();
        // Which of the best ciphers it is depends on who may choose.
        stats.retain(|name, _| !name.starts_with("ciphers."));
        let log = ringmain_tests::wait::eventually("two log lines", || {
            Some(rig.proxy.file("tls.log")).filter(|log| log.lines().count() == 2)
        });
        (answers, received, ssl_total, stats, log)
    });
}

#[test]
fn the_name_asked_for_chooses_the_certificate() {
    let authority = authority();
    let other = Subject { name: "other", dns: vec!["other.example"], ..Subject::default() };
    authority.issue("other", &other);
    let both =
        SERVER.to_owned() + &SERVER.replace("server", "other").replace("tls_certificates:\n", "");
    let template = tls_front(&both, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        for (name, file) in
            [("server.example", "server"), ("other.example", "other"), ("a.wild.example", "server")]
        {
            let mut client = Handshake::new(&authority, name, &VERSIONS).connect(rig.port());
            assert!(client.ask(GET).is_ok(), "{program} {name}");
            let shown = client.server_certificate();
            assert_eq!(shown, Some(authority.certificate(file)), "{program} {name}");
        }
    }
}

#[test]
fn the_servers_order_chooses_the_protocol() {
    let authority = authority();
    let template = tls_front(&format!("{SERVER}alpn_protocols: [http/1.1]\n"), "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let mut client = handshake.alpn(&["h2", "http/1.1"]).connect(rig.port());
        assert!(client.ask(GET).is_ok(), "{program}");
        assert_eq!(client.alpn().as_deref(), Some("http/1.1"), "{program}");
    }
}

#[test]
fn sessions_are_resumed_unless_tickets_are_off() {
    let authority = authority();
    for (context, resumes) in [
        ("", true),
        ("session_timeout: 0s\n", true),
        ("disable_stateless_session_resumption: true\n", false),
    ] {
        let template = tls_front(SERVER, context, "", "");
        for program in Program::ringmains() {
            let rig = Rig::start(program, &authority, &template);
            for version in VERSIONS {
                let handshake = Handshake::new(&authority, "server.example", &[version]);
                assert!(handshake.connect(rig.port()).ask(GET).is_ok(), "{program}");
                let mut client = handshake.connect(rig.port());
                assert!(client.ask(GET).is_ok(), "{program}");
                assert_eq!(client.is_resumed(), resumes, "{program} {version:?}");
            }
            let reused = rig.ssl_stats().get("session_reused").copied().unwrap_or(0);
            assert_eq!(reused, if resumes { 2 } else { 0 }, "{program}");
        }
    }
}

#[test]
fn long_bodies_pass_both_ways() {
    const LENGTH: usize = 3_000_000;
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    let body: Vec<u8> = (0..LENGTH).map(|index| (index % 251) as u8).collect();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").into_bytes();
    answer.extend_from_slice(&body);
    let mut request = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {LENGTH}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(&body);
    for program in Program::ringmains() {
        for version in VERSIONS {
            let replies = vec![reply(&answer)];
            let rig = Rig::with_replies(program, &authority, &template, replies);
            let handshake = Handshake::new(&authority, "server.example", &[version]);
            let mut client = handshake.connect(rig.port());
            client.send(&request).expect("the proxy takes it");
            let received = client.read_to_end().expect("an orderly end");
            assert!(received.ends_with(&body), "{program} {version:?}");
            rig.upstream.settle();
            assert!(rig.upstream.received().ends_with(&body), "{program} {version:?}");
        }
    }
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let mut client =
            Handshake::new(&authority, "server.example", &[&TLS12]).connect(rig.port());
        for _ in 0..3 {
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").expect("open");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\nok") {
                head.extend(client.read_exactly(1).expect("an answer"));
            }
        }
        assert_eq!(rig.ssl_stats()["handshake"], 1, "{program}");
    }
}

#[test]
fn the_end_of_a_tunnel_over_http1_is_an_orderly_one() {
    let fields = "cluster: up
tunneling_config: { hostname: 'target.example:443' }";
    let rest = "  clusters:
  - name: up
    type: STATIC
    load_assignment: { cluster_name: up, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {{upstream}} } } } }] }] }
";
    let authority = authority();
    let template = over_tls(&tcp_proxy(fields, "-", rest), SERVER, "");
    let answer = Act::Send(b"HTTP/1.1 200 OK\r\n\r\nbye".to_vec());
    for program in Program::ringmains() {
        let replies = vec![vec![answer.clone(), Act::Close]];
        let rig = Rig::with_replies(program, &authority, &template, replies);
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let end = handshake.connect(rig.port()).read_to_end();
        assert_eq!(end, Ok(b"bye".to_vec()), "{program}");
    }
}

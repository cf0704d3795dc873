//! What is told of names: those in certificates, which may hold anything, and the one that was asked for.

use ringmain_tests::proxy::Program;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use rustls::version::TLS13;

use crate::rig::{GET, Rig, SERVER, assert_alike, authority, connection_lines, logged, tls_front};

const TOLD: &str = "forward_client_cert_details: SANITIZE_SET
set_current_client_cert_details: { subject: true, dns: true, uri: true }
";

/// A front that asks clients for certificates and logs `format`.
fn front(format: &str, hcm: &str) -> String {
    let common = format!(
        "{SERVER}validation_context:\n  trusted_ca: {{ filename: '{{{{certificates}}}}/ca.crt' }}\n"
    );
    logged(&tls_front(&common, "", hcm, ""), format)
}

/// The upstream's view of a request of the client that has the certificate in `<file>.crt`, and its answer.
fn ask(rig: &Rig, authority: &Authority, file: &str) -> (String, String) {
    let handshake = Handshake::with_certificate(authority, "server.example", file, &[&TLS13]);
    let answer = handshake.forgetful().connect(rig.port()).ask(GET).expect("an answer");
    rig.upstream.settle();
    let request = rig.upstream.transcript();
    let is_told = |line: &&str| line.starts_with("x-forwarded-client-cert:");
    (request.lines().filter(is_told).collect(), answer)
}

/// Names of types by BoringSSL's table, others by their number; nothing but printable ASCII.
#[test]
fn subjects_are_written_as_by_boringssl() {
    let authority = authority();
    let attributes: Vec<(&[u64], &str)> = vec![
        (&[1, 2, 840, 113_549, 1, 9, 1], "me@a.example"),
        (&[2, 5, 4, 4], "Sur, name"),
        (&[2, 5, 4, 9], " #1 \"Street\"; a+b=c "),
        (&[2, 5, 4, 42], "J\u{fc}rgen \u{1f600}"),
        (&[2, 5, 4, 65], "tab\there\u{7f}"),
        (&[0, 9, 2342, 19_200_300, 100, 1, 1], "user"),
        (&[2, 5, 4, 97], "no name for it"),
    ];
    let name = "x\r\nx-evil: 1\r\n\r\nGET /evil HTTP/1.1";
    authority.issue("odd", &Subject { name, attributes, ..Subject::default() });
    let others = vec!["other", "\u{fc}"];
    authority.issue("others", &Subject { name: "others", others, ..Subject::default() });
    let format = "%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_OTHERNAME_SAN%";
    let template = front(format, TOLD);
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let told = ["odd", "others"].map(|file| ask(&rig, &authority, file).0);
        (told, connection_lines(&rig.proxy, 2))
    });
}

/// Envoy refuses the request for such a name; neither lets it become a header or a request of its own.
#[test]
fn names_that_would_end_a_line_are_told_on_one() {
    let authority = authority();
    let dns = vec!["a\r\nx-evil-dns: 1"];
    let uris = vec!["spiffe://td/a\r\n\r\nGET /evil HTTP/1.1"];
    authority.issue("odd", &Subject { name: "odd", dns, uris, ..Subject::default() });
    let template = front("-", TOLD);
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, &authority, &template);
        let (told, answer) = ask(&rig, &authority, "odd");
        if program == Program::Envoy {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            continue;
        }
        let expected = ";URI=spiffe://td/a%0D%0A%0D%0AGET /evil HTTP/1.1;DNS=a%0D%0Ax-evil-dns: 1";
        assert!(told.ends_with(expected), "{program}: {told}");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{program}: {answer}");
    }
}

/// By SNI, by a header, and each where the other one is missing.
#[test]
fn the_server_name_comes_from_where_it_is_found_first() {
    let options = ["SNI_ONLY", "SNI_FIRST", "HOST_FIRST"].into_iter().flat_map(|order| {
        ["", ":ORIG", ":HOST", ":ORIG_OR_HOST"]
            .map(|host| format!("%REQUESTED_SERVER_NAME({order}{host})%"))
    });
    let format = options.collect::<Vec<_>>().join(" ");
    let header =
        format!("response_headers_to_add: [{{ header: {{ key: x-names, value: '{format}' }} }}]");
    let front = tls_front(SERVER, "", "", "")
        .replace("virtual_hosts:", &format!("{header}\n            virtual_hosts:"));
    let inspector = "    listener_filters:
    - name: tls_inspector
      typed_config: { '@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
    filter_chains:
";
    let template = front.replacen("    filter_chains:\n", inspector, 1);
    let requests = [
        "GET / HTTP/1.1\r\nhost: host.example\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: host.example\r\nx-envoy-original-host: original.example\r\n\
         connection: close\r\n\r\n",
    ];
    let authority = authority();
    let dns = vec!["server.example", "127.0.0.1"];
    authority.issue("server", &Subject { name: "server", dns, ..Subject::default() });
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        // An address is no name for SNI.
        let names = ["server.example", "127.0.0.1"].map(|name| {
            requests.map(|request| {
                let handshake = Handshake::new(&authority, name, &[&TLS13]).forgetful();
                let answer = handshake.connect(rig.port()).ask(request).expect("an answer");
                let line = answer.lines().find(|line| line.starts_with("x-names:"));
                line.expect("the header").to_owned()
            })
        });
        assert!(names[1][0].contains("host.example"), "{program}: {names:?}");
        names
    });
}

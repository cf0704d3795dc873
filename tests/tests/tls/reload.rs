//! Certificates that change while the proxy runs, and admin's view of them.

use std::fs;

use ringmain_tests::proxy::Program;
use ringmain_tests::template::indented;
use ringmain_tests::tls::{Authority, Handshake, Subject, TlsClient};
use ringmain_tests::wait::eventually;

use crate::rig::{GET, Rig, SERVER, VERSIONS, authority, tls_front, validated};

#[test]
fn another_certificate_serves_new_connections_and_leaves_old_ones() {
    let authority = authority();
    let template = tls_front(SERVER, "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS).forgetful();
        let mut old = handshake.connect(rig.port());
        old.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").expect("open");
        old.read_exactly(12).expect("an answer");
        let dns = vec!["server.example"];
        authority.issue("server", &Subject { name: "renewed", dns, ..Subject::default() });
        let renewed = authority.certificate("server");
        eventually("the new certificate", || {
            let mut client: TlsClient = handshake.connect(rig.port());
            client.ask(GET).ok()?;
            (client.server_certificate()? == renewed).then_some(())
        });
        old.send(GET).expect("still open");
        assert!(old.read_to_end().is_ok(), "{program}");
        let certs = rig.proxy.admin().get("/certs").text();
        assert!(certs.contains("server.crt") && certs.contains("server.example"), "{certs}");
    }
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_old_certificate() {
    for program in Program::ringmains() {
        let authority = authority();
        let template = tls_front(SERVER, "", "", "");
        let rig = Rig::start(program, &authority, &template);
        let old = authority.certificate("server");
        let file = |name: &str| authority.folder().join(name);
        // At once, so that nobody sees half of it.
        let put = |key: &[u8]| {
            fs::write(file("next"), key).expect("writable");
            fs::rename(file("next"), file("server.key")).expect("writable");
        };
        let failures = |count| {
            rig.proxy.admin().wait_for_stat("server.certificate_reload_failure", count);
        };
        // Each change counts, though what is wrong is the same: no key, none again, another's, no file.
        put(b"no key");
        failures(1);
        put(b"no key either");
        failures(2);
        authority.issue("other", &Subject { name: "other", ..Subject::default() });
        put(&fs::read(file("other.key")).expect("a key"));
        failures(3);
        fs::remove_file(file("server.crt")).expect("it was there");
        failures(4);
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let mut client = handshake.connect(rig.port());
        assert!(client.ask(GET).is_ok(), "{program}");
        assert_eq!(client.server_certificate(), Some(old), "{program}");
        eventually("the log", || rig.proxy.stderr().contains("cannot be used").then_some(()));
    }
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let authority = authority();
    authority.issue("other", &Subject { name: "other", ..Subject::default() });
    let mismatched = SERVER.replace("server.key", "other.key");
    let told = validated(&authority, &tls_front(&mismatched, "", "", ""));
    assert!(told.contains("the key is not that of 'certificate_chain'"), "{told}");
    let told =
        validated(&authority, &tls_front(&SERVER.replace("server.key", "none.key"), "", "", ""));
    assert!(told.contains("none.key': No such file"), "{told}");
}

/// Writes the file of the secret `name` anew as those who rotate secrets do: another file takes its name.
fn rotate(authority: &Authority, name: &str, secret: &str) {
    let text = format!(
        "resources:
- '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: {name}
{}",
        indented(secret, 2)
    );
    let next = authority.folder().join("next.yaml");
    fs::write(&next, text).expect("writable");
    fs::rename(&next, authority.folder().join(format!("{name}.yaml"))).expect("writable");
}

/// The certificate in `<file>.crt`.
fn certificate(authority: &Authority, file: &str) -> String {
    let folder = authority.folder().display();
    format!(
        "tls_certificate:
  certificate_chain: {{ filename: {folder}/{file}.crt }}
  private_key: {{ filename: {folder}/{file}.key }}
"
    )
}

/// Clients are held against `<file>.crt`.
fn trusting(authority: &Authority, file: &str) -> String {
    let folder = authority.folder().display();
    format!("validation_context: {{ trusted_ca: {{ filename: {folder}/{file}.crt }} }}\n")
}

#[test]
fn secrets_in_a_file_are_rotated_as_with_envoy() {
    const COMMON: &str = "tls_certificate_sds_secret_configs:
- name: own
  sds_config: { path_config_source: { path: '{{certificates}}/own.yaml' }, resource_api_version: V3 }
validation_context_sds_secret_config:
  name: clients
  sds_config: { path_config_source: { path: '{{certificates}}/clients.yaml' }, resource_api_version: V3 }
";
    let template = tls_front(COMMON, "require_client_certificate: true", "", "");
    // Envoy asks even files by its own name.
    let template = format!("node: {{ id: proxy, cluster: tests }}\n{template}");
    let programs = [vec![Program::Envoy], Program::ringmains()].concat();
    for program in programs {
        let authority = authority();
        let dns = vec!["server.example"];
        let subject = Subject { name: "other", dns, ..Subject::default() };
        authority.issue("renewed", &subject);
        authority.self_sign("stranger", &subject);
        rotate(&authority, "own", &certificate(&authority, "server"));
        rotate(&authority, "clients", &trusting(&authority, "ca"));
        let rig = Rig::start(program, &authority, &template);
        let handshake =
            Handshake::with_certificate(&authority, "server.example", "renewed", &VERSIONS);
        let ask = || {
            let mut client = handshake.clone().forgetful().connect(rig.port());
            client.ask(GET).map(|_| client.server_certificate().expect("one was shown"))
        };
        assert_eq!(ask(), Ok(authority.certificate("server")), "{program}");
        rotate(&authority, "own", &certificate(&authority, "renewed"));
        let renewed = Ok(authority.certificate("renewed"));
        eventually("the other certificate", || (ask() == renewed).then_some(()));
        rotate(&authority, "clients", &trusting(&authority, "none"));
        if program != Program::Envoy {
            rig.proxy.admin().wait_for_stat("server.certificate_reload_failure", 1);
        }
        assert_eq!(ask(), renewed, "{program}: an authority that cannot be read");
        rotate(&authority, "clients", &trusting(&authority, "stranger"));
        eventually("the other authority", || ask().is_err().then_some(()));
    }
}

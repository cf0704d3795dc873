//! Certificates that change while the proxy runs, and admin's view of them.

use ringmain_tests::proxy::Program;
use ringmain_tests::tls::{Handshake, Subject, TlsClient};
use ringmain_tests::wait::eventually;

use crate::rig::{GET, Rig, SERVER, VERSIONS, authority, tls_front};

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
        std::fs::write(authority.folder().join("server.key"), "no key").expect("writable");
        rig.proxy.admin().wait_for_stat("server.certificate_reload_failure", 1);
        let handshake = Handshake::new(&authority, "server.example", &VERSIONS);
        let mut client = handshake.connect(rig.port());
        assert!(client.ask(GET).is_ok(), "{program}");
        assert_eq!(client.server_certificate(), Some(old), "{program}");
        assert!(rig.proxy.stderr().contains("cannot be used"), "{}", rig.proxy.stderr());
    }
}

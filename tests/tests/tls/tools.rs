//! What people look at TLS with, on a listener that is configured with nothing but a certificate.

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::proxy::Program;
use ringmain_tests::python;

use crate::rig::{Rig, SERVER, authority, tls_front};

#[test]
fn openssl_speaks_every_version_and_resumes_its_sessions() {
    let authority = authority();
    let ca = authority.folder().join("ca.crt").display().to_string();
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &tls_front(SERVER, "", "", ""));
        let port = rig.port().to_string();
        let told = python::run("tls_client.py", &[&port, "server.example", &ca]);
        assert_eq!(told, "done\n", "{program}");
        // Once in each version.
        assert_eq!(rig.ssl_stats()["session_reused"], 2, "{program}");
    }
}

#[test]
fn a_scanner_finds_no_weakness() {
    let authority = authority();
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &tls_front(SERVER, "", "", ""));
        let rest = AtRest::of(&rig.proxy);
        let port = rig.port().to_string();
        let told = python::scan("tls_scan.py", &["server.example", &port]);
        assert_eq!(told, "done\n", "{program}");
        rig.upstream.close_connections();
        rest.wait_for(&rig.proxy);
    }
}

//! OCSP staples: who gets one, and which certificates are not shown without.

use std::fs;

use ringmain_tests::ocsp::{Holds, response, response_for_two, try_later};
use ringmain_tests::proxy::Program;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use rustls::version::TLS12;

use crate::rig::{
    GET, Rig, SERVER, VERSIONS, assert_alike, authority, normal, tls_front, validated,
};

/// `SERVER` with a staple.
fn stapled() -> String {
    format!("{SERVER}  ocsp_staple: {{ filename: '{{{{certificates}}}}/server.ocsp' }}\n")
}

fn put(authority: &Authority, staple: &[u8]) {
    fs::write(authority.folder().join("server.ocsp"), staple).expect("writable");
}

/// An authority that has also issued a certificate which asks for a staple.
fn with_must_staple() -> Authority {
    let authority = authority();
    let dns = vec!["server.example"];
    let subject = Subject { name: "server", dns, must_staple: true, ..Subject::default() };
    authority.issue("server", &subject);
    authority
}

/// What clients that ask for a staple get, in each version, and the counters.
#[track_caller]
fn compare(authority: &Authority, common: &str, policy: &str) {
    let template = tls_front(common, &format!("ocsp_staple_policy: {policy}\n"), "", "");
    assert_alike(|program| {
        let rig = Rig::start(program, authority, &template);
        let answers = VERSIONS.map(|version| {
            let handshake = Handshake::new(authority, "server.example", &[version]);
            // The second time the session is resumed, where there is one.
            let answers = [(), ()].map(|()| normal(&handshake.connect(rig.port()).ask(GET)));
            (answers, handshake.staple())
        });
        rig.wait_for_ends(4);
        let mut stats = rig.ssl_stats();
        // A resumption counts no curve here.
        stats.retain(|name, _| !name.starts_with("ciphers.") && !name.starts_with("curves."));
        (answers, stats)
    });
}

const POLICIES: [&str; 3] = ["LENIENT_STAPLING", "STRICT_STAPLING", "MUST_STAPLE"];

#[test]
fn a_staple_that_holds_is_sent() {
    let authority = authority();
    put(&authority, &response(&authority.certificate("server"), Holds::Long));
    POLICIES.iter().for_each(|policy| compare(&authority, &stapled(), policy));
}

#[test]
fn one_that_does_not_is_left_out_or_leaves_nothing_to_show() {
    let authority = authority();
    for holds in [Holds::NoLonger, Holds::Unsaid] {
        put(&authority, &response(&authority.certificate("server"), holds));
        POLICIES.iter().for_each(|policy| compare(&authority, &stapled(), policy));
    }
}

#[test]
fn without_a_staple_only_some_policies_show_a_certificate() {
    let authority = authority();
    POLICIES[..2].iter().for_each(|policy| compare(&authority, SERVER, policy));
}

#[test]
fn a_certificate_may_ask_for_a_staple_itself() {
    let authority = with_must_staple();
    for holds in [Holds::Long, Holds::NoLonger] {
        put(&authority, &response(&authority.certificate("server"), holds));
        compare(&authority, &stapled(), POLICIES[0]);
    }
}

#[test]
fn a_staple_that_changes_is_sent_from_then_on() {
    let authority = authority();
    put(&authority, &response(&authority.certificate("server"), Holds::NoLonger));
    let template = tls_front(&stapled(), "", "", "");
    for program in Program::ringmains() {
        let rig = Rig::start(program, &authority, &template);
        let renewed = response(&authority.certificate("server"), Holds::Long);
        put(&authority, &renewed);
        ringmain_tests::wait::eventually("the staple", || {
            let handshake = Handshake::new(&authority, "server.example", &[&TLS12]).forgetful();
            handshake.connect(rig.port()).ask(GET).ok()?;
            (handshake.staple() == renewed).then_some(())
        });
        put(&authority, &response(&authority.certificate("server"), Holds::NoLonger));
    }
}

/// What is said of the front with these certificates and this policy.
fn refused(authority: &Authority, common: &str, policy: &str) -> String {
    let policy = format!("ocsp_staple_policy: {policy}\n");
    validated(authority, &tls_front(common, &policy, "", ""))
}

#[test]
fn staples_that_cannot_be_used_are_refused_with_the_file() {
    let authority = authority();
    authority.issue("other", &Subject { name: "other", ..Subject::default() });
    let certificate = authority.certificate("server");
    for (staple, said) in [
        (
            response(&authority.certificate("other"), Holds::Long),
            "does not match its TLS certificate",
        ),
        (response_for_two(&certificate), "must be for one certificate only"),
        (try_later(), "OCSP response was unsuccessful"),
        (b"no DER".to_vec(), "is no OCSP response in DER"),
    ] {
        put(&authority, &staple);
        let told = refused(&authority, &stapled(), POLICIES[0]);
        assert!(told.contains(said), "{said}: {told}");
    }
    let told = refused(&authority, SERVER, POLICIES[2]);
    assert!(told.contains("Required OCSP response is missing"), "{told}");
    let told = refused(&with_must_staple(), SERVER, POLICIES[0]);
    assert!(told.contains("is required for must-staple certificate"), "{told}");
}

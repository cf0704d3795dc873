//! Certificates of clients: demanded, optional, refused, and told to the upstream.

use ringmain_tests::template::indented;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use rustls::version::TLS12;

use crate::rig::{
    GET, Rig, SERVER, VERSIONS, assert_alike, authority, connection_lines, logged, normal,
    tls_front,
};

const FORGED: &str = "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-client-cert: \
                      By=x;Hash=y\r\nconnection: close\r\n\r\n";

fn with_clients() -> Authority {
    let authority = authority();
    let client = Subject {
        name: "client",
        dns: vec!["client.example", "c2.example"],
        uris: vec!["spiffe://td/a"],
        ..Subject::default()
    };
    authority.issue("client", &client);
    authority.issue("expired", &Subject { expired: true, ..client.clone() });
    authority.show_issuer("expired", "ca");
    let other = Authority::named("other authority");
    other.issue("stranger", &client);
    other.show_issuer("stranger", "ca");
    authority.copy(&other, "stranger");
    authority.self_sign("self", &client);
    authority.issue("revoked", &client);
    authority.revoke("revoked", "ca", 2120);
    authority
}

fn trusting(rules: &str) -> String {
    format!(
        "{SERVER}validation_context:\n  trusted_ca: {{ filename: '{{{{certificates}}}}/ca.crt' \
         }}\n{rules}"
    )
}

/// What becomes of clients with each certificate, of what they send and of the counters.
fn compare(rules: &str, context: &str, hcm: &str) {
    compare_file(&tls_front(&trusting(rules), context, hcm, ""));
}

fn compare_file(template: &str) {
    let authority = with_clients();
    let template = &logged(
        template,
        "%DOWNSTREAM_TRANSPORT_FAILURE_REASON% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_LOCAL_SUBJECT% \
         %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_FINGERPRINT_256%",
    );
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, template);
        let mut answers = Vec::new();
        for version in VERSIONS {
            let bare = Handshake::new(&authority, "server.example", &[version]).forgetful();
            answers.push(normal(&bare.connect(rig.port()).ask(FORGED)));
            for file in ["client", "expired", "self", "revoked", "stranger"] {
                let handshake =
                    Handshake::with_certificate(&authority, "server.example", file, &[version]);
                answers.push(normal(&handshake.forgetful().connect(rig.port()).ask(FORGED)));
            }
        }
        rig.wait_for_ends(answers.len() as u64);
        rig.upstream.settle();
        let received = ringmain_tests::normalize::headers(&rig.upstream.transcript());
        let mut stats = rig.ssl_stats();
        stats.retain(|name, _| !name.starts_with("ciphers."));
        let reasons = connection_lines(&rig.proxy, answers.len());
        (answers, received, stats, reasons)
    });
}

#[test]
fn demanded_and_told_whole() {
    compare(
        "",
        "require_client_certificate: true\n",
        "forward_client_cert_details: APPEND_FORWARD\nset_current_client_cert_details: { subject: \
         true, cert: true, chain: true, dns: true, uri: true }\n",
    );
}

#[test]
fn optional_and_set() {
    compare(
        "",
        "",
        "forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: { subject: \
         true, dns: true, uri: true }\n",
    );
}

#[test]
fn forwarded_as_it_came() {
    compare("", "", "forward_client_cert_details: FORWARD_ONLY\n");
    compare("", "", "forward_client_cert_details: ALWAYS_FORWARD_ONLY\n");
}

#[test]
fn held_against_names() {
    compare(
        "  match_typed_subject_alt_names:\n  - { san_type: URI, matcher: { prefix: 'spiffe://td/' } }\n",
        "",
        "",
    );
    compare(
        "  match_typed_subject_alt_names:\n  - { san_type: DNS, matcher: { exact: other.example } }\n",
        "",
        "",
    );
}

#[test]
fn a_revoked_one_is_refused() {
    let list = "  crl: { filename: '{{certificates}}/ca.crl' }\n";
    compare(list, "", "");
    compare(&format!("{list}  only_verify_leaf_cert_crl: true\n"), "", "");
}

/// It is told which one of a chain is revoked, and for which one there is no list.
#[test]
fn a_revoked_authority_is_refused() {
    let authority = authority();
    let subject = |name| Subject { name, ..Subject::default() };
    let intermediate = authority.intermediate("intermediate", &subject("intermediate"));
    for name in ["leaf", "other"] {
        intermediate.issue(name, &subject(name));
        intermediate.show_issuer(name, "intermediate");
    }
    authority.revoke("intermediate", "of_authority", 2120);
    intermediate.revoke("other", "of_intermediate", 2120);
    let list = |name| std::fs::read_to_string(authority.folder().join(name)).expect("a list");
    let both = list("of_authority.crl") + &list("of_intermediate.crl");
    std::fs::write(authority.folder().join("both.crl"), both).expect("writable");
    authority.revoke("server", "of_nobody_here", 2120);
    for (lists, files) in [
        ("both", &["leaf", "other"][..]),
        ("of_intermediate", &["leaf"]),
        ("of_nobody_here", &["leaf"]),
    ] {
        let rules = format!("  crl: {{ filename: '{{{{certificates}}}}/{lists}.crl' }}\n");
        let template = tls_front(&trusting(&rules), "", "", "");
        let template = logged(&template, "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%");
        assert_alike(|program| {
            let rig = Rig::start(program, &authority, &template);
            for file in files {
                let client =
                    Handshake::with_certificate(&authority, "server.example", file, &[&TLS12]);
                let answer = client.forgetful().connect(rig.port()).ask(GET);
                assert!(answer.is_err(), "{program}: {answer:?}");
            }
            connection_lines(&rig.proxy, files.len())
        });
    }
}

/// In TLS 1.2, where it can be read.
#[test]
fn one_that_is_not_pinned_is_told_so() {
    let authority = with_clients();
    let pinned = "0".repeat(64);
    let common = format!("{SERVER}validation_context:\n  verify_certificate_hash: ['{pinned}']\n");
    let template = tls_front(&common, "", "", "");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let client = Handshake::with_certificate(&authority, "server.example", "client", &[&TLS12]);
        client.connect(rig.port()).ask(GET).expect_err("it is refused")
    });
}

#[test]
fn expired_or_untrusted_ones_may_be_accepted() {
    compare("  allow_expired_certificate: true\n", "", "");
    compare(
        "  trust_chain_verification: ACCEPT_UNTRUSTED\n",
        "",
        "forward_client_cert_details: SANITIZE_SET\n",
    );
}

/// Anybody's, where nothing is asked of it.
const ANYBODYS: &str = "validation_context: { trust_chain_verification: ACCEPT_UNTRUSTED }\n";

#[test]
fn one_is_asked_for_without_an_authority() {
    let common = format!("{SERVER}{ANYBODYS}");
    compare_file(&tls_front(&common, "", "forward_client_cert_details: SANITIZE_SET\n", ""));
}

/// In TLS 1.2 a client sees it before it could send anything.
#[test]
fn the_alert_says_what_is_wrong() {
    let authority = with_clients();
    let list = trusting("  crl: { filename: '{{certificates}}/ca.crl' }\n");
    let template = tls_front(&list, "require_client_certificate: true\n", "", "");
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let with =
            |file: &str| Handshake::with_certificate(&authority, "server.example", file, &[&TLS12]);
        let bare = Handshake::new(&authority, "server.example", &[&TLS12]);
        let bad = ["expired", "self", "revoked", "stranger"].map(with);
        let handshakes = std::iter::once(bare).chain(bad);
        handshakes.map(|it| it.connect(rig.port()).ask(GET)).collect::<Vec<_>>()
    });
}

#[test]
fn routes_look_at_the_certificate() {
    routes_look(&trusting(""));
    routes_look(&format!("{SERVER}{ANYBODYS}"));
}

fn routes_look(common: &str) {
    let authority = with_clients();
    let template = tls_front(common, "", "", "").replace(
        "- match: { prefix: / }",
        "- match: { prefix: /, tls_context: { presented: false } }\n                direct_response: { \
         status: 403 }\n              - match: { prefix: /, tls_context: { validated: true } }",
    );
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let bare = Handshake::new(&authority, "server.example", &[&TLS12]);
        let known = Handshake::with_certificate(&authority, "server.example", "client", &[&TLS12]);
        [bare, known].map(|handshake| normal(&handshake.forgetful().connect(rig.port()).ask(GET)))
    });
}

/// Each principal in a network filter of its own, whose shadow rules count whom they would let in.
#[test]
fn policies_look_at_the_names() {
    let principals = [
        "authenticated: {}",
        "not_id: { authenticated: {} }",
        "authenticated: { principal_name: { exact: 'spiffe://td/a' } }",
        "authenticated: { principal_name: { exact: c2.example } }",
        "authenticated: { principal_name: { exact: 'CN=client' } }",
        "authenticated: { principal_name: { exact: '' } }",
        "authenticated: { principal_name: { prefix: 'spiffe://other/' } }",
    ];
    let filter = |(index, principal): (usize, &&str)| {
        format!(
            "- name: rbac\n  typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, \
             stat_prefix: p{index}, shadow_rules: {{ policies: {{ p: {{ permissions: [{{ any: true }}], \
             principals: [{{ {principal} }}] }} }} }} }}\n"
        )
    };
    let filters: String = principals.iter().enumerate().map(filter).collect();
    // The same by trees, which see all names of a kind as one text.
    let names = [
        ("UriSanInput", "spiffe://td/a"),
        ("DnsSanInput", "client.example,c2.example"),
        ("DnsSanInput", "c2.example"),
        ("SubjectInput", "CN=client"),
    ];
    let tree = |(index, (input, name)): (usize, &(&str, &str))| {
        format!(
            "- name: rbac\n  typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC, \
             stat_prefix: t{index}, shadow_matcher: {{ matcher_tree: {{ \
             input: {{ name: i, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.matching.common_inputs.ssl.v3.{input} }} }}, \
             exact_match_map: {{ map: {{ '{name}': {{ action: {{ name: a, typed_config: {{ \"@type\": type.googleapis.com/envoy.config.rbac.v3.Action, name: p }} }} }} }} }} }} }} }}\n"
        )
    };
    let filters = filters + &names.iter().enumerate().map(tree).collect::<String>();
    let list = "      filters:\n";
    let template = tls_front(&trusting(""), "", "", "")
        .replace(list, &format!("{list}{}", indented(&filters, 6)));
    let authority = with_clients();
    assert_alike(|program| {
        let rig = Rig::start(program, &authority, &template);
        let bare = Handshake::new(&authority, "server.example", &VERSIONS);
        let known = Handshake::with_certificate(&authority, "server.example", "client", &VERSIONS);
        let answers = [bare, known]
            .map(|handshake| normal(&handshake.forgetful().connect(rig.port()).ask(GET)));
        (answers, rig.proxy.admin().stats("%5E%5Bpt%5D.%5C.rbac"))
    });
}

#[test]
fn by_secrets_of_the_file() {
    let common = "tls_certificate_sds_secret_configs: [{ name: server }]
combined_validation_context:
  default_validation_context:
    match_typed_subject_alt_names:
    - { san_type: DNS, matcher: { exact: c2.example } }
  validation_context_sds_secret_config: { name: clients }
";
    let context = "require_client_certificate: true
session_ticket_keys_sds_secret_config: { name: tickets }
";
    let file = tls_front(common, context, "", "");
    let key = "5".repeat(80);
    let secrets = format!(
        "  secrets:
  - name: server
    tls_certificate:
      certificate_chain: {{ filename: '{{{{certificates}}}}/server.crt' }}
      private_key: {{ filename: '{{{{certificates}}}}/server.key' }}
  - name: clients
    validation_context:
      trusted_ca: {{ filename: '{{{{certificates}}}}/ca.crt' }}
  - name: tickets
    session_ticket_keys: {{ keys: [{{ inline_string: '{key}' }}] }}
"
    );
    compare_file(&file.replace("static_resources:\n", &format!("static_resources:\n{secrets}")));
}

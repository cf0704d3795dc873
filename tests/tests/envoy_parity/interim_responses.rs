//! 100 (Continue) and other interim responses, with and without `proxy_100_continue`.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, Reply};

const PROXIED: &str = "proxy_100_continue: true";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn answer(text: &str) -> Reply {
    vec![Act::ReadBody, Act::Send(text.as_bytes().to_vec())]
}

/// Says so before it reads the body.
fn continuing(interim: &str) -> Reply {
    vec![Act::Send(interim.as_bytes().to_vec()), Act::ReadBody, Act::Send(OK.as_bytes().to_vec())]
}

fn expecting(case: Case) -> Case {
    case.send("POST / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\nx-a: b\r\ncontent-length: 2\r\n\r\n")
        .read()
        .send("hi")
        .read()
}

#[test]
fn expectations() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let with_fields = "HTTP/1.1 100 Continue\r\nx-c: d\r\nconnection: close\r\nserver: e\r\n\r\n";
    let refusal = "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n";
    compare(vec![
        expecting(case("expect_answered_here").upstream(continuing(interim))),
        expecting(case("expect_proxied").hcm(PROXIED).upstream(continuing(interim))),
        expecting(case("expect_proxied_with_fields").hcm(PROXIED).upstream(continuing(with_fields))),
        case("expect_proxied_and_refused")
            .hcm(PROXIED)
            .upstream(vec![Act::Send(refusal.as_bytes().to_vec())])
            .send("POST / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            .read(),
    ]);
}

#[test]
fn interim_responses_that_nobody_asked_for() {
    let get = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
    let before_ok = |interim: &str| answer(&format!("{interim}{OK}"));
    let mut cases = Vec::new();
    for (plain, proxied, interim) in [
        ("interim_100", "interim_100_proxied", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("interim_102", "interim_102_proxied", "HTTP/1.1 102 Processing\r\nx-c: d\r\n\r\n"),
        ("interim_103", "interim_103_proxied", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        ("interim_104", "interim_104_proxied", "HTTP/1.1 104 Upload\r\nx-c: d\r\n\r\n"),
    ] {
        cases.push(case(plain).upstream(before_ok(interim)).ask(get));
        cases.push(case(proxied).hcm(PROXIED).upstream(before_ok(interim)).ask(get).read());
    }
    let two = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let other = "HTTP/1.1 199 Other\r\n\r\n";
    cases.push(case("two_interims").upstream(before_ok(two)).ask(get));
    cases.push(case("two_interims_proxied").hcm(PROXIED).upstream(before_ok(two)).ask(get).read());
    cases.push(case("other_interim_proxied").hcm(PROXIED).upstream(before_ok(other)).ask(get));
    let retried = "- match: { prefix: / }
  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx } }";
    let unwanted = "HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n";
    cases.push(
        case("no_retry_behind_an_interim")
            .hcm(PROXIED)
            .routes(retried)
            .upstream(answer(&format!("HTTP/1.1 100 Continue\r\n\r\n{unwanted}")))
            .ask(get)
            .read(),
    );
    compare(cases);
}

use super::*;

/// RFC 9112 §9.3; `proxy-connection` as Envoy has it.
#[test]
fn close_is_found_among_the_options() {
    for (line, keep_alive) in [
        ("Connection: close", false),
        ("Connection: keep-alive, Close", false),
        ("Connection: keep-alive\r\nConnection: close", false),
        ("Connection: x, y", true),
        ("Proxy-Connection: close", false),
    ] {
        assert_eq!(accepted(&with_line(line)).keep_alive, keep_alive, "{line}");
    }
}

/// RFC 9110 §10.1.1.
#[test]
fn an_expectation_of_100_is_taken_out() {
    let read = accepted(&post(&["Expect: 100-Continue", "Content-Length: 2"]));
    assert!(read.expect_continue);
    assert_eq!(read.headers[3..], pairs(&[("content-length", "2")]));
    let other = accepted(&with_line("Expect: x"));
    assert!(!other.expect_continue);
    assert_eq!(other.headers[3..], pairs(&[("expect", "x")]));
}

/// RFC 9110 §7.8.
#[test]
fn an_upgrade_needs_both_fields() {
    assert!(accepted(&with_line("Connection: Upgrade\r\nUpgrade: websocket")).upgrade);
    assert!(accepted(&with_line("Upgrade: websocket\r\nConnection: keep-alive, upgrade")).upgrade);
    assert!(!accepted(&with_line("Upgrade: websocket")).upgrade);
    assert!(!accepted(&with_line("Connection: upgrade")).upgrade);
    assert!(!accepted(&with_line("Connection: upgrade\r\nUpgrade:")).upgrade);
}

/// RFC 9110 §7.8: what follows is the other protocol's as soon as the server switches, and until
/// then nobody knows what it is.
#[test]
fn behind_an_upgrade_nothing_is_a_body() {
    for field in ["A: b", "Content-Length: 3", "Transfer-Encoding: chunked"] {
        let lines = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{field}");
        assert_eq!(accepted(&with_line(&lines)).body, BodyLength::UntilClose, "{field}");
    }
}

/// RFC 9113 §3.1 has no such upgrade any more; Envoy answers in HTTP/1.1 and forwards nothing of it.
#[test]
fn an_upgrade_to_h2c_is_passed_over() {
    let read = accepted(&with_line("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA"));
    assert!(!read.upgrade);
    assert_eq!(read.headers[3..], pairs(&[("connection", "Upgrade")]));
}

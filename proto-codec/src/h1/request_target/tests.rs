use super::*;

fn parse<'a>(method: &str, target: &'a str) -> Result<RequestTarget<'a>, RequestError> {
    RequestTarget::parse(method, target, true)
}

fn parts<'a>(method: &str, target: &'a str) -> (Option<&'a str>, Option<&'a str>) {
    let parsed = parse(method, target).expect("the target is well-formed");
    let text = |bytes| std::str::from_utf8(bytes).expect("targets are ASCII");
    (parsed.authority.map(text), parsed.path.map(text))
}

/// RFC 9112 §3.2.1.
#[test]
fn origin_form_is_a_path() {
    for path in ["/", "/a?b", "//x", "/\"<>[]{}|^`\\", "/%zz"] {
        assert_eq!(parts("GET", path), (None, Some(path)));
    }
}

/// RFC 9112 §3.2.2.
#[test]
fn absolute_form_is_taken_apart() {
    assert_eq!(parts("GET", "http://x.com/p"), (Some("x.com"), Some("/p")));
    assert_eq!(parts("GET", "HTTP://H:80"), (Some("H:80"), Some("/")));
    assert_eq!(parts("GET", "https://[::1]:1/?a"), (Some("[::1]:1"), Some("/?a")));
    // As in Envoy: not a path that any route takes.
    assert_eq!(parts("GET", "http://h?q=1"), (Some("h"), Some("?q=1")));
}

#[test]
fn absolute_form_stays_whole_where_it_is_not_allowed() {
    let target = RequestTarget::parse("GET", "http://h/p", false);
    assert_eq!(target, Ok(RequestTarget::path(b"http://h/p")));
}

/// RFC 9112 §3.2.3.
#[test]
fn authority_form_is_for_connect_and_has_a_port() {
    assert_eq!(parts("CONNECT", "h:443"), (Some("h:443"), None));
    for target in ["h", "/", "http://h/", "h:", "h:x", "u@h:1", "*"] {
        assert_eq!(parse("CONNECT", target), Err(RequestError::InvalidTarget), "{target}");
    }
}

/// RFC 9112 §3.2.4.
#[test]
fn asterisk_form_is_for_options() {
    assert_eq!(parts("OPTIONS", "*"), (None, Some("*")));
    assert_eq!(parse("GET", "*"), Err(RequestError::InvalidTarget));
}

#[test]
fn other_targets_are_refused_in_the_terms_of_envoy() {
    assert_eq!(parse("GET", "foo"), Err(RequestError::Malformed));
    assert_eq!(parse("GET", "/\u{e9}"), Err(RequestError::Malformed));
    assert_eq!(parse("GET", "ftp://h/"), Err(RequestError::InvalidScheme));
    assert_eq!(parse("GET", "ws://h/"), Err(RequestError::InvalidScheme));
    for target in ["http:///p", "http://", "http://h:x/", "http://u@h/", "http://#f"] {
        assert_eq!(parse("GET", target), Err(RequestError::InvalidTarget), "{target}");
    }
}

/// RFC 9110 §7.2, RFC 3986 §3.2.2.
#[test]
fn an_authority_is_a_host_and_maybe_a_port() {
    for good in ["h", "H.Example", "h_x", "h:0", "h:65535", "127.0.0.1:80", "[::1]", "[::1]:80"] {
        assert!(is_authority(good.as_bytes()), "{good}");
    }
    for bad in [
        "", ":80", "h:", "h:x", "h:65536", "h:000080", "h:+1", "h:1:2", "a b", "a@b", "a/b", "a,b",
        "a?b", "a#b", "a\\b", "a%41", "[::1", "[]", "[::1]x", "[::1]:", "[g]", "::1", "h\u{e9}",
        "h\0",
    ] {
        assert!(!is_authority(bad.as_bytes()), "{bad}");
    }
}

/// RFC 9112 §3.2.2: the target wins, but what a neighbour takes for the host must be the same.
#[test]
fn host_agrees_up_to_case_and_default_port() {
    for (target, host, agrees) in [
        ("/p", "anything", true),
        ("http://h/p", "H", true),
        ("http://h:80/p", "h", true),
        ("http://h/p", "h:80", true),
        ("https://h/p", "h:443", true),
        ("http://h/p", "h:443", false),
        ("http://h:8080/p", "h", false),
        ("http://h/p", "h.x", false),
        ("http://h80/p", "h", false),
    ] {
        let parsed = parse("GET", target).expect("the target is well-formed");
        assert_eq!(parsed.agrees_with(host.as_bytes()), agrees, "{target} {host}");
    }
    let connect = parse("CONNECT", "h:8443").expect("the target is well-formed");
    assert!(connect.agrees_with(b"h") && connect.agrees_with(b"h:8443"));
    assert!(!connect.agrees_with(b"h:443"));
}

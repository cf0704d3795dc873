use super::*;

type Outcome = Result<Option<Read>, RequestError>;

/// What a head was read as.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    consumed: usize,
    headers: Vec<(String, String)>,
    version: Version,
    body: BodyLength,
    keep_alive: bool,
    expect_continue: bool,
    upgrade: bool,
}

fn snapshot(head: &RequestHead, consumed: usize) -> Read {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Read {
        consumed,
        headers: head.headers.iter().map(|h| (text(h.name), text(h.value))).collect(),
        version: head.version,
        body: head.body,
        keep_alive: head.keep_alive,
        expect_continue: head.expect_continue,
        upgrade: head.upgrade,
    }
}

/// Offers `bytes` up to each of `ends` in turn.
fn parse_by(bytes: &[u8], ends: impl Iterator<Item = usize>, options: &RequestOptions) -> Outcome {
    let mut head = RequestHead::default();
    let mut progress = HeadProgress::default();
    for end in ends {
        if let Some(consumed) = head.parse(&bytes[..end], &mut progress, options)? {
            return Ok(Some(snapshot(&head, consumed)));
        }
    }
    Ok(None)
}

/// Reads `bytes` whole, in two pieces split at every byte, and byte by byte: all the same.
fn parse_with(bytes: &[u8], options: &RequestOptions) -> Outcome {
    let whole = parse_by(bytes, [bytes.len()].into_iter(), options);
    for at in 0..bytes.len() {
        let split = parse_by(bytes, [at, bytes.len()].into_iter(), options);
        assert_eq!(split, whole, "split at {at}: {}", bytes.escape_ascii());
    }
    let trickled = parse_by(bytes, 0..=bytes.len(), options);
    assert_eq!(trickled, whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

fn parse(bytes: &[u8]) -> Outcome {
    parse_with(bytes, &RequestOptions::default())
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Read {
    match parse(bytes) {
        Ok(Some(read)) => read,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

#[track_caller]
fn refused(bytes: &[u8], error: RequestError) {
    assert_eq!(parse(bytes), Err(error), "{}", bytes.escape_ascii());
}

/// A GET with this line of its own.
fn with_line(line: &str) -> Vec<u8> {
    ["GET / HTTP/1.1\r\nHost: h\r\n", line, "\r\n\r\n"].concat().into_bytes()
}

/// A POST with these lines of its own.
fn post(lines: &[&str]) -> Vec<u8> {
    ["POST / HTTP/1.1\r\nHost: h\r\n", &lines.join("\r\n"), "\r\n\r\n"].concat().into_bytes()
}

fn request_line(line: &str) -> Vec<u8> {
    [line, "\r\nHost: h\r\n\r\n"].concat().into_bytes()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_request_is_read_into_pseudo_headers_and_fields_in_order() {
    let bytes = b"POST /p?q HTTP/1.1\r\nX-A: 1\r\nHOST: h:1\r\nAccept:*/*\r\nX-A:\t two \r\nContent-Length: 3\r\n\r\nabc";
    let read = accepted(bytes);
    assert_eq!(
        read.headers,
        pairs(&[
            (":method", "POST"),
            (":path", "/p?q"),
            (":authority", "h:1"),
            ("x-a", "1"),
            ("accept", "*/*"),
            ("x-a", "two"),
            ("content-length", "3"),
        ])
    );
    assert_eq!(read.consumed, bytes.len() - 3);
    assert_eq!((read.version, read.body), (Version::Http11, BodyLength::Length(3)));
    assert!(read.keep_alive && !read.expect_continue && !read.upgrade);
}

#[test]
fn a_head_is_reused_without_remembering() {
    let mut head = RequestHead::default();
    let bytes = post(&[
        "Expect: 100-continue",
        "Connection: close, upgrade",
        "Upgrade: w",
        "Content-Length: 1",
    ]);
    let options = RequestOptions::default();
    let parsed = head.parse(&bytes, &mut HeadProgress::default(), &options);
    assert_eq!(parsed, Ok(Some(bytes.len())));
    let plain = request_line("GET / HTTP/1.1");
    let parsed = head.parse(&plain, &mut HeadProgress::default(), &options);
    assert_eq!(parsed, Ok(Some(plain.len())));
    assert_eq!(snapshot(&head, plain.len()), accepted(&plain));
    head.clear();
    assert!(head.headers.is_empty() && !head.keep_alive);
}

mod start_line {
    use super::*;

    /// RFC 9112 §3: single spaces, as the grammar has them, though §3 lets a recipient be lenient.
    #[test]
    fn other_white_space_is_refused() {
        for line in [
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "GET /\tHTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET / HTTP/1.1\t",
            "GET /",
        ] {
            refused(&request_line(line), RequestError::Malformed);
        }
    }

    /// RFC 9112 §2.2.
    #[test]
    fn one_empty_line_may_come_before() {
        let plain = request_line("GET / HTTP/1.1");
        let read = accepted(&[b"\r\n", &plain[..]].concat());
        assert_eq!(read.consumed, plain.len() + 2);
        assert_eq!(read.headers, accepted(&plain).headers);
        refused(&[b"\r\n\r\n", &plain[..]].concat(), RequestError::Malformed);
        refused(&[b"\n", &plain[..]].concat(), RequestError::Malformed);
        refused(&[b"\r", &plain[..]].concat(), RequestError::Malformed);
    }

    /// RFC 9112 §2.3.
    #[test]
    fn another_version_is_refused_as_envoy_does() {
        for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.1"] {
            refused(&request_line(&["GET / ", version].concat()), RequestError::UnsupportedVersion);
        }
        for version in
            ["http/1.1", "HTTP/1.10", "HTTP/1", "HTTP/11", "HTTP/1.x", "HTTPS/1.1", "XTTP/1.1"]
        {
            refused(&request_line(&["GET / ", version].concat()), RequestError::Malformed);
        }
    }

    #[test]
    fn the_preface_of_http_2_is_no_request() {
        refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RequestError::UnknownMethod);
    }

    /// RFC 9112 §3.1: a method is a token. Which ones, Envoy says.
    #[test]
    fn methods_are_those_of_envoy() {
        for method in ["PATCH", "PURGE", "MSEARCH", "UNSUBSCRIBE", "TRACE"] {
            let read = accepted(&request_line(&[method, " / HTTP/1.1"].concat()));
            assert_eq!(read.headers[0].1, method);
        }
        for method in ["get", "FOO", "GETX", "POS", "M-SEARCH", "QUERY", "VERSIONCONTROLLED"] {
            refused(&request_line(&[method, " / HTTP/1.1"].concat()), RequestError::UnknownMethod);
        }
        refused(b"/ HTTP/1.1\r\nHost: h\r\n\r\n", RequestError::UnknownMethod);
    }

    #[test]
    fn what_is_no_http_is_refused_at_once() {
        refused(b"\x16\x03\x01\x02\x00\x01\x00", RequestError::Malformed);
        refused(b"garbage", RequestError::UnknownMethod);
        refused(b"G@T", RequestError::UnknownMethod);
        refused(b" ", RequestError::Malformed);
        refused(b"AAAAAAAAAAAAAAAAA", RequestError::UnknownMethod);
        assert_eq!(parse(b"GARBAGE"), Ok(None));
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\r"), Ok(None));
    }

    /// RFC 9112 §3.2, §2.2.
    #[test]
    fn controls_and_non_ascii_in_a_target_are_refused() {
        for byte in ["\0", "\u{1}", "\u{b}", "\u{7f}"] {
            let line = ["GET /", byte, " HTTP/1.1"].concat();
            refused(&request_line(&line), RequestError::InvalidCharacters);
        }
        refused(&request_line("GET /\u{e9} HTTP/1.1"), RequestError::Malformed);
        refused(b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n", RequestError::Malformed);
    }
}

mod target_and_host {
    use super::*;

    /// RFC 9112 §3.2.2: the target's authority replaces `host`.
    #[test]
    fn absolute_form_gives_authority_and_path() {
        let read = accepted(&request_line("GET http://H:80/p HTTP/1.1"));
        assert_eq!(read.headers[1..], pairs(&[(":path", "/p"), (":authority", "H:80")]));
    }

    #[test]
    fn absolute_form_may_be_switched_off() {
        let options = RequestOptions { allow_absolute_url: false, ..Default::default() };
        let read = parse_with(&request_line("GET http://x/p HTTP/1.1"), &options);
        let read = read.expect("well-formed").expect("complete");
        assert_eq!(read.headers[1..], pairs(&[(":path", "http://x/p"), (":authority", "h")]));
    }

    /// RFC 9112 §3.2.3.
    #[test]
    fn connect_has_an_authority_and_no_path() {
        let read = accepted(&request_line("CONNECT h:80 HTTP/1.1"));
        assert_eq!(read.headers, pairs(&[(":method", "CONNECT"), (":authority", "h:80")]));
        assert_eq!(read.body, BodyLength::UntilClose);
        refused(&request_line("CONNECT / HTTP/1.1"), RequestError::InvalidTarget);
    }

    /// RFC 9110 §9.3.6: CONNECT content has no meaning; what follows is the tunnel's.
    #[test]
    fn connect_with_a_body_is_refused() {
        let connect =
            |line: &str| ["CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n", line, "\r\n\r\n"].concat();
        refused(connect("Content-Length: 5").as_bytes(), RequestError::BodyDisallowed);
        let chunked = RequestError::Framing(FramingError::UnsupportedTransferEncoding);
        refused(connect("Transfer-Encoding: chunked").as_bytes(), chunked);
        assert_eq!(accepted(connect("Content-Length: 0").as_bytes()).body, BodyLength::UntilClose);
    }

    /// RFC 9112 §3.2.4.
    #[test]
    fn asterisk_is_for_options() {
        assert_eq!(accepted(&request_line("OPTIONS * HTTP/1.1")).headers[1].1, "*");
        refused(&request_line("GET * HTTP/1.1"), RequestError::InvalidTarget);
    }

    /// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
    /// request message that lacks a Host header field and to any request message that contains more
    /// than one Host header field line or a Host header field with an invalid field value."
    #[test]
    fn host_is_there_once_and_well_formed() {
        refused(b"GET / HTTP/1.1\r\n\r\n", RequestError::MissingHost);
        refused(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", RequestError::MissingHost);
        refused(b"GET / HTTP/1.1\r\nHost:  \t\r\n\r\n", RequestError::MissingHost);
        refused(b"GET http://h/ HTTP/1.1\r\n\r\n", RequestError::MissingHost);
        for second in ["h", "x", ""] {
            let line = ["hOST: ", second].concat();
            refused(&with_line(&line), RequestError::DuplicateHost);
        }
        for host in ["a b", "a@b", "a,b", "a/b", "h:", "h:x", "[::1", "\u{e9}"] {
            let bytes = ["GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"].concat();
            refused(bytes.as_bytes(), RequestError::InvalidHost);
        }
        refused(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", RequestError::Malformed);
        refused(b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", RequestError::Malformed);
    }

    #[test]
    fn host_and_target_that_disagree_are_refused() {
        refused(&request_line("GET http://x/ HTTP/1.1"), RequestError::HostMismatch);
        refused(&request_line("CONNECT x:80 HTTP/1.1"), RequestError::HostMismatch);
    }

    /// RFC 9112 §3.2: a target has no fragment; two parsers cut it off at different places.
    #[test]
    fn a_fragment_is_refused_once_the_head_is_known() {
        for target in ["/a#b", "#", "/#", "http://h/#a"] {
            let bytes = request_line(&["GET ", target, " HTTP/1.1"].concat());
            let expected = match target {
                "#" => RequestError::Malformed,
                _ => RequestError::FragmentInTarget,
            };
            refused(&bytes, expected);
        }
        let mut head = RequestHead::default();
        let bytes = request_line("GET /a#b HTTP/1.1");
        let parsed = head.parse(&bytes, &mut HeadProgress::default(), &RequestOptions::default());
        assert_eq!(parsed, Err(RequestError::FragmentInTarget));
        assert_eq!(head.headers.get(KnownHeader::Path), Some(&b"/a#b"[..]));
        assert_eq!(head.headers.get(KnownHeader::Authority), Some(&b"h"[..]));
    }
}

mod fields {
    use super::*;

    /// RFC 9112 §5, §5.1: "A server MUST reject ... any received request message that contains
    /// whitespace between a header field name and colon".
    #[test]
    fn a_line_that_is_no_field_is_refused() {
        for line in [
            "A : b",
            "A\t: b",
            ": x",
            "A",
            "A b: c",
            "A(b: c",
            "\"A\": b",
            "\u{e9}: b",
            ":path: /x",
        ] {
            refused(&with_line(line), RequestError::Malformed);
        }
    }

    /// RFC 9112 §5.2.
    #[test]
    fn a_folded_line_is_refused() {
        refused(&with_line("A: b\r\n c"), RequestError::Malformed);
        refused(&with_line("A: b\r\n\tc"), RequestError::Malformed);
        refused(&with_line("A: b\r\n "), RequestError::Malformed);
        refused(&with_line(" A: b"), RequestError::Malformed);
    }

    /// RFC 9112 §2.2: a recipient MAY take a bare LF for a line end; this one does not.
    #[test]
    fn a_bare_line_feed_is_refused() {
        refused(b"GET / HTTP/1.1\nHost: h\n\n", RequestError::Malformed);
        refused(b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", RequestError::Malformed);
        refused(b"GET / HTTP/1.1\r\nHost: h\r\n\n", RequestError::Malformed);
        refused(b"GET / HTTP/1.1\nHost: h\r\n\r\n", RequestError::Malformed);
    }

    /// RFC 9112 §2.2: "A recipient of such a bare CR MUST consider that element to be invalid".
    #[test]
    fn a_bare_carriage_return_is_refused() {
        refused(&with_line("A: b\rc"), RequestError::Malformed);
        refused(&with_line("A: b\r"), RequestError::Malformed);
        refused(&with_line("A\r: b"), RequestError::Malformed);
        refused(b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", RequestError::Malformed);
        refused(b"GET / HTTP/1.1\r\nHost: h\r\n\r\r\n\r\n", RequestError::Malformed);
    }

    /// RFC 9110 §5.5.
    #[test]
    fn control_characters_are_refused() {
        for byte in ["\0", "\u{1}", "\u{8}", "\u{b}", "\u{1f}", "\u{7f}"] {
            refused(&with_line(&["A: b", byte, "c"].concat()), RequestError::InvalidCharacters);
            refused(&with_line(&["A", byte, ": b"].concat()), RequestError::InvalidCharacters);
        }
    }

    /// RFC 9110 §5.5: field values may hold HTAB and obs-text.
    #[test]
    fn tabs_and_obs_text_in_values_pass() {
        let read = accepted(b"GET / HTTP/1.1\r\nHost: h\r\nA: b\tc\xe9\r\nB:\r\n\r\n");
        assert_eq!(read.headers[3..], pairs(&[("a", "b\\tc\\xe9"), ("b", "")]));
    }

    /// Envoy: `headers_with_underscores_action`.
    #[test]
    fn underscores_are_allowed_refused_or_dropped() {
        let bytes = with_line("A_b: 1\r\nC: 2");
        let with = |headers_with_underscores| {
            parse_with(&bytes, &RequestOptions { headers_with_underscores, ..Default::default() })
        };
        let fields_of =
            |outcome: Outcome| outcome.expect("allowed").expect("complete").headers.split_off(3);
        assert_eq!(fields_of(with(UnderscoreAction::Allow)), pairs(&[("a_b", "1"), ("c", "2")]));
        assert_eq!(fields_of(with(UnderscoreAction::Drop)), pairs(&[("c", "2")]));
        assert_eq!(with(UnderscoreAction::Reject), Err(RequestError::UnexpectedUnderscore));
    }
}

mod framing {
    use super::*;

    #[track_caller]
    fn refused_framing(lines: &[&str], error: FramingError) {
        refused(&post(lines), RequestError::Framing(error));
    }

    /// RFC 9112 §6.3 items 3 to 7.
    #[test]
    fn the_body_ends_where_the_fields_say() {
        assert_eq!(accepted(&request_line("POST / HTTP/1.1")).body, BodyLength::None);
        assert_eq!(accepted(&post(&["Content-Length: 0"])).body, BodyLength::Length(0));
        assert_eq!(accepted(&post(&["content-length:\t12 "])).body, BodyLength::Length(12));
        assert_eq!(accepted(&post(&["Transfer-Encoding: Chunked"])).body, BodyLength::Chunked);
        let head = accepted(b"HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
        assert_eq!(head.body, BodyLength::Length(3));
    }

    /// RFC 9112 §6.3 items 4 and 5.
    #[test]
    fn lengths_in_doubt_are_refused() {
        for value in ["", "+5", "-5", "0x5", "5_0", "5, 5", "5 5", "05", "18446744073709551616"] {
            refused_framing(
                &[&["Content-Length: ", value].concat()],
                FramingError::InvalidContentLength,
            );
        }
        let twice = FramingError::DuplicateContentLength;
        refused_framing(&["Content-Length: 5", "Content-Length: 5"], twice);
        refused_framing(&["Content-Length: 5", "A: b", "content-length: 6"], twice);
    }

    /// RFC 9112 §6.1, §6.3 items 3 and 4.
    #[test]
    fn codings_in_doubt_are_refused() {
        let unsupported = FramingError::UnsupportedTransferEncoding;
        for value in [
            "",
            "identity",
            "gzip",
            "gzip, chunked",
            "chunked, chunked",
            "chunked, identity",
            "chunked,",
            "xchunked",
            "\"chunked\"",
            "chunked;q=1",
            "chunked chunked",
        ] {
            refused_framing(&[&["Transfer-Encoding: ", value].concat()], unsupported);
        }
        refused_framing(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], unsupported);
        refused_framing(
            &["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
            unsupported,
        );
        refused(&post(&["Transfer-Encoding: \u{b}chunked"]), RequestError::InvalidCharacters);
        let both = FramingError::TransferEncodingWithContentLength;
        refused_framing(&["Content-Length: 5", "Transfer-Encoding: chunked"], both);
        refused_framing(&["Transfer-Encoding: chunked", "Content-Length: 5"], both);
        // A name that is not quite it is another field (RFC 9110 §5.1), the proxy's to pass on.
        assert_eq!(accepted(&post(&["Transfer_Encoding: chunked"])).body, BodyLength::None);
    }
}

mod connection {
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
        assert!(
            accepted(&with_line("Upgrade: websocket\r\nConnection: keep-alive, upgrade")).upgrade
        );
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
        let read =
            accepted(&with_line("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA"));
        assert!(!read.upgrade);
        assert_eq!(read.headers[3..], pairs(&[("connection", "Upgrade")]));
    }
}

mod http_10 {
    use super::*;

    fn options(default_host: Option<&str>) -> RequestOptions {
        RequestOptions {
            accept_http_10: true,
            default_host_for_http_10: default_host.map(str::to_owned),
            ..Default::default()
        }
    }

    fn read(bytes: &[u8], default_host: Option<&str>) -> Read {
        let read = parse_with(bytes, &options(default_host));
        read.expect("well-formed").expect("complete")
    }

    /// Envoy: `accept_http_10`, `default_host_for_http_10`.
    #[test]
    fn is_taken_where_accepted_with_a_default_host() {
        let head = read(b"GET / HTTP/1.0\r\n\r\n", Some("d"));
        assert_eq!(head.headers[2..], pairs(&[(":authority", "d")]));
        assert_eq!((head.version, head.keep_alive), (Version::Http10, false));
        let head = read(b"GET / HTTP/1.0\r\nHost: q\r\nConnection: Keep-Alive\r\n\r\n", Some("d"));
        assert_eq!(head.headers[2].1, "q");
        assert!(head.keep_alive);
        let head = read(b"GET http://z/p HTTP/1.0\r\n\r\n", None);
        assert_eq!(head.headers[2].1, "z");
        let bare = parse_with(b"GET / HTTP/1.0\r\n\r\n", &options(None));
        assert_eq!(bare, Err(RequestError::MissingHost));
        let newer = parse_with(b"GET / HTTP/1.1\r\n\r\n", &options(Some("d")));
        assert_eq!(newer, Err(RequestError::MissingHost));
    }

    /// RFC 9112 §6.1.
    #[test]
    fn has_no_transfer_coding() {
        let bytes = b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let error = RequestError::Framing(FramingError::TransferEncodingInHttp10);
        assert_eq!(parse_with(bytes, &options(None)), Err(error));
    }

    /// RFC 9110 §10.1.1: "A server that receives a 100-continue expectation in an HTTP/1.0 request
    /// MUST ignore that expectation."
    #[test]
    fn expects_nothing() {
        let head = read(b"POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", None);
        assert!(!head.expect_continue);
        assert_eq!(head.headers.len(), 3);
    }
}

mod limits {
    use super::*;

    fn with_limits(bytes_max: u32, headers_max: u32) -> RequestOptions {
        RequestOptions { limits: HeadLimits { bytes_max, headers_max }, ..Default::default() }
    }

    /// Envoy: `max_request_headers_kb` counts the head as received.
    #[test]
    fn a_head_may_be_as_large_as_allowed() {
        let bytes = with_line("A: bcdef");
        let len = bytes.len() as u32;
        assert!(matches!(parse_with(&bytes, &with_limits(len, 100)), Ok(Some(_))));
        let above = parse_with(&bytes, &with_limits(len - 1, 100));
        assert_eq!(above, Err(RequestError::HeadTooLarge));
        let unfinished = parse_with(b"GET /aaaaaaaaaaaaaaaaaaaaaaa", &with_limits(20, 100));
        assert_eq!(unfinished, Err(RequestError::HeadTooLarge));
        let empty_line_before = [b"\r\n", &bytes[..]].concat();
        assert!(matches!(parse_with(&empty_line_before, &with_limits(len, 100)), Ok(Some(_))));
    }

    /// Envoy: `max_headers_count` counts `host` too.
    #[test]
    fn a_head_may_have_as_many_fields_as_allowed() {
        let bytes = with_line("A: 1\r\nB: 2");
        assert!(matches!(parse_with(&bytes, &with_limits(1000, 3)), Ok(Some(_))));
        let above = parse_with(&bytes, &with_limits(1000, 2));
        assert_eq!(above, Err(RequestError::TooManyHeaders));
    }

    #[test]
    fn more_fields_than_fit_on_the_stack_are_taken_where_allowed() {
        let lines = vec!["A: b"; FIELDS_ON_STACK * 3].join("\r\n");
        let bytes = with_line(&lines);
        let options = with_limits(60_000, 1000);
        let read = parse_by(&bytes, [bytes.len()].into_iter(), &options);
        let read = read.expect("within the bounds").expect("complete");
        assert_eq!(read.headers.len(), 3 + FIELDS_ON_STACK * 3);
    }
}

/// As seen on Envoy 1.40.
#[test]
fn errors_are_answered_as_envoy_does() {
    use RequestError as E;
    for (error, status, body, details) in [
        (E::Malformed, 400, "Bad Request", "http1.codec_error"),
        (E::UnknownMethod, 400, "Bad Request", "http1.codec_error"),
        (E::InvalidCharacters, 400, "Bad Request", "http1.invalid_characters"),
        (E::InvalidTarget, 400, "Bad Request", "http1.invalid_url"),
        (E::InvalidScheme, 400, "Bad Request", "http1.invalid_scheme"),
        (E::InvalidHost, 400, "Bad Request", "http.invalid_authority"),
        (E::BodyDisallowed, 400, "Bad Request", "http1.body_disallowed"),
        (E::UnexpectedUnderscore, 400, "Bad Request", "http1.unexpected_underscore"),
        (E::UnsupportedVersion, 426, "Upgrade Required", "low_version"),
        (E::HeadTooLarge, 431, "Request Header Fields Too Large", "http1.headers_too_large"),
        (E::TooManyHeaders, 431, "Request Header Fields Too Large", "http1.too_many_headers"),
        (E::Framing(FramingError::DuplicateContentLength), 400, "Bad Request", "http1.codec_error"),
        (
            E::Framing(FramingError::TransferEncodingWithContentLength),
            400,
            "Bad Request",
            "http1.content_length_and_chunked_not_allowed",
        ),
        (
            E::Framing(FramingError::UnsupportedTransferEncoding),
            501,
            "Not Implemented",
            "http1.invalid_transfer_encoding",
        ),
    ] {
        assert_eq!((error.status(), error.body(), error.details()), (status, body, details));
        assert!(error.is_codec_error());
    }
    for (error, details) in [
        (E::MissingHost, "missing_host_header"),
        (E::FragmentInTarget, "path_normalization_failed"),
    ] {
        assert_eq!((error.status(), error.body(), error.details()), (400, "", details));
        assert!(!error.is_codec_error());
    }
}

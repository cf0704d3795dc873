//! What `referer` may say (RFC 9110 §10.1.3): a URL or a relative reference without fragment and without
//! the name of a user. Envoy takes any other away, as code behind it might trust what the browser would not
//! have sent.

/// Whether Envoy passes `referer` on.
pub fn is_valid(referer: &[u8]) -> bool {
    if !referer.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return false;
    }
    match memchr::memmem::find(referer, b"://") {
        Some(at) if is_scheme(&referer[..at]) => is_absolute(&referer[at + 3..]),
        _ => is_relative(referer),
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(is_part)
}

/// What follows the scheme: a host, perhaps a port, and the rest.
fn is_absolute(rest: &[u8]) -> bool {
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let authority = &rest[..end.unwrap_or(rest.len())];
    let (host, port) = match authority.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if authority[at] == b':' => (&authority[..at], Some(&authority[at + 1..])),
        _ => (authority, None),
    };
    let is_port = port.is_none_or(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    is_port && (is_host_name(host) || is_bracketed(host))
}

fn is_host_name(host: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    !host.is_empty() && host.iter().all(is_part)
}

fn is_bracketed(host: &[u8]) -> bool {
    let inner = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]"));
    inner.is_some_and(|inner| {
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
        !inner.is_empty() && inner.iter().all(is_part)
    })
}

/// The first segment of a relative reference has no colon (RFC 3986 §4.2).
fn is_relative(text: &[u8]) -> bool {
    let segment = text.split(|byte| *byte == b'/').next().unwrap_or_default();
    !segment.contains(&b':') && !text.iter().any(|byte| b"\"<>\\^`{|}".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_fragment_and_user_pass() {
        for referer in [
            "http://a.com",
            "https://a.com/x?y",
            "http://a.com:80/",
            "http://[::1]/",
            "http://[::1]:80/",
            "android-app://com.x/",
            "http://a.com?u@b",
            "http://a.com/1,http://a.com/2",
        ] {
            assert!(is_valid(referer.as_bytes()), "{referer}");
        }
        for referer in [
            "http://a.com/x#f",
            "http://u@a.com/",
            "http://",
            "http://a.com:/",
            "http://a_b.com",
            "http://a b.com/",
            "http://a.com/\u{ff}",
        ] {
            assert!(!is_valid(referer.as_bytes()), "{referer}");
        }
    }

    #[test]
    fn relative_references_without_fragment_pass() {
        for referer in ["", "/p", "p", "a.com/x", "//a.com/x", "?q", "/p:q"] {
            assert!(is_valid(referer.as_bytes()), "{referer}");
        }
        for referer in ["#f", "/p#f", "about:blank", "mailto:x@y.z", "http:/a.com"] {
            assert!(!is_valid(referer.as_bytes()), "{referer}");
        }
    }
}

//! Holding headers against matchers.

use ringmain_config::matcher::HeaderMatcher;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

/// A header matcher whose name is looked up already.
#[derive(Debug, Clone)]
pub struct CompiledHeaderMatcher {
    known: Option<KnownHeader>,
    matcher: HeaderMatcher,
}

impl CompiledHeaderMatcher {
    /// Compiles `matchers`, in order.
    pub fn list(matchers: &[HeaderMatcher]) -> Box<[Self]> {
        matchers.iter().cloned().map(Self::new).collect()
    }

    /// Compiles `matcher`.
    pub fn new(matcher: HeaderMatcher) -> Self {
        Self { known: KnownHeader::from_bytes(matcher.name.as_bytes()), matcher }
    }

    /// As written.
    pub fn config(&self) -> &HeaderMatcher {
        &self.matcher
    }

    /// Whether `headers` are as the matcher wants them.
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        match self.known {
            Some(known) => self.matcher.matches(headers.get_all(known)),
            None => self.matcher.matches(headers.get_all_by_name(self.matcher.name.as_bytes())),
        }
    }
}

/// Whether `headers` are as all of `matchers` want them.
pub fn all_match(matchers: &[CompiledHeaderMatcher], headers: &HeaderMap) -> bool {
    matchers.iter().all(|matcher| matcher.matches(headers))
}

/// The value of the first cookie of that name (RFC 6265 §5.4), without the quotes around it.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &[u8]) -> Option<&'h [u8]> {
    headers
        .get_all(KnownHeader::Cookie)
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let at = memchr::memchr(b'=', pair)?;
            let start = pair[..at].iter().position(|byte| *byte != b' ').unwrap_or(at);
            (&pair[start..at] == name).then(|| unquoted(&pair[at + 1..]))
        })
        .next()
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// The value of the first parameter of that name in the query of `target`; nothing is decoded. One
/// without `=` has an empty value.
pub fn query_parameter<'t>(target: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let query = &target[memchr::memchr(b'?', target)? + 1..];
    query
        .split(|byte| *byte == b'&')
        .map(|pair| match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        })
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Whether a message is one of gRPC by its `content-type`: `application/grpc`, or that with a `+` behind it.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(KnownHeader::ContentType)
        .and_then(|value| value.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        let headers = headers(&[("cookie", "a=1; b=\"2\";c=x=y"), ("cookie", "a=3; d")]);
        assert_eq!(cookie(&headers, b"a"), Some(&b"1"[..]));
        assert_eq!(cookie(&headers, b"b"), Some(&b"2"[..]));
        assert_eq!(cookie(&headers, b"c"), Some(&b"x=y"[..]));
        assert_eq!(cookie(&headers, b"d"), None);
        assert_eq!(cookie(&headers, b"A"), None);
    }

    #[test]
    fn quotes_come_in_pairs() {
        assert_eq!(unquoted(b"\"\""), b"");
        assert_eq!(unquoted(b"\""), b"\"");
        assert_eq!(unquoted(b"\"a"), b"\"a");
    }

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        let target = b"/p?a=1&b&&a=2&c=x=y";
        assert_eq!(query_parameter(target, b"a"), Some(&b"1"[..]));
        assert_eq!(query_parameter(target, b"b"), Some(&b""[..]));
        assert_eq!(query_parameter(target, b"c"), Some(&b"x=y"[..]));
        assert_eq!(query_parameter(target, b"d"), None);
        assert_eq!(query_parameter(b"/p", b"a"), None);
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let is = |value| is_grpc(&headers(&[("content-type", value)]));
        assert!(is("application/grpc") && is("application/grpc+proto"));
        assert!(!is("application/grpc-web") && !is("application/json"));
    }
}

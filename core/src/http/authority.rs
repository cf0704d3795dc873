//! The authority that a request names: stripping what `strip_any_host_port`,
//! `strip_matching_host_port` and `strip_trailing_host_dot` ask for.

use ringmain_config::http_connection_manager::{HttpConnectionManager, StripHostPort};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

/// Gives the request the authority that `config` asks for. `local_port` is the listener's; `scratch`
/// is room to build it in.
pub fn normalize_authority(
    config: &HttpConnectionManager,
    headers: &mut HeaderMap,
    local_port: u16,
    scratch: &mut Vec<u8>,
) {
    if config.strip_trailing_host_dot {
        let authority = headers.get(KnownHeader::Authority).unwrap_or_default();
        if let Some(dot) = trailing_dot(authority) {
            scratch.clear();
            scratch.extend_from_slice(&authority[..dot]);
            scratch.extend_from_slice(&authority[dot + 1..]);
            headers.set(KnownHeader::Authority, scratch);
        }
    }
    let port = match config.strip_host_port {
        StripHostPort::No => return,
        StripHostPort::Matching => Some(local_port),
        StripHostPort::Any => None,
    };
    let authority = headers.get(KnownHeader::Authority).unwrap_or_default();
    if let Some(host) = without_numeric_port(authority, port) {
        scratch.clear();
        scratch.extend_from_slice(host);
        headers.set(KnownHeader::Authority, scratch);
    }
}

/// `authority` without the port that it may name.
pub fn without_port(authority: &[u8]) -> &[u8] {
    port_start(authority).map_or(authority, |colon| &authority[..colon])
}

/// Puts `suffix` behind the name in `authority`, before the port that it may have.
pub fn with_suffix(authority: &[u8], suffix: &[u8]) -> SmallVec<[u8; 128]> {
    let (host, port) = authority.split_at(without_port(authority).len());
    [host, suffix, port].into_iter().flatten().copied().collect()
}

/// Where the colon before the port is. Colons within the brackets of an IPv6 address are no such.
fn port_start(authority: &[u8]) -> Option<usize> {
    let colon = memchr::memrchr(b':', authority)?;
    let bracket = memchr::memrchr(b']', authority);
    bracket.is_none_or(|bracket| bracket < colon).then_some(colon)
}

/// `authority` without its port, if that is a number, and `port` where that is given.
fn without_numeric_port(authority: &[u8], port: Option<u16>) -> Option<&[u8]> {
    let colon = port_start(authority)?;
    let written: u32 = std::str::from_utf8(&authority[colon + 1..]).ok()?.parse().ok()?;
    port.is_none_or(|port| u32::from(port) == written).then_some(&authority[..colon])
}

/// Where the dot is that ends the host's name.
fn trailing_dot(authority: &[u8]) -> Option<usize> {
    let dot = memchr::memrchr(b'.', authority)?;
    matches!(authority.get(dot + 1), None | Some(b':')).then_some(dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_what_follows_the_last_colon_outside_of_brackets() {
        for (authority, host) in
            [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a:", "a")]
        {
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes());
        }
    }

    #[test]
    fn a_port_is_stripped_where_it_is_a_number_and_the_one_asked_for() {
        let any = |authority: &'static str| without_numeric_port(authority.as_bytes(), None);
        assert_eq!(any("a:80"), Some(&b"a"[..]));
        assert_eq!(any("a:"), None);
        assert_eq!(any("a:b"), None);
        assert_eq!(without_numeric_port(b"a:080", Some(80)), Some(&b"a"[..]));
        assert_eq!(without_numeric_port(b"a:81", Some(80)), None);
    }

    #[test]
    fn the_trailing_dot_stands_at_the_end_of_the_name() {
        assert_eq!(trailing_dot(b"a.b."), Some(3));
        assert_eq!(trailing_dot(b"a.b.:80"), Some(3));
        assert_eq!(trailing_dot(b"a.b:80"), None);
        assert_eq!(trailing_dot(b"a"), None);
    }
}

//! The request target and the authority (RFC 9112 §3.2, RFC 9110 §7.2): which form a target has, and
//! whether `host` and target name the same place.

use crate::RequestError;

/// A target taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestTarget<'a> {
    /// Path and query; `*` for OPTIONS; none for CONNECT.
    pub(super) path: Option<&'a [u8]>,
    /// The authority, where the target names one.
    pub(super) authority: Option<&'a [u8]>,
    /// The port that either side may leave out.
    default_port: &'a [u8],
}

impl<'a> RequestTarget<'a> {
    /// Takes `target` apart as `method` asks. An absolute form stays whole where `allow_absolute_url`
    /// is off: it is then a path that no route takes.
    pub(super) fn parse(
        method: &str,
        target: &'a str,
        allow_absolute_url: bool,
    ) -> Result<Self, RequestError> {
        let bytes = target.as_bytes();
        if !target.is_ascii() {
            return Err(RequestError::Malformed);
        }
        if method == "CONNECT" {
            return Self::authority_form(bytes);
        }
        match bytes {
            [b'/', ..] => Ok(Self::path(bytes)),
            b"*" if method == "OPTIONS" => Ok(Self::path(bytes)),
            b"*" => Err(RequestError::InvalidTarget),
            _ => {
                let absolute = Self::absolute_form(target)?;
                Ok(if allow_absolute_url { absolute } else { Self::path(bytes) })
            }
        }
    }

    /// Whether `host` is the authority that the target names, if it names one.
    pub(super) fn agrees_with(&self, host: &[u8]) -> bool {
        self.authority.is_none_or(|authority| {
            let port = self.default_port;
            without_port(host, port).eq_ignore_ascii_case(without_port(authority, port))
        })
    }

    fn path(path: &'a [u8]) -> Self {
        Self { path: Some(path), authority: None, default_port: b"" }
    }

    /// RFC 9112 §3.2.3: host and port, neither of which may be left out.
    fn authority_form(target: &'a [u8]) -> Result<Self, RequestError> {
        match split_authority(target) {
            Some((_, Some(port))) => {
                Ok(Self { path: None, authority: Some(target), default_port: port })
            }
            _ => Err(RequestError::InvalidTarget),
        }
    }

    /// RFC 9112 §3.2.2. An empty path is `/`.
    fn absolute_form(target: &'a str) -> Result<Self, RequestError> {
        let (scheme, rest) = target.split_once("://").ok_or(RequestError::Malformed)?;
        let default_port: &[u8] = if scheme.eq_ignore_ascii_case("http") {
            b"80"
        } else if scheme.eq_ignore_ascii_case("https") {
            b"443"
        } else {
            return Err(RequestError::InvalidScheme);
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.as_bytes().split_at(end);
        split_authority(authority).ok_or(RequestError::InvalidTarget)?;
        let path = if path.is_empty() { b"/" } else { path };
        Ok(Self { path: Some(path), authority: Some(authority), default_port })
    }
}

/// Whether `authority` is a `uri-host [":" port]`.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    split_authority(authority).is_some()
}

/// Host and port of an authority. Stricter than RFC 3986 §3.2.2 in what two parsers read
/// differently: no user information, no `%`, no `,` (a joined pair of hosts), no empty port.
fn split_authority(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let host_len = match authority.strip_prefix(b"[") {
        Some(literal) => ip_literal_len(literal)? + 1,
        None => authority.iter().take_while(|byte| is_host_byte(**byte)).count(),
    };
    let (host, rest) = authority.split_at(host_len);
    match rest {
        _ if host.is_empty() => None,
        [] => Some((host, None)),
        [b':', port @ ..] if is_port(port) => Some((host, Some(port))),
        _ => None,
    }
}

/// Length of an IPv6 address and its closing bracket.
fn ip_literal_len(literal: &[u8]) -> Option<usize> {
    let is_address_byte = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let len = literal.iter().take_while(|byte| is_address_byte(byte)).count();
    (len > 0 && literal.get(len) == Some(&b']')).then_some(len + 1)
}

/// `unreserved / sub-delims` without the comma.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=')
}

fn is_port(port: &[u8]) -> bool {
    let value = port.iter().fold(0u32, |value, byte| {
        value.saturating_mul(10).saturating_add(u32::from(byte.wrapping_sub(b'0')))
    });
    (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit) && value <= 65_535
}

fn without_port<'a>(authority: &'a [u8], port: &[u8]) -> &'a [u8] {
    authority.strip_suffix(port).and_then(|host| host.strip_suffix(b":")).unwrap_or(authority)
}

#[cfg(test)]
mod tests;

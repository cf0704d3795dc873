//! Version 1: one line, `PROXY TCP4 <source> <destination> <source port> <destination port>`
//! (specification §2.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Addresses, Progress, ProxyHeader, Version};

/// How the line begins.
pub const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line with its end: `UNKNOWN` with two addresses of IPv6. A longer one is none.
const LINE_BYTES_MAX: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Progress<'_>, ()> {
    let seen = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memmem::find(seen, b"\r\n") else {
        let is_too_long = seen.len() == LINE_BYTES_MAX;
        return Ok(if is_too_long { Progress::Absent } else { Progress::Incomplete });
    };
    // A begin of the signature without its end is no header.
    let line = seen[..end].strip_prefix(SIGNATURE).ok_or(())?;
    // Like Envoy, lenient where nothing is ambiguous: blanks at the end, `+80`.
    let line = std::str::from_utf8(line.trim_ascii_end()).map_err(|_| ())?;
    let addresses = match line.split_once(' ') {
        // What else the line says is not to be looked at.
        Some(("UNKNOWN", _)) => None,
        None if line == "UNKNOWN" => None,
        Some(("TCP4", rest)) => Some(addresses::<Ipv4Addr>(rest).ok_or(())?),
        Some(("TCP6", rest)) => Some(addresses::<Ipv6Addr>(rest).ok_or(())?),
        _ => return Err(()),
    };
    let (version, length) = (Version::V1, end + 2);
    Ok(Progress::Complete(ProxyHeader { version, length, addresses, tlvs: &[] }))
}

fn addresses<T: FromStr + Into<IpAddr>>(text: &str) -> Option<Addresses> {
    let mut words = text.split(' ');
    let ip = |word: &str| word.parse::<T>().ok().map(Into::into);
    let source = ip(words.next()?)?;
    let destination = ip(words.next()?)?;
    let source = SocketAddr::new(source, words.next()?.parse().ok()?);
    let destination = SocketAddr::new(destination, words.next()?.parse().ok()?);
    words.next().is_none().then_some(Addresses { source, destination })
}

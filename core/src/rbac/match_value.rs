//! The values that inputs of a matcher tree have for a subject: one, none, or what cannot be known.

use std::io::Write;
use std::net::IpAddr;

use ringmain_config::rbac::MatchInput;
use smallvec::SmallVec;

use super::Subject;
use crate::ip_text::ip_text;
use crate::transport_socket::tls::{Certificate, TlsInfo};

/// Where a value is written that stands nowhere as such.
pub type Scratch = SmallVec<[u8; 64]>;

/// Names in the client's certificate are asked for, and the connection has no TLS. Envoy then decides
/// nothing by the tree, not even by `on_no_match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

/// The value of `input`, as text.
pub fn value_of<'v>(
    input: &MatchInput,
    subject: &Subject<'v>,
    scratch: &'v mut Scratch,
) -> Result<Option<&'v [u8]>, Unavailable> {
    Ok(match input {
        MatchInput::DestinationIp => subject.local.map(|local| address(local.ip(), scratch)),
        MatchInput::SourceIp => subject.remote.map(|remote| address(remote.ip(), scratch)),
        MatchInput::DirectSourceIp => subject.direct_remote.map(|ip| address(ip, scratch)),
        MatchInput::DestinationPort => {
            subject.local.map(|local| written(scratch, |text| write!(text, "{}", local.port())))
        }
        MatchInput::SourcePort => {
            subject.remote.map(|remote| written(scratch, |text| write!(text, "{}", remote.port())))
        }
        MatchInput::ServerName => Some(subject.server_name).filter(|name| !name.is_empty()),
        MatchInput::UriSan => {
            peer(subject)?.and_then(|peer| joined(bytes(&peer.uri_sans), scratch))
        }
        MatchInput::DnsSan => {
            peer(subject)?.and_then(|peer| joined(bytes(&peer.dns_sans), scratch))
        }
        MatchInput::Subject => {
            let name = peer(subject)?.map(|peer| peer.subject.as_bytes());
            name.filter(|name| !name.is_empty())
        }
        MatchInput::RequestHeader(name) => {
            joined(subject.headers.get_all_by_name(name.as_bytes()), scratch)
        }
    })
}

/// The value of `input`, as an address; of a header that holds one too.
pub fn address_of(
    input: &MatchInput,
    subject: &Subject<'_>,
) -> Result<Option<IpAddr>, Unavailable> {
    Ok(match input {
        MatchInput::DestinationIp => subject.local.map(|local| local.ip()),
        MatchInput::SourceIp => subject.remote.map(|remote| remote.ip()),
        MatchInput::DirectSourceIp => subject.direct_remote,
        other => {
            let mut scratch = Scratch::new();
            let text = value_of(other, subject, &mut scratch)?;
            text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        }
    })
}

fn peer<'v>(subject: &Subject<'v>) -> Result<Option<&'v Certificate>, Unavailable> {
    subject.tls.map(TlsInfo::peer).ok_or(Unavailable)
}

fn address(address: IpAddr, scratch: &mut Scratch) -> &[u8] {
    scratch.extend_from_slice(&ip_text(address));
    scratch
}

fn bytes(names: &[String]) -> impl Iterator<Item = &[u8]> {
    names.iter().map(String::as_bytes)
}

fn written(
    scratch: &mut Scratch,
    write: impl FnOnce(&mut Scratch) -> std::io::Result<()>,
) -> &[u8] {
    write(scratch).expect("writing to memory does not fail");
    scratch
}

/// Several values are joined by commas; none are absent.
fn joined<'v>(
    mut values: impl Iterator<Item = &'v [u8]>,
    scratch: &'v mut Scratch,
) -> Option<&'v [u8]> {
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first) };
    scratch.extend_from_slice(first);
    for value in std::iter::once(second).chain(values) {
        scratch.push(b',');
        scratch.extend_from_slice(value);
    }
    Some(scratch)
}

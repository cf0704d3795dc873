//! The PROXY protocol, versions 1 and 2: what a proxy before us says of its client
//! (`https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt`, "the specification").
//!
//! [`parse`] is given all bytes received so far, as often as more have come. It promises never to take
//! a byte that is not the header's.

mod encode;
mod v1;
mod v2;

use core::net::{IpAddr, SocketAddr};

pub use encode::write;
pub use v1::SIGNATURE as V1_SIGNATURE;
pub use v2::{FIXED_BYTES as V2_FIXED_BYTES, SIGNATURE as V2_SIGNATURE, vectors};

/// Which form of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A whole header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader<'a> {
    /// Its form.
    pub version: Version,
    /// Its length in bytes.
    pub length: usize,
    /// The client and where it wanted to go. Absent where the proxy speaks for itself (`LOCAL`) or does
    /// not know (`UNKNOWN`): the ends of the connection count.
    pub addresses: Option<Addresses>,
    /// Type-length-value vectors; empty in version 1.
    pub tlvs: &'a [u8],
}

/// The ends of the connection that the proxy took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Who opened it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
}

/// What the bytes received so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The beginning of a header, or nothing yet.
    Incomplete,
    /// No header, whatever follows.
    Absent,
    /// A header.
    Complete(ProxyHeader<'a>),
}

/// A header that breaks off its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed PROXY header of version {}", match .0 { Version::V1 => 1, Version::V2 => 2 })]
pub struct MalformedHeader(pub Version);

/// Reads the header at the begin of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Progress<'_>, MalformedHeader> {
    let (version, progress) = if begins(bytes, v2::SIGNATURE) {
        (Version::V2, v2::parse(bytes))
    } else if begins(bytes, v1::SIGNATURE) {
        (Version::V1, v1::parse(bytes))
    } else {
        return Ok(Progress::Absent);
    };
    match progress {
        Ok(Progress::Complete(header)) if !header.names_single_hosts() => {
            Err(MalformedHeader(version))
        }
        progress => progress.map_err(|()| MalformedHeader(version)),
    }
}

impl ProxyHeader<'_> {
    /// Whether both ends are what a connection may have: the address of one host, as Envoy demands.
    fn names_single_hosts(&self) -> bool {
        let ends = self.addresses.iter().flat_map(|it| [it.source.ip(), it.destination.ip()]);
        ends.into_iter().all(|ip| {
            let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
            !(ip.is_unspecified() || ip.is_multicast() || is_broadcast)
        })
    }
}

/// Whether `bytes` begin with `signature`, as far as they reach.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let length = bytes.len().min(signature.len());
    bytes[..length] == signature[..length]
}

#[cfg(test)]
mod tests;

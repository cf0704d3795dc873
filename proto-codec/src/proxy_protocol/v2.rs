//! Version 2: a binary header (specification §2.2).

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Addresses, Progress, ProxyHeader, Version, begins};

/// How the header begins.
pub const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length of the rest.
pub const FIXED_BYTES: usize = 16;

pub(super) const VERSION_2: u8 = 2;
pub(super) const LOCAL: u8 = 0;
pub(super) const PROXY: u8 = 1;
pub(super) const INET: u8 = 1;
pub(super) const INET6: u8 = 2;
pub(super) const STREAM: u8 = 1;
const DATAGRAM: u8 = 2;

pub(super) fn parse(bytes: &[u8]) -> Result<Progress<'_>, ()> {
    debug_assert!(begins(bytes, SIGNATURE));
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Progress::Incomplete);
    };
    let [.., version_command, family_protocol, high, low] = *fixed;
    if version_command >> 4 != VERSION_2 {
        return Err(());
    }
    let family = match version_command & 15 {
        LOCAL => None,
        PROXY => Some(Family::of(family_protocol)?),
        _ => return Err(()),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if family.is_some_and(|family| length < family.address_bytes()) {
        return Err(());
    }
    let Some(rest) = rest.get(..length) else { return Ok(Progress::Incomplete) };
    // Who speaks for itself may send addresses all the same; they are not to be looked at.
    let (addresses, tlvs) = match family {
        None => (None, &[][..]),
        Some(family) => (family.addresses(rest), &rest[family.address_bytes()..]),
    };
    if !is_list_of_vectors(tlvs) {
        return Err(());
    }
    let length = FIXED_BYTES + length;
    Ok(Progress::Complete(ProxyHeader { version: Version::V2, length, addresses, tlvs }))
}

/// The vectors of a header that was read, each a type and a value.
pub fn vectors(mut tlvs: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([kind, high, low], rest) = tlvs.split_first_chunk::<3>()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes([*high, *low]).into())?;
        tlvs = rest;
        Some((*kind, value))
    })
}

/// Types of one byte, lengths of two, and so many bytes (specification §2.2.1 ff.).
fn is_list_of_vectors(mut tlvs: &[u8]) -> bool {
    while let Some(([_type, high, low], rest)) = tlvs.split_first_chunk::<3>() {
        let Some(rest) = rest.get(u16::from_be_bytes([*high, *low]).into()..) else {
            return false;
        };
        tlvs = rest;
    }
    tlvs.is_empty()
}

#[derive(Debug, Clone, Copy)]
enum Family {
    Inet,
    Inet6,
}

impl Family {
    fn of(family_protocol: u8) -> Result<Self, ()> {
        match (family_protocol >> 4, family_protocol & 15) {
            (INET, STREAM | DATAGRAM) => Ok(Self::Inet),
            (INET6, STREAM | DATAGRAM) => Ok(Self::Inet6),
            _ => Err(()),
        }
    }

    /// Two addresses and two ports.
    fn address_bytes(self) -> usize {
        match self {
            Self::Inet => 12,
            Self::Inet6 => 36,
        }
    }

    fn addresses(self, bytes: &[u8]) -> Option<Addresses> {
        match self {
            Self::Inet => {
                let (source, rest) = bytes.split_first_chunk::<4>()?;
                let (destination, ports) = rest.split_first_chunk::<4>()?;
                with_ports(Ipv4Addr::from(*source), Ipv4Addr::from(*destination), ports)
            }
            Self::Inet6 => {
                let (source, rest) = bytes.split_first_chunk::<16>()?;
                let (destination, ports) = rest.split_first_chunk::<16>()?;
                with_ports(Ipv6Addr::from(*source), Ipv6Addr::from(*destination), ports)
            }
        }
    }
}

fn with_ports<T: Into<core::net::IpAddr>>(
    source: T,
    destination: T,
    ports: &[u8],
) -> Option<Addresses> {
    let (source_port, rest) = ports.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    let port = |bytes: &[u8; 2]| u16::from_be_bytes(*bytes);
    Some(Addresses {
        source: SocketAddr::new(source.into(), port(source_port)),
        destination: SocketAddr::new(destination.into(), port(destination_port)),
    })
}

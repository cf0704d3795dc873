//! Addresses and CIDR ranges (`envoy.config.core.v3.Address`, `CidrRange`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3 as wire;
use wire::address::Address as WireAddress;
use wire::socket_address::PortSpecifier;

use crate::report::{At, Note};

/// Bytes of `sun_path`, with the zero that ends a path (unix(7)).
const PIPE_PATH_BYTES: usize = 108;

/// Where something listens or is found (`envoy.config.core.v3.Address`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `socket_address`.
    Socket(SocketAddr),
    /// `pipe`: the path of a Unix socket, or `@` and its name in the abstract namespace.
    Pipe(Arc<str>),
}

/// An address range (`envoy.config.core.v3.CidrRange`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CidrRange {
    /// `address_prefix`; bits beyond `prefix_len` are zero.
    pub address_prefix: IpAddr,
    /// `prefix_len` in bits.
    pub prefix_len: u8,
}

impl CidrRange {
    /// Whether `address` lies in the range. An IPv4 range never holds an IPv6 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address_prefix, address) {
            (IpAddr::V4(prefix), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix_len);
                shift == 32 || (u32::from(prefix) >> shift) == (u32::from(address) >> shift)
            }
            (IpAddr::V6(prefix), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix_len);
                shift == 128 || (u128::from(prefix) >> shift) == (u128::from(address) >> shift)
            }
            _ => false,
        }
    }
}

/// Where an endpoint lives (`envoy.config.core.v3.Address`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAddress {
    /// An IP address and port, ready to connect to.
    Socket(SocketAddr),
    /// A Unix socket on this machine; in no DNS cluster.
    Pipe(Arc<str>),
    /// A name for a DNS cluster to resolve.
    Name {
        /// The DNS name as written.
        host: String,
        /// The port every resolved address takes.
        port: u16,
    },
}

impl Address {
    /// An IP address and port, or a Unix socket.
    pub(crate) fn from_wire(wire: Option<&wire::Address>, at: &At<'_>) -> Option<Self> {
        match wire.and_then(|wire| wire.address.as_ref()) {
            Some(WireAddress::Pipe(pipe)) => {
                pipe_path(&pipe.path, &at.field("pipe").field("path")).map(Self::Pipe)
            }
            _ => socket_address(wire, at).map(Self::Socket),
        }
    }

    /// The same of an address that is connected to.
    pub(crate) fn to_connect(wire: &wire::Address, at: &At<'_>) -> Option<Self> {
        match &wire.address {
            Some(WireAddress::Pipe(pipe)) => connected_pipe(pipe, at).map(Self::Pipe),
            _ => socket_address(Some(wire), at).map(Self::Socket),
        }
    }

    /// The IP address and port, where it has those.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(address) => Some(*address),
            Self::Pipe(_) => None,
        }
    }

    /// The IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket().map(|address| address.ip())
    }

    /// The port.
    pub fn port(&self) -> Option<u16> {
        self.socket().map(|address| address.port())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

/// As Envoy writes it: `10.0.0.1:80`, `[::1]:80`, `/run/users.sock`, `@users`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Pipe(path) => f.write_str(path),
        }
    }
}

impl CidrRange {
    pub(crate) fn from_wire(wire: &wire::CidrRange, at: &At<'_>) -> Option<Self> {
        Self::new(&wire.address_prefix, wire.prefix_len.map(|len| len.value), at)
    }

    /// Reads the two fields of a range, of Envoy's schema or of xDS's.
    pub(crate) fn new(address_prefix: &str, prefix_len: Option<u32>, at: &At<'_>) -> Option<Self> {
        let prefix_len = prefix_len.unwrap_or(0);
        let address: IpAddr = parse_ip(address_prefix, &at.field("address_prefix"))?;
        // A length beyond the address's own bits means all of them, as in Envoy.
        let (address_prefix, prefix_len) = match address {
            IpAddr::V4(address) => {
                let len = prefix_len.min(32);
                let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
                (IpAddr::V4((u32::from(address) & mask).into()), len)
            }
            IpAddr::V6(address) => {
                let len = prefix_len.min(128);
                let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
                (IpAddr::V6((u128::from(address) & mask).into()), len)
            }
        };
        Some(Self { address_prefix, prefix_len: prefix_len as u8 })
    }
}

impl EndpointAddress {
    /// The address, where it needs no look-up.
    pub fn known(&self) -> Option<Address> {
        match self {
            Self::Socket(address) => Some(Address::Socket(*address)),
            Self::Pipe(path) => Some(Address::Pipe(path.clone())),
            Self::Name { .. } => None,
        }
    }

    /// The address of an endpoint; only a DNS cluster may have a name there.
    pub(crate) fn from_wire(wire: Option<&wire::Address>, dns: bool, at: &At<'_>) -> Option<Self> {
        if let Some(WireAddress::Pipe(pipe)) = wire.and_then(|wire| wire.address.as_ref())
            && !dns
        {
            return connected_pipe(pipe, at).map(Self::Pipe);
        }
        let socket = socket_of(wire, at)?;
        let (host, port) = (socket.address.as_str(), port_of(socket)?);
        if let Ok(ip) = host.parse() {
            return Some(Self::Socket(SocketAddr::new(ip, port)));
        }
        let at = at.field("socket_address");
        let at = at.field("address");
        if !dns {
            at.error(
                Note::from(format!("malformed IP address: {host}"))
                    .help("use an IP address, or set the cluster's type to STRICT_DNS".to_owned()),
            );
            return None;
        }
        if !is_dns_name(host) {
            at.error(
                Note::from(format!("'{host}' is neither a DNS name nor an IP address"))
                    .help("write the name without scheme, port or path"),
            );
            return None;
        }
        Some(Self::Name { host: host.to_owned(), port })
    }
}

/// The path of a Unix socket that is connected to.
fn connected_pipe(pipe: &wire::Pipe, at: &At<'_>) -> Option<Arc<str>> {
    let at = at.field("pipe");
    if pipe.mode != 0 {
        at.field("mode").warn(
            Note::from("only listeners set the mode of a Unix socket")
                .help("remove it, or set it where the socket listens"),
        );
    }
    pipe_path(&pipe.path, &at.field("path"))
}

/// `pipe.mode`; 0 where nothing is said.
pub(crate) fn pipe_mode(wire: Option<&wire::Address>) -> u32 {
    match wire.and_then(|wire| wire.address.as_ref()) {
        Some(WireAddress::Pipe(pipe)) => pipe.mode,
        _ => 0,
    }
}

/// An IP address and port.
pub(crate) fn socket_address(wire: Option<&wire::Address>, at: &At<'_>) -> Option<SocketAddr> {
    ip_and_port(socket_of(wire, at)?, &at.field("socket_address"))
}

/// The same of the field that `at` stands for.
pub(crate) fn ip_and_port(wire: &wire::SocketAddress, at: &At<'_>) -> Option<SocketAddr> {
    let port = port_of(wire)?;
    Some(SocketAddr::new(parse_ip(&wire.address, &at.field("address"))?, port))
}

fn socket_of<'w>(wire: Option<&'w wire::Address>, at: &At<'_>) -> Option<&'w wire::SocketAddress> {
    match wire.and_then(|wire| wire.address.as_ref()) {
        Some(WireAddress::SocketAddress(socket)) => Some(socket),
        _ => {
            at.error_at_key("a socket_address is required");
            None
        }
    }
}

/// The field rules have seen to a port being there, and to its range.
fn port_of(socket: &wire::SocketAddress) -> Option<u16> {
    let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else { return None };
    u16::try_from(port).ok()
}

fn pipe_path(path: &str, at: &At<'_>) -> Option<Arc<str>> {
    if path.len() >= PIPE_PATH_BYTES {
        at.error(
            Note::from(format!(
                "'{path}' has {} bytes; the name of a Unix socket has at most {}",
                path.len(),
                PIPE_PATH_BYTES - 1
            ))
            .help("use a shorter path, or an abstract name, which begins with '@'"),
        );
        return None;
    }
    if path.contains('\0') {
        at.error(
            Note::from("the name of a Unix socket must not hold a zero byte")
                .help("an abstract name is written with '@' in front"),
        );
        return None;
    }
    Some(path.into())
}

fn parse_ip(text: &str, at: &At<'_>) -> Option<IpAddr> {
    text.parse()
        .map_err(|_| at.error(Note::from(format!("malformed IP address: {text}")).help(IP_ADDRESS)))
        .ok()
}

const IP_ADDRESS: &str = "write such as 192.0.2.1 or 2001:db8::1, without port or brackets";

/// RFC 1035 §2.3.4 lengths; any letters but those that could not be meant.
fn is_dns_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    labels.len() <= 253
        && labels.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_own_family() {
        let range = |prefix: &str, prefix_len| CidrRange {
            address_prefix: prefix.parse().unwrap(),
            prefix_len,
        };
        let ip = |text: &str| text.parse().unwrap();
        assert!(range("10.0.0.0", 8).contains(ip("10.255.0.1")));
        assert!(!range("10.0.0.0", 8).contains(ip("11.0.0.1")));
        assert!(range("0.0.0.0", 0).contains(ip("255.255.255.255")));
        assert!(!range("0.0.0.0", 0).contains(ip("::1")));
        assert!(range("::1", 128).contains(ip("::1")));
        assert!(range("::", 0).contains(ip("ff::1")));
    }

    #[test]
    fn dns_names() {
        for name in ["foo.com", "foo.com.", "a_b-c.d", "localhost", "1.2.3"] {
            assert!(is_dns_name(name), "{name}");
        }
        for name in ["", ".", "a b", "http://x", "a..b", "x:80", "[::1]"] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}

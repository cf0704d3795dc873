//! Socket addresses and CIDR ranges (`envoy.config.core.v3.Address`, `CidrRange`).

use std::net::{IpAddr, SocketAddr};

/// An address range (`envoy.config.core.v3.CidrRange`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Where an endpoint lives (`envoy.config.core.v3.SocketAddress`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAddress {
    /// An IP address and port, ready to connect to.
    Socket(SocketAddr),
    /// A name for a DNS cluster to resolve.
    Name {
        /// The DNS name as written.
        host: String,
        /// The port every resolved address takes.
        port: u16,
    },
}

//! What operators say of addresses.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringmain_config::address::Address;
use ringmain_config::substitution_format::{AddressOperator, AddressPart};

use super::evaluator::{Evaluator, Kind};
use super::number::write_number;
use crate::ip_text::ip_text;

impl Evaluator<'_> {
    pub(super) fn address(
        &self,
        address: AddressOperator,
        part: AddressPart,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let info = &self.exchange.info;
        let address = match address {
            AddressOperator::DownstreamRemote => &info.remote,
            AddressOperator::DownstreamDirectRemote => &info.direct_remote,
            AddressOperator::DownstreamLocal => &info.local,
            AddressOperator::DownstreamDirectLocal => &info.direct_local,
            AddressOperator::UpstreamLocal => info.upstream_local.as_ref()?,
            AddressOperator::UpstreamRemote => {
                info.upstream_connection.as_ref()?;
                &info.upstream_host.as_ref()?.shared.address
            }
        };
        match address {
            Address::Socket(address) => Some(write_part(*address, part, out)),
            Address::Pipe(path) => write_pipe_part(path, part, out),
        }
    }
}

fn write_part(address: SocketAddr, part: AddressPart, out: &mut Vec<u8>) -> Kind {
    match part {
        AddressPart::Whole => write_socket_address(address, out),
        AddressPart::WithoutPort => write_ip(address.ip(), out),
        AddressPart::Prefix(length) => write_prefix(address.ip(), length, out),
        AddressPart::Port => {
            write_number(address.port().into(), out);
            return Kind::Number;
        }
        AddressPart::EndpointId => {}
    }
    Kind::Text
}

fn write_pipe_part(path: &str, part: AddressPart, out: &mut Vec<u8>) -> Option<Kind> {
    match part {
        AddressPart::Whole | AddressPart::WithoutPort => out.extend_from_slice(path.as_bytes()),
        AddressPart::Prefix(_) => return None,
        // It has none, which is not missing.
        AddressPart::Port | AddressPart::EndpointId => {}
    }
    Some(Kind::Text)
}

fn write_socket_address(address: SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(address) => {
            write_ip(IpAddr::V4(*address.ip()), out);
            out.push(b':');
            write_number(address.port().into(), out);
        }
        SocketAddr::V6(_) => write!(out, "{address}").expect("writing to memory does not fail"),
    }
}

pub(super) fn write_ip(ip: IpAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(&ip_text(ip));
}

/// The address with all but its first `length` bits zero, and how many those are.
fn write_prefix(ip: IpAddr, length: u32, out: &mut Vec<u8>) {
    let (masked, length) = match ip {
        IpAddr::V4(ip) => {
            let length = length.min(32);
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            (IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask)), length)
        }
        IpAddr::V6(ip) => {
            let length = length.min(128);
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            (IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask)), length)
        }
    };
    write_ip(masked, out);
    out.push(b'/');
    write_number(length.into(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &str, part: AddressPart) -> String {
        let mut out = Vec::new();
        write_part(address.parse().expect("an address"), part, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn addresses_are_written_in_parts() {
        assert_eq!(written("10.1.2.3:80", AddressPart::Whole), "10.1.2.3:80");
        assert_eq!(written("10.1.2.3:80", AddressPart::WithoutPort), "10.1.2.3");
        assert_eq!(written("10.1.2.3:80", AddressPart::Port), "80");
        assert_eq!(written("10.1.2.3:80", AddressPart::Prefix(20)), "10.1.0.0/20");
        assert_eq!(written("10.1.2.3:80", AddressPart::Prefix(0)), "0.0.0.0/0");
        assert_eq!(written("10.1.2.3:80", AddressPart::Prefix(40)), "10.1.2.3/32");
        assert_eq!(written("[2001:db8::1]:80", AddressPart::Whole), "[2001:db8::1]:80");
        assert_eq!(written("[2001:db8::1]:80", AddressPart::Prefix(16)), "2001::/16");
    }
}

//! IP addresses as text, which each request needs some of.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use smallvec::SmallVec;

/// Room for the longest one.
pub type IpText = SmallVec<[u8; 48]>;

/// `ip` as [`Display`](std::fmt::Display) writes it; that takes twenty times as long for an IPv4 address.
pub fn ip_text(ip: IpAddr) -> IpText {
    let mut text = IpText::new();
    match ip {
        IpAddr::V4(ip) => write_ipv4(ip, &mut text),
        IpAddr::V6(ip) => write!(text, "{ip}").expect("writing to memory does not fail"),
    }
    text
}

fn write_ipv4(ip: Ipv4Addr, text: &mut IpText) {
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            text.push(b'.');
        }
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.push(b'0' + octet % 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_display_does() {
        let octets = [0, 1, 9, 10, 19, 99, 100, 109, 110, 255];
        let ipv4 = octets
            .iter()
            .zip(octets.iter().rev())
            .map(|(one, other)| IpAddr::from([*one, *other, 7, *one]));
        let ipv6 = ["::1", "2001:db8::a:0:7", "::ffff:192.0.2.1", "fe80:1:2:3:4:5:6:7"];
        let ipv6 = ipv6.map(|text| text.parse().expect("an address"));
        for ip in ipv4.chain(ipv6) {
            assert_eq!(ip_text(ip)[..], *ip.to_string().as_bytes());
        }
    }
}

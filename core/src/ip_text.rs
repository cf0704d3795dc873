//! IP addresses as text.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use smallvec::SmallVec;

/// An address as it is displayed. Every request has two; to have the standard library format one of version 4 takes
/// 1,300 instructions.
pub fn ip_text(ip: IpAddr) -> SmallVec<[u8; 64]> {
    let mut text = SmallVec::new();
    match ip {
        IpAddr::V4(ip) => write_v4(ip, &mut text),
        IpAddr::V6(ip) => write!(text, "{ip}").expect("writing to memory does not fail"),
    }
    text
}

fn write_v4(ip: Ipv4Addr, text: &mut SmallVec<[u8; 64]>) {
    for (index, octet) in ip.octets().into_iter().enumerate() {
        if index > 0 {
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
    fn is_what_the_standard_library_displays() {
        let versions_4 = (0..=255).map(|octet| Ipv4Addr::new(octet, 255 - octet, 9, octet).into());
        let versions_6 = ["::", "::1", "2001:db8::1", "::ffff:192.0.2.1", "fe80:1:2:3:4:5:6:ffff"];
        let versions_6 = versions_6.map(|text| text.parse().expect("an address"));
        for ip in versions_4.chain(versions_6) {
            assert_eq!(ip_text(ip)[..], *ip.to_string().as_bytes());
        }
    }
}

use std::net::SocketAddr;

use super::*;

fn table(chains: &[config::FilterChainMatch]) -> FilterChainMatch {
    FilterChainMatch::of(chains.iter())
}

fn connection(peer: &str, local: &str) -> ConnectionInfo {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address").into();
    ConnectionInfo::accepted(address(peer), address(local))
}

fn named(name: &str) -> ConnectionInfo {
    ConnectionInfo {
        requested_server_name: Some(name.into()),
        transport_protocol: "tls",
        ..connection("192.0.2.1:9", "192.0.2.2:443")
    }
}

fn range(text: &str) -> CidrRange {
    let (address, length) = text.split_once('/').expect("a range");
    CidrRange {
        address_prefix: address.parse().expect("an address"),
        prefix_len: length.parse().expect("a length"),
    }
}

fn names(names: &[&str]) -> config::FilterChainMatch {
    let name = |name: &&str| match name.strip_prefix('*') {
        Some(suffix) => ServerName::Suffix(suffix.to_owned()),
        None => ServerName::Exact((*name).to_owned()),
    };
    config::FilterChainMatch {
        server_names: names.iter().map(name).collect(),
        ..Default::default()
    }
}

fn any() -> config::FilterChainMatch {
    config::FilterChainMatch::default()
}

#[test]
fn server_names_go_from_exact_over_the_longest_end_to_any() {
    let table =
        table(&[names(&["a.b.example"]), names(&["*.b.example"]), names(&["*.example"]), any()]);
    let find = |name| table.find(&named(name));
    assert_eq!(find("a.b.example"), Some(0));
    assert_eq!(find("x.y.b.example"), Some(1));
    assert_eq!(find("b.example"), Some(2));
    assert_eq!(find("example"), Some(3));
    assert_eq!(find(""), Some(3));
}

/// The name decides first; that its chain wants another protocol does not lead back to the others.
#[test]
fn there_is_no_way_back_to_another_value() {
    let h2 = config::FilterChainMatch {
        application_protocols: vec!["h2".into()],
        ..names(&["a.example"])
    };
    let table = table(&[h2, any()]);
    assert_eq!(table.find(&named("a.example")), None);
    let mut offered = named("a.example");
    offered.requested_application_protocols = vec!["spdy".into(), "h2".into()];
    assert_eq!(table.find(&offered), Some(0));
}

#[test]
fn the_longest_prefix_counts() {
    let source = |text| config::FilterChainMatch {
        source_prefix_ranges: vec![range(text)],
        ..Default::default()
    };
    let table =
        table(&[source("10.0.0.0/8"), source("10.1.0.0/16"), source("2001:db8::/32"), any()]);
    let find = |peer| table.find(&connection(peer, "192.0.2.2:443"));
    assert_eq!(find("10.2.0.1:9"), Some(0));
    assert_eq!(find("10.1.0.1:9"), Some(1));
    assert_eq!(find("[2001:db8::1]:9"), Some(2));
    assert_eq!(find("192.0.2.1:9"), Some(3));
}

#[test]
fn a_port_without_a_fitting_chain_does_not_fall_back() {
    let local = config::FilterChainMatch {
        destination_port: Some(443),
        source_type: Some(SourceType::SameIpOrLoopback),
        ..Default::default()
    };
    let table = table(&[local, any()]);
    assert_eq!(table.find(&connection("127.0.0.1:9", "192.0.2.2:443")), Some(0));
    assert_eq!(table.find(&connection("192.0.2.2:9", "192.0.2.2:443")), Some(0));
    assert_eq!(table.find(&connection("192.0.2.1:9", "192.0.2.2:443")), None);
    assert_eq!(table.find(&connection("192.0.2.1:9", "192.0.2.2:80")), Some(1));
}

#[test]
fn a_named_client_is_told_from_its_proxy() {
    let direct = config::FilterChainMatch {
        direct_source_prefix_ranges: vec![range("10.0.0.0/8")],
        source_ports: vec![7, 8],
        ..Default::default()
    };
    let table = table(&[direct]);
    let mut behind = connection("10.0.0.1:9", "192.0.2.2:443");
    assert_eq!(table.find(&behind), None);
    behind.remote = connection("192.0.2.7:8", "192.0.2.2:443").remote;
    assert_eq!(table.find(&behind), Some(0));
}

/// Of some ranges of both families and all lengths, each with a chain, what a plain scan finds is found.
#[test]
fn ranges_of_both_families_are_found_as_by_a_scan() {
    // Few bits differ, so that ranges lie within each other. A constant and a plain generator: the same each time.
    let mut seed = 1_u32;
    let mut below = |bound: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % bound
    };
    let mut address = |of_v6: bool| -> IpAddr {
        let (high, low) = (below(4), below(4));
        match of_v6 {
            true => Ipv6Addr::from_bits(u128::from(high) << 126 | u128::from(low)).into(),
            false => Ipv4Addr::from_bits(high << 30 | low).into(),
        }
    };
    let mut ranges: Vec<CidrRange> = Vec::new();
    for length in (0..=128_u8).chain(0..=128) {
        for of_v6 in [false, true] {
            let range = prefix(address(of_v6), length);
            ranges.extend(range.filter(|range| !ranges.contains(range)));
        }
    }
    let source = |range: &CidrRange| config::FilterChainMatch {
        source_prefix_ranges: vec![*range],
        ..Default::default()
    };
    let table = table(&ranges.iter().map(source).collect::<Vec<_>>());
    for turn in 0..2000 {
        let peer = SocketAddr::new(address(turn % 2 == 0), 9);
        let scanned = (0..ranges.len())
            .filter(|index| ranges[*index].contains(peer.ip()))
            .max_by_key(|index| ranges[*index].prefix_len);
        let found = table.find(&connection(&peer.to_string(), "192.0.2.2:443"));
        assert_eq!(found, scanned, "{peer}");
    }
}

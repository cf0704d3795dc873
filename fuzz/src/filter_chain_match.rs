//! Filter chains: the nested tables find the chain that a plain reading of Envoy's rules finds.
//!
//! The bytes are choices: how many chains, of what conditions, and then the connections to ask about. Few values
//! differ by little, so that ranges lie within each other and names end alike.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringmain::listener::{ConnectionInfo, FilterChainMatch};
use ringmain_config::address::{Address, CidrRange};
use ringmain_config::filter_chain_match::{self as config, MatchPoint, ServerName, SourceType};

const CHAINS_MAX: u8 = 12;
const CONNECTIONS_MAX: usize = 50;
const NAMES: [&str; 8] = [
    "a.b.example",
    "b.example",
    "example",
    "x.a.b.example",
    ".b.example",
    ".example",
    ".a.b.example",
    ".",
];
const PROTOCOLS: [&str; 4] = ["h2", "http/1.1", "h3", "spdy"];

/// Asks the chains in `bytes` about the connections in it.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let chains = choices.chains();
    let table = FilterChainMatch::of(chains.iter());
    let points: Vec<_> = chains
        .iter()
        .enumerate()
        .flat_map(|(index, chain)| chain.points().into_iter().map(move |point| (point, index)))
        .collect();
    for _ in 0..CONNECTIONS_MAX {
        if choices.0.is_empty() {
            return;
        }
        let connection = choices.connection();
        let found = table.find(&connection);
        assert_eq!(found, scanned(points.clone(), &connection), "{chains:#?} {connection:?}");
    }
}

/// Looks at one field after the other, and keeps the combinations whose value fits best.
fn scanned(mut left: Vec<(MatchPoint<'_>, usize)>, connection: &ConnectionInfo) -> Option<usize> {
    let ip = |address: &Address| address.ip().expect("none is a Unix socket");
    let name = connection.requested_server_name.as_deref().unwrap_or_default();
    let offered = &connection.requested_application_protocols;
    let source_type = match connection.is_same_ip_or_loopback() {
        true => SourceType::SameIpOrLoopback,
        false => SourceType::External,
    };
    narrow(
        &mut left,
        |point| point.destination_port,
        |port| (connection.local.port() == Some(port)).then_some(0),
    );
    narrow(&mut left, |point| point.prefix_range, |range| length(range, ip(&connection.local)));
    narrow(&mut left, |point| point.server_name, |wanted| fit(wanted, name));
    narrow(
        &mut left,
        |point| point.transport_protocol,
        |protocol| (protocol == connection.transport_protocol).then_some(0),
    );
    // The client's first choice counts.
    narrow(
        &mut left,
        |point| point.application_protocol,
        |protocol| offered.iter().position(|one| **one == *protocol).map(Reverse),
    );
    narrow(
        &mut left,
        |point| point.direct_source_prefix_range,
        |range| length(range, ip(&connection.direct_remote)),
    );
    narrow(&mut left, |point| point.source_type, |kind| (kind == source_type).then_some(0));
    narrow(
        &mut left,
        |point| point.source_prefix_range,
        |range| length(range, ip(&connection.remote)),
    );
    narrow(
        &mut left,
        |point| point.source_port,
        |port| (connection.remote.port() == Some(port)).then_some(0),
    );
    assert!(left.len() <= 1, "one combination stands for one chain: {left:?}");
    left.first().map(|(_, index)| *index)
}

/// Keeps those of `left` whose value fits best, by `fit`, or which have none where none fits.
fn narrow<'p, T: Copy, F: Ord + Copy>(
    left: &mut Vec<(MatchPoint<'p>, usize)>,
    value: impl Fn(&MatchPoint<'p>) -> Option<T>,
    fit: impl Fn(T) -> Option<F>,
) {
    let best = left.iter().filter_map(|(point, _)| fit(value(point)?)).max();
    left.retain(|(point, _)| match value(point) {
        Some(value) => best.is_some() && fit(value) == best,
        None => best.is_none(),
    });
}

fn length(range: CidrRange, address: IpAddr) -> Option<u8> {
    range.contains(address).then_some(range.prefix_len)
}

/// A name that is the whole one fits best, then the longest end. A name that begins with a dot is what is left of
/// a wildcard, also where a client asks for it.
fn fit(wanted: &ServerName, name: &str) -> Option<usize> {
    let (ServerName::Exact(wanted) | ServerName::Suffix(wanted)) = wanted;
    let is_end = wanted.starts_with('.') && wanted.len() > 1 && name.ends_with(wanted.as_str());
    let is_whole = wanted == name && !name.is_empty();
    (is_end || is_whole).then_some(wanted.len())
}

/// Bytes as choices; zero where there are no more.
struct Choices<'b>(&'b [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    /// Chains that may stand together in one listener.
    fn chains(&mut self) -> Vec<config::FilterChainMatch> {
        let count = 1 + self.byte() % CHAINS_MAX;
        let mut chains: Vec<config::FilterChainMatch> = Vec::new();
        for _ in 0..count {
            let chain = self.chain();
            let points = chain.points();
            let own: HashSet<_> = points.iter().collect();
            let taken: Vec<_> = chains.iter().flat_map(|other| other.points()).collect();
            if own.len() == points.len() && !taken.iter().any(|point| own.contains(point)) {
                chains.push(chain);
            }
        }
        chains
    }

    fn chain(&mut self) -> config::FilterChainMatch {
        let fields = self.byte();
        let has = |bit: u32| fields >> bit & 1 == 1;
        config::FilterChainMatch {
            destination_port: has(0).then(|| self.port()),
            prefix_ranges: self.some(has(1), Self::range),
            server_names: self.some(has(2), Self::server_name),
            transport_protocol: match has(3) {
                true => self.transport_protocol().to_owned(),
                false => String::new(),
            },
            application_protocols: self
                .some(has(4), |choices| choices.one_of(&PROTOCOLS).to_owned()),
            direct_source_prefix_ranges: self.some(has(5), Self::range),
            source_prefix_ranges: self.some(has(6), Self::range),
            source_ports: self.some(has(7), Self::port),
            source_type: self.one_of(&[
                None,
                Some(SourceType::SameIpOrLoopback),
                Some(SourceType::External),
            ]),
        }
    }

    /// Up to two, where `wanted`.
    fn some<T>(&mut self, wanted: bool, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = if wanted { 1 + self.byte() % 2 } else { 0 };
        (0..count).map(|_| one(self)).collect()
    }

    fn port(&mut self) -> u16 {
        self.one_of(&[80, 443, 8443])
    }

    fn transport_protocol(&mut self) -> &'static str {
        self.one_of(&["tls", "raw_buffer"])
    }

    fn server_name(&mut self) -> ServerName {
        let name = self.one_of(&NAMES).to_owned();
        match name.starts_with('.') {
            true => ServerName::Suffix(name),
            false => ServerName::Exact(name),
        }
    }

    fn ip(&mut self) -> IpAddr {
        let (high, low) = (self.byte() % 4, self.byte() % 4);
        match self.byte() % 4 {
            0 => Ipv4Addr::LOCALHOST.into(),
            1 => Ipv6Addr::LOCALHOST.into(),
            2 => Ipv4Addr::from_bits(u32::from(high) << 30 | u32::from(low)).into(),
            _ => Ipv6Addr::from_bits(u128::from(high) << 126 | u128::from(low)).into(),
        }
    }

    fn range(&mut self) -> CidrRange {
        let address = self.ip();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix_len = self.one_of(&[0, 1, 2, bits - 2, bits - 1, bits]);
        let beyond = u32::from(bits - prefix_len);
        let address_prefix = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(beyond).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        };
        CidrRange { address_prefix, prefix_len }
    }

    fn address(&mut self) -> Address {
        SocketAddr::new(self.ip(), self.port()).into()
    }

    fn connection(&mut self) -> ConnectionInfo {
        let mut connection = ConnectionInfo::accepted(self.address(), self.address());
        if self.byte().is_multiple_of(2) {
            connection.remote = self.address();
        }
        connection.requested_server_name = Some(self.one_of(&NAMES).into());
        connection.transport_protocol = self.transport_protocol();
        connection.requested_application_protocols =
            self.some(true, |choices| choices.one_of(&PROTOCOLS).into());
        connection
    }
}

//! Which filter chain serves a connection: nested tables, one for each field of Envoy's
//! `FilterChainMatch` in its order. A value found in one table leads to the next and never back, so a
//! look-up costs the same however many chains there are.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringmain_config::address::{Address, CidrRange};
use ringmain_config::filter_chain::FilterChains;
use ringmain_config::filter_chain_match::{self as config, MatchPoint, ServerName, SourceType};

use super::ConnectionInfo;

/// The place of a chain among its listener's.
pub type FilterChainIndex = usize;

type SourceIps = ByPrefix<ByValue<u16, Option<FilterChainIndex>>>;
type SourceTypes = ByValue<SourceType, SourceIps>;
type ApplicationProtocols = ByValue<Box<str>, ByPrefix<SourceTypes>>;
type ServerNames = ByValue<Box<str>, ByValue<Box<str>, ApplicationProtocols>>;

/// The compiled conditions of a listener's chains.
#[derive(Debug, Default)]
pub struct FilterChainMatch {
    destination_ports: ByValue<u16, ByPrefix<ServerNames>>,
    default: Option<FilterChainIndex>,
}

impl FilterChainMatch {
    /// Compiles the conditions of `chains`; indices are those of [`FilterChains::iter`].
    pub fn new(chains: &FilterChains) -> Self {
        let default = chains.default.as_ref().map(|_| chains.matched.len());
        let matches = chains.matched.iter().map(|chain| &chain.filter_chain_match);
        Self { default, ..Self::of(matches) }
    }

    /// Compiles `matches`, numbered in order. No combination of values may stand in two of them.
    pub fn of<'a>(matches: impl Iterator<Item = &'a config::FilterChainMatch>) -> Self {
        let mut compiled = Self::default();
        for (index, chain) in matches.enumerate() {
            chain.points().iter().for_each(|point| compiled.insert(point, index));
        }
        compiled
    }

    fn insert(&mut self, point: &MatchPoint<'_>, chain: FilterChainIndex) {
        let leaf = self
            .destination_ports
            .entry(point.destination_port)
            .entry(point.prefix_range)
            .entry(point.server_name.map(stored))
            .entry(point.transport_protocol.map(Box::from))
            .entry(point.application_protocol.map(Box::from))
            .entry(point.direct_source_prefix_range)
            .entry(point.source_type)
            .entry(point.source_prefix_range)
            .entry(point.source_port);
        *leaf = Some(chain);
    }

    /// The chain that serves `connection`.
    pub fn find(&self, connection: &ConnectionInfo) -> Option<FilterChainIndex> {
        self.find_matched(connection).or(self.default)
    }

    fn find_matched(&self, connection: &ConnectionInfo) -> Option<FilterChainIndex> {
        let names = self.destination_ports.pick_if(connection.local.port())?;
        let names = names.pick(ip_of(&connection.local))?;
        let application_protocols =
            by_server_name(names, connection)?.pick(connection.transport_protocol)?;
        let source_types = by_application_protocol(application_protocols, connection)?
            .pick(ip_of(&connection.direct_remote))?;
        let source_type = match connection.is_same_ip_or_loopback() {
            true => SourceType::SameIpOrLoopback,
            false => SourceType::External,
        };
        let source_ips = source_types.pick(&source_type)?;
        *source_ips.pick(ip_of(&connection.remote))?.pick_if(connection.remote.port())?
    }
}

/// A Unix socket lies in the ranges that this address lies in, as in Envoy.
const PIPE_IP: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

fn ip_of(address: &Address) -> IpAddr {
    address.ip().unwrap_or(PIPE_IP)
}

/// A wildcard is stored by its end, which begins with the dot.
fn stored(name: &ServerName) -> Box<str> {
    match name {
        ServerName::Exact(name) | ServerName::Suffix(name) => name.as_str().into(),
    }
}

/// The whole name, else its longest end, else any name.
fn by_server_name<'t, T>(
    names: &'t ByValue<Box<str>, T>,
    connection: &ConnectionInfo,
) -> Option<&'t T> {
    let name = connection.requested_server_name.as_deref().unwrap_or_default();
    let ends = name.match_indices('.').map(|(at, _)| &name[at..]).filter(|end| end.len() > 1);
    // A name that begins with a dot is no end of itself.
    let ends = ends.filter(|end| end.len() < name.len());
    let named = std::iter::once(name).filter(|name| !name.is_empty()).chain(ends);
    named.into_iter().find_map(|name| names.values.get(name)).or(names.any.as_deref())
}

/// The first of the client's protocols that is known, else any.
fn by_application_protocol<'t, T>(
    protocols: &'t ByValue<Box<str>, T>,
    connection: &ConnectionInfo,
) -> Option<&'t T> {
    let offered = &connection.requested_application_protocols;
    offered.iter().find_map(|name| protocols.values.get(name)).or(protocols.any.as_deref())
}

/// A field with exact values.
#[derive(Debug)]
struct ByValue<K, T> {
    values: HashMap<K, T>,
    any: Option<Box<T>>,
}

impl<K, T> Default for ByValue<K, T> {
    fn default() -> Self {
        Self { values: HashMap::new(), any: None }
    }
}

impl<K: Hash + Eq, T: Default> ByValue<K, T> {
    fn entry(&mut self, value: Option<K>) -> &mut T {
        match value {
            Some(value) => self.values.entry(value).or_default(),
            None => self.any.get_or_insert_default(),
        }
    }

    fn pick<Q: Hash + Eq + ?Sized>(&self, value: &Q) -> Option<&T>
    where
        K: Borrow<Q>,
    {
        self.values.get(value).or(self.any.as_deref())
    }

    /// The same where there may be no value.
    fn pick_if(&self, value: Option<K>) -> Option<&T> {
        match value {
            Some(value) => self.pick(&value),
            None => self.any.as_deref(),
        }
    }
}

/// A field with address ranges, of which the longest prefix counts: a look-up for each length that
/// occurs.
#[derive(Debug)]
struct ByPrefix<T> {
    ranges: HashMap<CidrRange, T>,
    lengths: BTreeSet<u8>,
    any: Option<Box<T>>,
}

impl<T> Default for ByPrefix<T> {
    fn default() -> Self {
        Self { ranges: HashMap::new(), lengths: BTreeSet::new(), any: None }
    }
}

impl<T: Default> ByPrefix<T> {
    fn entry(&mut self, range: Option<CidrRange>) -> &mut T {
        let Some(range) = range else { return self.any.get_or_insert_default() };
        self.lengths.insert(range.prefix_len);
        self.ranges.entry(range).or_default()
    }

    fn pick(&self, address: IpAddr) -> Option<&T> {
        let longest_first = self.lengths.iter().rev();
        longest_first
            .filter_map(|length| self.ranges.get(&prefix(address, *length)?))
            .next()
            .or(self.any.as_deref())
    }
}

/// The range of the first `length` bits of `address`, if it has as many.
fn prefix(address: IpAddr, length: u8) -> Option<CidrRange> {
    let bits = u32::from(length);
    let address_prefix = match address {
        IpAddr::V4(address) => {
            let beyond = 32_u32.checked_sub(bits)?;
            let mask = u32::MAX.checked_shl(beyond).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let beyond = 128_u32.checked_sub(bits)?;
            let mask = u128::MAX.checked_shl(beyond).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    };
    Some(CidrRange { address_prefix, prefix_len: length })
}

#[cfg(test)]
mod tests;

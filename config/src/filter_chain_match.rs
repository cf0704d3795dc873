//! Which connections a filter chain serves (`envoy.config.listener.v3.FilterChainMatch`).
//!
//! An empty list of a field means any value. So a chain's match is the product of its lists; a
//! connection belongs to one combination, which may stand for one chain only.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as wire;
use wire::filter_chain_match::ConnectionSourceType as WireSourceType;

use crate::address::CidrRange;
use crate::report::{At, Note};

/// What a connection must be like; the fields are looked at in this order, and once a value is found
/// for one of them there is no way back to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilterChainMatch {
    /// `destination_port`.
    pub destination_port: Option<u16>,
    /// `prefix_ranges`, of the destination.
    pub prefix_ranges: Vec<CidrRange>,
    /// `server_names`.
    pub server_names: Vec<ServerName>,
    /// `transport_protocol`: `tls`, `raw_buffer` or a name of the user's own; empty means any.
    pub transport_protocol: String,
    /// `application_protocols`.
    pub application_protocols: Vec<String>,
    /// `direct_source_prefix_ranges`.
    pub direct_source_prefix_ranges: Vec<CidrRange>,
    /// `source_type`.
    pub source_type: Option<SourceType>,
    /// `source_prefix_ranges`.
    pub source_prefix_ranges: Vec<CidrRange>,
    /// `source_ports`.
    pub source_ports: Vec<u16>,
}

/// One of `server_names`, in lower case: names of hosts are the same in either (RFC 4343).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerName {
    /// The whole name.
    Exact(String),
    /// `*.example.com`, without the asterisk: any name with this end.
    Suffix(String),
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceType {
    /// `SAME_IP_OR_LOOPBACK`.
    SameIpOrLoopback,
    /// `EXTERNAL`.
    External,
}

/// One combination of values; absent means any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatchPoint<'a> {
    /// Of `destination_port`.
    pub destination_port: Option<u16>,
    /// Of `prefix_ranges`.
    pub prefix_range: Option<CidrRange>,
    /// Of `server_names`.
    pub server_name: Option<&'a ServerName>,
    /// Of `transport_protocol`.
    pub transport_protocol: Option<&'a str>,
    /// Of `application_protocols`.
    pub application_protocol: Option<&'a str>,
    /// Of `direct_source_prefix_ranges`.
    pub direct_source_prefix_range: Option<CidrRange>,
    /// Of `source_type`.
    pub source_type: Option<SourceType>,
    /// Of `source_prefix_ranges`.
    pub source_prefix_range: Option<CidrRange>,
    /// Of `source_ports`.
    pub source_port: Option<u16>,
}

impl FilterChainMatch {
    /// Every combination of its values.
    pub fn points(&self) -> Vec<MatchPoint<'_>> {
        let transport_protocol = self.transport_protocol.as_str();
        let mut points = vec![MatchPoint {
            destination_port: self.destination_port,
            prefix_range: None,
            server_name: None,
            transport_protocol: Some(transport_protocol).filter(|name| !name.is_empty()),
            application_protocol: None,
            direct_source_prefix_range: None,
            source_type: self.source_type,
            source_prefix_range: None,
            source_port: None,
        }];
        spread(&mut points, &self.prefix_ranges, |point, range| {
            point.prefix_range = Some(*range);
        });
        spread(&mut points, &self.server_names, |point, name| point.server_name = Some(name));
        spread(&mut points, &self.application_protocols, |point, name| {
            point.application_protocol = Some(name);
        });
        spread(&mut points, &self.direct_source_prefix_ranges, |point, range| {
            point.direct_source_prefix_range = Some(*range);
        });
        spread(&mut points, &self.source_prefix_ranges, |point, range| {
            point.source_prefix_range = Some(*range);
        });
        spread(&mut points, &self.source_ports, |point, port| point.source_port = Some(*port));
        points
    }

    pub(crate) fn from_wire(wire: &wire::FilterChainMatch, at: &At<'_>) -> Option<Self> {
        let ranges = |wire, name| ranges(wire, &at.field(name));
        let prefix_ranges = ranges(&wire.prefix_ranges, "prefix_ranges");
        let direct = ranges(&wire.direct_source_prefix_ranges, "direct_source_prefix_ranges");
        let source = ranges(&wire.source_prefix_ranges, "source_prefix_ranges");
        Some(Self {
            // The field rules hold ports to 65535.
            destination_port: wire.destination_port.and_then(|port| port.value.try_into().ok()),
            server_names: server_names(&wire.server_names, &at.field("server_names"))?,
            transport_protocol: wire.transport_protocol.clone(),
            application_protocols: wire.application_protocols.clone(),
            source_type: match wire.source_type() {
                WireSourceType::Any => None,
                WireSourceType::SameIpOrLoopback => Some(SourceType::SameIpOrLoopback),
                WireSourceType::External => Some(SourceType::External),
            },
            prefix_ranges: prefix_ranges?,
            direct_source_prefix_ranges: direct?,
            source_prefix_ranges: source?,
            source_ports: wire
                .source_ports
                .iter()
                .filter_map(|port| (*port).try_into().ok())
                .collect(),
        })
    }
}

/// Makes of each point one for each value; no values leave the points as they are.
fn spread<'a, T>(
    points: &mut Vec<MatchPoint<'a>>,
    values: &'a [T],
    set: impl Fn(&mut MatchPoint<'a>, &'a T),
) {
    if values.is_empty() {
        return;
    }
    let with = |point: &MatchPoint<'a>, value: &'a T| {
        let mut point = *point;
        set(&mut point, value);
        point
    };
    *points = points
        .iter()
        .flat_map(|point| values.iter().map(|value| with(point, value)).collect::<Vec<_>>())
        .collect();
}

fn ranges(wire: &[core::CidrRange], at: &At<'_>) -> Option<Vec<CidrRange>> {
    let read = |(index, range)| CidrRange::from_wire(range, &at.index(index));
    let all: Vec<_> = wire.iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

fn server_names(wire: &[String], at: &At<'_>) -> Option<Vec<ServerName>> {
    let read = |(index, name): (usize, &String)| match name.strip_prefix('*') {
        Some(suffix) if suffix.starts_with('.') && !suffix.contains('*') => {
            Some(ServerName::Suffix(suffix.to_ascii_lowercase()))
        }
        // To Envoy, a name that begins with a dot is what is left of a wildcard.
        None if name.starts_with('.') && !name.contains('*') => {
            Some(ServerName::Suffix(name.to_ascii_lowercase()))
        }
        None if !name.contains('*') => Some(ServerName::Exact(name.to_ascii_lowercase())),
        _ => {
            at.index(index)
                .error("a wildcard must be the first of a name's labels: '*.example.com'");
            None
        }
    };
    let all: Vec<_> = wire.iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

/// Reports each chain that shares a combination with another or names one twice: which of the two
/// serves would be chance.
pub(crate) fn report_overlaps<'a>(
    matches: impl Iterator<Item = &'a FilterChainMatch>,
    at: &At<'_>,
) {
    let mut taken: HashMap<MatchPoint<'a>, usize> = HashMap::new();
    for (index, chain) in matches.enumerate() {
        let owner = chain.points().into_iter().find_map(|point| taken.insert(point, index));
        let Some(owner) = owner else { continue };
        let at = at.index(index);
        let match_at = at.field("filter_chain_match");
        let at = if *chain == FilterChainMatch::default() { &at } else { &match_at };
        at.error_at_key(match owner == index {
            true => Note::from("a combination of values is named twice")
                .help("remove the value that stands twice"),
            false => Note::from(format!("filter_chains[{owner}] matches the same connections"))
                .help("let a value of the one differ, or put both into one chain"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_the_product_of_the_lists() {
        let names = ["a", "b"].map(|name| ServerName::Exact(name.into()));
        let chain = FilterChainMatch {
            server_names: names.to_vec(),
            source_ports: vec![1, 2, 3],
            ..Default::default()
        };
        let points = chain.points();
        assert_eq!(points.len(), 6);
        assert!(points.iter().all(|point| point.application_protocol.is_none()));
        assert_eq!(points[0].server_name, Some(&chain.server_names[0]));
        assert_eq!(points[5].source_port, Some(3));
        assert_eq!(FilterChainMatch::default().points().len(), 1);
    }
}

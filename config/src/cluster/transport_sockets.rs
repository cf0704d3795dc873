//! Which transport socket is used towards which host: `transport_socket` and
//! `transport_socket_matches`.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use serde_json::Value;

use crate::metadata::{fields_in, fields_of};
use crate::proxy_protocol::UpstreamProxyProtocol;
use crate::report::{At, Note};
use crate::transport_socket::UpstreamTransportSocket;

/// The namespace of the metadata that decides.
const NAMESPACE: &str = "envoy.transport_socket_match";

/// The transport sockets of a cluster. They are known by their places: 0 is the default, the others
/// follow.
#[derive(Debug, Clone, Default)]
pub struct TransportSockets {
    /// `transport_socket`, or the one within that of the PROXY protocol: for hosts that no match is
    /// for.
    pub default: UpstreamTransportSocket,
    /// `transport_socket_matches`, in file order.
    pub matches: Vec<TransportSocketMatch>,
}

/// `envoy.config.cluster.v3.Cluster.TransportSocketMatch`.
#[derive(Debug, Clone)]
pub struct TransportSocketMatch {
    /// `name`, which stats carry.
    pub name: String,
    /// `match`: what the labels of a host have to hold; empty is for every host.
    pub criteria: BTreeMap<String, Value>,
    /// `transport_socket`.
    pub transport_socket: UpstreamTransportSocket,
}

/// What the metadata of a host says for its transport socket (`envoy.transport_socket_match`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketLabels {
    /// That of the endpoint, which is asked first.
    pub endpoint: BTreeMap<String, Value>,
    /// That of its locality.
    pub locality: BTreeMap<String, Value>,
}

impl TransportSockets {
    /// Reads the fields `transport_socket` and `transport_socket_matches`, and what the former says of
    /// the PROXY protocol.
    pub(super) fn from_wire(
        wire: &wire::Cluster,
        at: &At<'_>,
    ) -> (Self, Option<UpstreamProxyProtocol>) {
        let (socket, socket_at) = (wire.transport_socket.as_ref(), at.field("transport_socket"));
        let (proxy_protocol, default) = match UpstreamProxyProtocol::around(socket, &socket_at) {
            Some((proxy_protocol, inner)) => (Some(proxy_protocol), Some(inner)),
            None => (None, UpstreamTransportSocket::from_wire(socket, &socket_at)),
        };
        let at = at.field("transport_socket_matches");
        let matches = wire.transport_socket_matches.iter().enumerate();
        let matches = matches
            .filter_map(|(index, wire)| TransportSocketMatch::from_wire(wire, &at.index(index)));
        // Without one there is an error, and no proxy.
        let default = default.unwrap_or_default();
        (Self { default, matches: matches.collect() }, proxy_protocol)
    }

    /// All of them, by their places.
    pub fn iter(&self) -> impl Iterator<Item = &UpstreamTransportSocket> + Clone {
        let matches = self.matches.iter().map(|matched| &matched.transport_socket);
        std::iter::once(&self.default).chain(matches)
    }

    /// The place of the one for a host with these `labels`.
    pub fn place_for(&self, labels: &SocketLabels) -> usize {
        let of = |labels: &BTreeMap<String, Value>| {
            self.matches.iter().position(|matched| matched.holds_for(labels))
        };
        let found = of(&labels.endpoint).or_else(|| of(&labels.locality));
        found.map_or(0, |index| index + 1)
    }
}

impl TransportSocketMatch {
    fn from_wire(wire: &wire::cluster::TransportSocketMatch, at: &At<'_>) -> Option<Self> {
        let socket = wire.transport_socket.as_ref();
        if socket.is_none() {
            at.error_at_key("'transport_socket' is required");
        }
        let at = at.field("transport_socket");
        if UpstreamProxyProtocol::around(socket, &at).is_some() {
            let note = Note::from(
                "the PROXY protocol for some hosts only is known to Envoy, not \
                 supported by ringmain",
            )
            .help("put it around the cluster's 'transport_socket'");
            at.field("typed_config").error(note);
        }
        Some(Self {
            name: wire.name.clone(),
            criteria: wire.r#match.as_ref().map(fields_of).unwrap_or_default(),
            transport_socket: UpstreamTransportSocket::from_wire(socket, &at)?,
        })
    }

    fn holds_for(&self, labels: &BTreeMap<String, Value>) -> bool {
        self.criteria.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

impl SocketLabels {
    pub(super) fn from_wire(
        endpoint: Option<&core::Metadata>,
        locality: Option<&core::Metadata>,
    ) -> Self {
        Self { endpoint: fields_in(NAMESPACE, endpoint), locality: fields_in(NAMESPACE, locality) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    fn sockets(criteria: &[&str]) -> TransportSockets {
        let matches = criteria.iter().map(|criteria| TransportSocketMatch {
            name: String::new(),
            criteria: labels(criteria),
            transport_socket: UpstreamTransportSocket::RawBuffer,
        });
        TransportSockets { matches: matches.collect(), ..TransportSockets::default() }
    }

    #[test]
    fn the_first_match_of_the_endpoint_counts_then_that_of_the_locality() {
        let sockets = sockets(&[r#"{"a": "x", "b": true}"#, r#"{"a": "x"}"#, r#"{"c": 1}"#]);
        let place = |endpoint: &str, locality: &str| {
            let (endpoint, locality) = (labels(endpoint), labels(locality));
            sockets.place_for(&SocketLabels { endpoint, locality })
        };
        assert_eq!(place(r#"{"a": "x", "b": true, "d": 1}"#, "{}"), 1);
        assert_eq!(place(r#"{"a": "x", "b": false}"#, "{}"), 2);
        assert_eq!(place(r#"{"a": "y"}"#, "{}"), 0);
        assert_eq!(place("{}", r#"{"c": 1}"#), 3);
        assert_eq!(place(r#"{"a": "x"}"#, r#"{"c": 1}"#), 2);
    }

    #[test]
    fn a_match_without_criteria_is_for_everybody() {
        assert_eq!(sockets(&["{}"]).place_for(&SocketLabels::default()), 1);
    }
}

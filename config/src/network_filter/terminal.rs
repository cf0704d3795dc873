//! The last network filter of a chain: it serves the connection.

use envoy_types::pb::envoy::config::listener::v3 as wire;
use envoy_types::pb::envoy::extensions::filters::network as extensions;
use envoy_types::pb::google::protobuf::Any;
use extensions::direct_response::v3::Config as WireDirectResponse;
use extensions::echo::v3::Echo;
use extensions::http_connection_manager::v3::HttpConnectionManager as WireManager;
use extensions::tcp_proxy::v3::TcpProxy as WireTcpProxy;

use super::typed_config;
use crate::cluster_names::ClusterNames;
use crate::data_source;
use crate::http_connection_manager::HttpConnectionManager;
use crate::report::{At, Note};
use crate::tcp_proxy::TcpProxy;
use crate::wire::unpack;

/// A filter that serves a connection, by its `typed_config` type.
#[derive(Debug, Clone)]
pub enum TerminalFilter {
    /// `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`.
    HttpConnectionManager(Box<HttpConnectionManager>),
    /// `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`.
    TcpProxy(Box<TcpProxy>),
    /// `envoy.extensions.filters.network.echo.v3.Echo`: sends back what comes.
    Echo,
    /// `envoy.extensions.filters.network.direct_response.v3.Config`: sends `response` and closes.
    DirectResponse(Vec<u8>),
}

/// A terminal filter as written.
enum Wire {
    Manager(Box<WireManager>),
    TcpProxy(Box<WireTcpProxy>),
    Echo,
    DirectResponse(WireDirectResponse),
}

impl Wire {
    fn of(any: &Any) -> Option<Self> {
        let manager = || unpack(any).map(|wire| Self::Manager(Box::new(wire)));
        let proxy = || unpack(any).map(|wire| Self::TcpProxy(Box::new(wire)));
        let echo = || unpack::<Echo>(any).map(|_| Self::Echo);
        let response = || unpack(any).map(Self::DirectResponse);
        manager().or_else(proxy).or_else(echo).or_else(response)
    }
}

/// Whether `any` is one that serves connections.
pub(super) fn is_terminal(any: &Any) -> bool {
    Wire::of(any).is_some()
}

impl TerminalFilter {
    pub(super) fn from_wire(
        wire: &wire::Filter,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let Some(any) = typed_config(wire) else {
            at.error(Note::typed_config_required());
            return None;
        };
        let Some(filter) = Wire::of(any) else {
            at.error(
                Note::from("the last network filter must be one that serves the connection")
                    .help("end the chain with an HttpConnectionManager or a TcpProxy"),
            );
            return None;
        };
        let at = at.field("typed_config");
        Some(match filter {
            Wire::Manager(wire) => {
                let manager = HttpConnectionManager::from_wire(&wire, clusters, &at)?;
                Self::HttpConnectionManager(Box::new(manager))
            }
            Wire::TcpProxy(wire) => {
                Self::TcpProxy(Box::new(TcpProxy::from_wire(&wire, clusters, &at)?))
            }
            Wire::Echo => Self::Echo,
            Wire::DirectResponse(wire) => Self::DirectResponse(match &wire.response {
                Some(response) => data_source::read(response, &at.field("response"))?,
                None => Vec::new(),
            }),
        })
    }
}

//! Transport sockets (`envoy.config.core.v3.TransportSocket`).

use std::sync::Arc;

use core::transport_socket::ConfigType;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport as WireProxyProtocol;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use prost::{Message, Name};

use crate::proxy_protocol::UpstreamProxyProtocol;
use crate::report::{At, Note};
use crate::tls::{DownstreamTlsContext, UpstreamTlsContext};
use crate::wire::unpack;

/// What stands between a client's socket and what is spoken on it.
#[derive(Debug, Clone, Default)]
pub enum DownstreamTransportSocket {
    /// `envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer`, the default: nothing.
    #[default]
    RawBuffer,
    /// `envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`.
    Tls(Arc<DownstreamTlsContext>),
}

/// The same on the way to a host.
#[derive(Debug, Clone, Default)]
pub enum UpstreamTransportSocket {
    /// `envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer`, the default: nothing.
    #[default]
    RawBuffer,
    /// `envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`.
    Tls(Arc<UpstreamTlsContext>),
}

impl DownstreamTransportSocket {
    /// Reads the field `transport_socket`, at `at`.
    pub(crate) fn from_wire(wire: Option<&core::TransportSocket>, at: &At<'_>) -> Option<Self> {
        require_type(wire, at)?;
        let typed_at = at.field("typed_config");
        if let Some(context) = held::<tls::DownstreamTlsContext>(wire) {
            let context = DownstreamTlsContext::from_wire(&context, &typed_at)?;
            return Some(Self::Tls(Arc::new(context)));
        }
        if held::<tls::UpstreamTlsContext>(wire).is_some() {
            let note = Note::from(
                "'UpstreamTlsContext' is for clusters; a filter chain has a \
                 'DownstreamTlsContext'",
            )
            .help("write DownstreamTlsContext");
            typed_at.error(note);
        }
        if held::<WireProxyProtocol>(wire).is_some() {
            typed_at.error(
                Note::from("'ProxyProtocolUpstreamTransport' is for clusters")
                    .help("a listener reads the protocol by the listener filter 'proxy_protocol'"),
            );
        }
        Some(Self::RawBuffer)
    }
}

impl UpstreamTransportSocket {
    /// Reads the field `transport_socket`, at `at`.
    pub(crate) fn from_wire(wire: Option<&core::TransportSocket>, at: &At<'_>) -> Option<Self> {
        require_type(wire, at)?;
        let typed_at = at.field("typed_config");
        if let Some(context) = held::<tls::UpstreamTlsContext>(wire) {
            let context = UpstreamTlsContext::from_wire(&context, &typed_at)?;
            return Some(Self::Tls(Arc::new(context)));
        }
        if held::<tls::DownstreamTlsContext>(wire).is_some() {
            let note = Note::from(
                "'DownstreamTlsContext' is for filter chains; a cluster has an \
                 'UpstreamTlsContext'",
            )
            .help("write UpstreamTlsContext");
            typed_at.error(note);
        }
        Some(Self::RawBuffer)
    }
}

impl UpstreamProxyProtocol {
    /// Reads the field `transport_socket`, at `at`, where it is one around another: both.
    pub(crate) fn around(
        wire: Option<&core::TransportSocket>,
        at: &At<'_>,
    ) -> Option<(Self, UpstreamTransportSocket)> {
        let outer = held::<WireProxyProtocol>(wire)?;
        let at = at.field("typed_config");
        let inner = outer.transport_socket.as_ref();
        Some((
            Self::from_wire(&outer, &at)?,
            UpstreamTransportSocket::from_wire(inner, &at.field("transport_socket"))?,
        ))
    }
}

/// The name alone chooses no transport socket: bytes would travel in plain where it speaks of TLS.
fn require_type(wire: Option<&core::TransportSocket>, at: &At<'_>) -> Option<()> {
    if wire.is_some_and(|socket| socket.config_type.is_none()) {
        at.error(Note::typed_config_required());
        return None;
    }
    Some(())
}

/// The configuration in `wire`, if it is a `T`.
fn held<T: Message + Name + Default>(wire: Option<&core::TransportSocket>) -> Option<T> {
    match &wire?.config_type {
        Some(ConfigType::TypedConfig(any)) => unpack(any),
        None => None,
    }
}

//! Listener filters (`envoy.config.listener.v3.ListenerFilter`): what is found out about a connection
//! before its filter chain is chosen.

use envoy_types::pb::envoy::config::core::v3::proxy_protocol_config::Version as WireVersion;
use envoy_types::pb::envoy::config::listener::v3 as wire;
use envoy_types::pb::envoy::extensions::filters::listener as extensions;
use extensions::http_inspector::v3::HttpInspector;
use extensions::original_dst::v3::OriginalDst;
use extensions::proxy_protocol::v3::ProxyProtocol as WireProxyProtocol;
use extensions::proxy_protocol::v3::proxy_protocol::Rule as WireRule;
use extensions::tls_inspector::v3::TlsInspector as WireTlsInspector;
use wire::listener_filter::ConfigType;

use crate::proxy_protocol::PassThroughTlvs;
use crate::report::{At, Note};
use crate::wire::unpack;

/// Where `rules` put what they find, if they do not say.
const PROXY_PROTOCOL_NAMESPACE: &str = "envoy.filters.listener.proxy_protocol";

const CLIENT_HELLO_BYTES_MAX: u32 = 16 * 1024;

/// A listener filter, by its `typed_config` type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerFilter {
    /// `envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector`.
    TlsInspector(TlsInspector),
    /// `envoy.extensions.filters.listener.http_inspector.v3.HttpInspector`.
    HttpInspector,
    /// `envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol`.
    ProxyProtocol(ProxyProtocol),
    /// `envoy.extensions.filters.listener.original_dst.v3.OriginalDst`.
    OriginalDst,
}

/// Finds the name and the protocols that a TLS client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInspector {
    /// `max_client_hello_size` in bytes with the heads of records, default and most 16 KiB.
    pub max_client_hello_size: usize,
    /// `close_connection_on_client_hello_parsing_errors`, default false: what is no TLS is passed on.
    pub closes_on_errors: bool,
    /// `enable_ja3_fingerprinting`, default false.
    pub enable_ja3_fingerprinting: bool,
    /// `enable_ja4_fingerprinting`, default false.
    pub enable_ja4_fingerprinting: bool,
}

/// Takes the client's address from a PROXY header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// `allow_requests_without_proxy_protocol`, default false.
    pub allow_requests_without_proxy_protocol: bool,
    /// `disallowed_versions` holds `V1`.
    pub disallows_v1: bool,
    /// `disallowed_versions` holds `V2`.
    pub disallows_v2: bool,
    /// `stat_prefix`; empty means none.
    pub stat_prefix: String,
    /// `pass_through_tlvs`, default none: vectors that are kept for hosts that want them.
    pub pass_through_tlvs: PassThroughTlvs,
    /// `rules`, in file order.
    pub rules: Vec<TlvRule>,
}

/// `envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.Rule`: a vector whose value becomes
/// dynamic metadata of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlvRule {
    /// `tlv_type`.
    pub tlv_type: u8,
    /// `on_tlv_present.metadata_namespace`, default `envoy.filters.listener.proxy_protocol`.
    pub metadata_namespace: String,
    /// `on_tlv_present.key`.
    pub key: String,
}

impl ListenerFilter {
    /// Reads the field `listener_filters`.
    pub(crate) fn list_from_wire(wire: &[wire::ListenerFilter], at: &At<'_>) -> Vec<Self> {
        let at = at.field("listener_filters");
        let read = |(index, filter)| Self::from_wire(filter, &at.index(index));
        wire.iter().enumerate().filter_map(read).collect()
    }

    fn from_wire(wire: &wire::ListenerFilter, at: &At<'_>) -> Option<Self> {
        let Some(ConfigType::TypedConfig(any)) = &wire.config_type else {
            at.error(Note::typed_config_required());
            return None;
        };
        if let Some(wire) = unpack::<WireTlsInspector>(any) {
            Some(Self::TlsInspector(TlsInspector::from_wire(&wire)))
        } else if let Some(wire) = unpack::<WireProxyProtocol>(any) {
            Some(Self::ProxyProtocol(ProxyProtocol::from_wire(&wire)))
        } else if unpack::<HttpInspector>(any).is_some() {
            Some(Self::HttpInspector)
        } else {
            // Of another type, which the user wants ignored.
            unpack::<OriginalDst>(any).map(|_| Self::OriginalDst)
        }
    }
}

impl TlsInspector {
    fn from_wire(wire: &WireTlsInspector) -> Self {
        let size = wire.max_client_hello_size.map_or(CLIENT_HELLO_BYTES_MAX, |size| size.value);
        Self {
            max_client_hello_size: usize::try_from(size).unwrap_or(usize::MAX),
            closes_on_errors: wire.close_connection_on_client_hello_parsing_errors,
            enable_ja3_fingerprinting: wire.enable_ja3_fingerprinting.is_some_and(|on| on.value),
            enable_ja4_fingerprinting: wire.enable_ja4_fingerprinting.is_some_and(|on| on.value),
        }
    }
}

impl ProxyProtocol {
    fn from_wire(wire: &WireProxyProtocol) -> Self {
        let disallows = |version| wire.disallowed_versions().any(|one| one == version);
        Self {
            allow_requests_without_proxy_protocol: wire.allow_requests_without_proxy_protocol,
            disallows_v1: disallows(WireVersion::V1),
            disallows_v2: disallows(WireVersion::V2),
            stat_prefix: wire.stat_prefix.clone(),
            pass_through_tlvs: PassThroughTlvs::from_wire(wire.pass_through_tlvs.as_ref()),
            rules: wire.rules.iter().filter_map(TlvRule::from_wire).collect(),
        }
    }
}

impl TlvRule {
    fn from_wire(wire: &WireRule) -> Option<Self> {
        let target = wire.on_tlv_present.clone().unwrap_or_default();
        let metadata_namespace = match target.metadata_namespace.as_str() {
            "" => PROXY_PROTOCOL_NAMESPACE.to_owned(),
            named => named.to_owned(),
        };
        // The field rules have seen to its range.
        let tlv_type = u8::try_from(wire.tlv_type).ok()?;
        Some(Self { tlv_type, metadata_namespace, key: target.key })
    }
}

//! The PROXY protocol towards upstreams (`envoy.config.core.v3.ProxyProtocolConfig`), and which
//! type-length-value vectors of clients' headers are passed on.

use envoy_types::pb::envoy::config::core::v3 as wire;
use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3 as extension;
use wire::proxy_protocol_config::Version as WireVersion;
use wire::proxy_protocol_pass_through_tl_vs::PassTlVsMatchType;

use crate::report::At;

/// Tells a host who its client is, before all else
/// (`envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamProxyProtocol {
    /// `config.version`, default V1.
    pub version: ProxyProtocolVersion,
    /// `config.pass_through_tlvs`, default none: which vectors of the client's header go on.
    pub pass_through_tlvs: PassThroughTlvs,
    /// `config.added_tlvs`, in file order: types and values, in place of the client's of those types.
    pub added_tlvs: Vec<(u8, Vec<u8>)>,
}

/// `envoy.config.core.v3.ProxyProtocolConfig.Version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocolVersion {
    /// `V1`, a line of text without vectors.
    V1,
    /// `V2`, binary.
    V2,
}

/// `envoy.config.core.v3.ProxyProtocolPassThroughTLVs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PassThroughTlvs {
    /// Absent: none.
    #[default]
    None,
    /// `match_type: INCLUDE_ALL`.
    All,
    /// `match_type: INCLUDE`: those of one `tlv_type`.
    Types(Vec<u8>),
}

impl PassThroughTlvs {
    /// Reads the field `pass_through_tlvs`.
    pub(crate) fn from_wire(wire: Option<&wire::ProxyProtocolPassThroughTlVs>) -> Self {
        let Some(wire) = wire else { return Self::None };
        if wire.match_type() == PassTlVsMatchType::IncludeAll {
            return Self::All;
        }
        // The field rules have seen to their range.
        Self::Types(wire.tlv_type.iter().filter_map(|kind| u8::try_from(*kind).ok()).collect())
    }

    /// Whether vectors of the type `kind` go on.
    pub fn includes(&self, kind: u8) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Types(kinds) => kinds.contains(&kind),
        }
    }
}

impl UpstreamProxyProtocol {
    pub(crate) fn from_wire(
        wire: &extension::ProxyProtocolUpstreamTransport,
        at: &At<'_>,
    ) -> Option<Self> {
        let Some(config) = &wire.config else {
            at.error_at_key("'config' is required");
            return None;
        };
        let at = at.field("config");
        let added = config.added_tlvs.iter().enumerate();
        let read = |(index, tlv)| added_tlv(tlv, &at.field("added_tlvs").index(index));
        Some(Self {
            version: match config.version() {
                WireVersion::V1 => ProxyProtocolVersion::V1,
                WireVersion::V2 => ProxyProtocolVersion::V2,
            },
            pass_through_tlvs: PassThroughTlvs::from_wire(config.pass_through_tlvs.as_ref()),
            added_tlvs: added.filter_map(read).collect(),
        })
    }
}

fn added_tlv(wire: &wire::TlvEntry, at: &At<'_>) -> Option<(u8, Vec<u8>)> {
    if wire.value.is_empty() {
        at.error("'value' is required");
    }
    // The field rules have seen to its range.
    Some((u8::try_from(wire.r#type).ok()?, wire.value.clone()))
}

//! What a matcher tree of policies looks at (`envoy.extensions.matching.common_inputs` and
//! `envoy.type.matcher.v3`).

use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3 as network;
use envoy_types::pb::envoy::extensions::matching::common_inputs::ssl::v3 as ssl;
use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;

use crate::matcher::looked_up_name;
use crate::report::{At, Note};
use crate::wire::unpack;

/// An input, by the type of its `typed_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchInput {
    /// `DestinationIPInput`: our end of the downstream connection.
    DestinationIp,
    /// `DestinationPortInput`.
    DestinationPort,
    /// `SourceIPInput`: the client, as far as `x-forwarded-for` can be trusted.
    SourceIp,
    /// `SourcePortInput`.
    SourcePort,
    /// `DirectSourceIPInput`: the other end of the connection.
    DirectSourceIp,
    /// `ServerNameInput`: what the client named in TLS.
    ServerName,
    /// `UriSanInput` of the client's certificate; several are joined by commas.
    UriSan,
    /// `DnsSanInput`, likewise.
    DnsSan,
    /// `SubjectInput` of the client's certificate.
    Subject,
    /// `HttpRequestHeaderMatchInput.header_name`, lower case; `host` is `:authority`,
    /// as in Envoy. Several values are joined by commas.
    RequestHeader(String),
}

impl MatchInput {
    pub(super) fn from_wire(wire: &TypedExtensionConfig, at: &At<'_>) -> Option<Self> {
        let any = wire.typed_config.as_ref()?;
        if let Some(header) = unpack::<HttpRequestHeaderMatchInput>(any) {
            return Some(Self::RequestHeader(looked_up_name(&header.header_name)));
        }
        let known = [
            (unpack::<network::DestinationIpInput>(any).is_some(), Self::DestinationIp),
            (unpack::<network::DestinationPortInput>(any).is_some(), Self::DestinationPort),
            (unpack::<network::SourceIpInput>(any).is_some(), Self::SourceIp),
            (unpack::<network::SourcePortInput>(any).is_some(), Self::SourcePort),
            (unpack::<network::DirectSourceIpInput>(any).is_some(), Self::DirectSourceIp),
            (unpack::<network::ServerNameInput>(any).is_some(), Self::ServerName),
            (unpack::<ssl::UriSanInput>(any).is_some(), Self::UriSan),
            (unpack::<ssl::DnsSanInput>(any).is_some(), Self::DnsSan),
            (unpack::<ssl::SubjectInput>(any).is_some(), Self::Subject),
        ];
        let input = known.into_iter().find_map(|(is_it, input)| is_it.then_some(input));
        if input.is_none() {
            at.field("typed_config").error(
                Note::from("is no input that RBAC can match")
                    .help("use an input of envoy.extensions.matching.common_inputs"),
            );
        }
        input
    }

    pub(super) fn is_header(&self) -> bool {
        matches!(self, Self::RequestHeader(_))
    }
}

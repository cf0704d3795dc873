//! `tunneling_config`: a connection's bytes travel in the body of a request
//! (`envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig`).

use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy as wire;

use crate::header_mutation::HeaderValueOption;
use crate::report::{At, Note};
use crate::substitution_format::SubstitutionFormat;

/// The request that opens the tunnel.
#[derive(Debug, Clone)]
pub struct TunnelingConfig {
    /// `hostname`, of which operators are replaced: its `:authority`.
    pub hostname: SubstitutionFormat,
    /// `use_post` with `post_path` (default `/`): POST to that path in place of CONNECT.
    pub post_path: Option<String>,
    /// `headers_to_add`.
    pub headers_to_add: Vec<HeaderValueOption>,
}

impl TunnelingConfig {
    pub(super) fn from_wire(wire: &wire::TunnelingConfig, at: &At<'_>) -> Option<Self> {
        if !wire.post_path.is_empty() && !wire.use_post {
            at.field("post_path").error_at_key(
                Note::from("needs 'use_post'").help("set 'use_post: true' beside it"),
            );
        } else if wire.use_post && !wire.post_path.is_empty() && !wire.post_path.starts_with('/') {
            at.field("post_path").error("must begin with '/'");
        }
        let post_path = match wire.post_path.as_str() {
            "" => "/",
            path => path,
        };
        Some(Self {
            hostname: SubstitutionFormat::parse_at(&wire.hostname, &at.field("hostname"))?,
            post_path: wire.use_post.then(|| post_path.to_owned()),
            headers_to_add: HeaderValueOption::list_from_wire(
                &wire.headers_to_add,
                &at.field("headers_to_add"),
            ),
        })
    }
}

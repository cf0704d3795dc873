//! How connections to the hosts of a cluster are opened: `upstream_bind_config` and
//! `upstream_connection_options`.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::core::v3 as wire;

use crate::address::ip_and_port;
use crate::report::At;
use crate::socket_option::{SocketOption, SocketState, TcpKeepalive};

/// What sockets for connections to hosts are like. What is absent is as the system has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// `upstream_bind_config`, else that of `cluster_manager`.
    pub bind: BindConfig,
    /// `upstream_connection_options.tcp_keepalive`.
    pub tcp_keepalive: Option<TcpKeepalive>,
}

/// `envoy.config.core.v3.BindConfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BindConfig {
    /// `source_address`; port 0 lets the kernel choose.
    pub source_address: Option<SocketAddr>,
    /// `freebind`: whether the source address need not be this machine's.
    pub freebind: Option<bool>,
    /// `socket_options`. Of a socket that connects, Envoy sets those for `STATE_PREBIND` only.
    pub socket_options: Vec<SocketOption>,
}

impl ConnectOptions {
    /// `default` is the `upstream_bind_config` of `cluster_manager`.
    pub(super) fn from_wire(wire: &cluster::Cluster, default: &BindConfig, at: &At<'_>) -> Self {
        let bind = wire.upstream_bind_config.as_ref();
        let bind = bind.map(|bind| BindConfig::from_wire(bind, &at.field("upstream_bind_config")));
        let keepalive = wire.upstream_connection_options.and_then(|options| options.tcp_keepalive);
        Self {
            bind: bind.unwrap_or_else(|| default.clone()),
            tcp_keepalive: keepalive.map(TcpKeepalive::from_wire),
        }
    }

    /// Whether every socket is as the system makes it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl BindConfig {
    /// Reads a field `upstream_bind_config`, which `at` stands for.
    pub(crate) fn from_wire(wire: &wire::BindConfig, at: &At<'_>) -> Self {
        let source = wire.source_address.as_ref();
        let options_at = at.field("socket_options");
        let socket_options = SocketOption::list_from_wire(&wire.socket_options, &options_at);
        if socket_options.iter().any(|option| option.state != SocketState::Prebind) {
            options_at.warn(
                "of sockets that connect only options for STATE_PREBIND are set, as in Envoy",
            );
        }
        Self {
            source_address: source
                .and_then(|source| ip_and_port(source, &at.field("source_address"))),
            freebind: wire.freebind.map(|freebind| freebind.value),
            socket_options,
        }
    }
}

//! How connections to the hosts of a cluster are opened: `upstream_bind_config` and
//! `upstream_connection_options`.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::core::v3 as wire;

use crate::address::ip_and_port;
use crate::report::{At, Note};
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
    /// `extra_source_addresses`: one at most, of the other IP version, and only beside a `source_address`.
    pub extra_source_address: Option<ExtraSourceAddress>,
    /// `freebind`: whether the source address need not be this machine's.
    pub freebind: Option<bool>,
    /// `socket_options`. Of a socket that connects, Envoy sets those for `STATE_PREBIND` only.
    pub socket_options: Vec<SocketOption>,
}

/// `envoy.config.core.v3.ExtraSourceAddress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraSourceAddress {
    /// `address`.
    pub address: SocketAddr,
    /// `socket_options`, in place of those of the `BindConfig`.
    pub socket_options: Option<Vec<SocketOption>>,
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
        let source_address =
            source.and_then(|source| ip_and_port(source, &at.field("source_address")));
        let extra_at = at.field("extra_source_addresses");
        Self {
            extra_source_address: ExtraSourceAddress::from_wire(
                &wire.extra_source_addresses,
                source_address,
                &extra_at,
            ),
            source_address,
            freebind: wire.freebind.map(|freebind| freebind.value),
            socket_options: socket_options(&wire.socket_options, &at.field("socket_options")),
        }
    }

    /// The source address and socket options for connections to `host`: those of its IP version where there
    /// are such, else the first.
    pub fn towards(&self, host: SocketAddr) -> (Option<SocketAddr>, &[SocketOption]) {
        let is_of_version = |source: SocketAddr| source.is_ipv4() == host.is_ipv4();
        match &self.extra_source_address {
            Some(extra) if is_of_version(extra.address) => {
                let options = extra.socket_options.as_ref().unwrap_or(&self.socket_options);
                (Some(extra.address), options)
            }
            _ => (self.source_address, &self.socket_options),
        }
    }
}

impl ExtraSourceAddress {
    /// Reads the field `extra_source_addresses`, which stands beside `source`.
    fn from_wire(
        wire: &[wire::ExtraSourceAddress],
        source: Option<SocketAddr>,
        at: &At<'_>,
    ) -> Option<Self> {
        let first = wire.first()?;
        if wire.len() > 1 {
            at.index(1).error(
                Note::from("one extra source address is all that there can be")
                    .help("keep the one whose IP version 'source_address' does not have"),
            );
        }
        let at = at.index(0);
        let address = ip_and_port(first.address.as_ref()?, &at.field("address"))?;
        match source {
            None => at.error(
                Note::from("an extra source address needs a 'source_address' beside it")
                    .help("add 'source_address' for hosts of the other IP version"),
            ),
            Some(source) if source.is_ipv4() == address.is_ipv4() => at.error(
                Note::from(
                    "an extra source address has the other IP version than 'source_address'",
                )
                .help("write an IPv6 address beside one of IPv4, or the other way around"),
            ),
            Some(_) => {}
        }
        let options = first.socket_options.as_ref().map(|options| {
            let at = at.field("socket_options");
            socket_options(&options.socket_options, &at.field("socket_options"))
        });
        Some(Self { address, socket_options: options })
    }
}

fn socket_options(wire: &[wire::SocketOption], at: &At<'_>) -> Vec<SocketOption> {
    let options = SocketOption::list_from_wire(wire, at);
    if options.iter().any(|option| option.state != SocketState::Prebind) {
        at.warn(
            Note::from(
                "of sockets that connect only options for STATE_PREBIND are set, as in Envoy",
            )
            .help("set 'state: STATE_PREBIND'"),
        );
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_of_the_version_of_the_host_where_there_is_such() {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let v4 = address("127.0.0.2:0");
        let mut bind = BindConfig { source_address: Some(v4), ..BindConfig::default() };
        let (host_v4, host_v6) = (address("10.0.0.1:80"), address("[2001:db8::1]:80"));
        assert_eq!(bind.towards(host_v6), (Some(v4), &[][..]));
        let v6 = address("[::2]:0");
        let extra = ExtraSourceAddress { address: v6, socket_options: None };
        bind.extra_source_address = Some(extra);
        assert_eq!(bind.towards(host_v4), (Some(v4), &[][..]));
        assert_eq!(bind.towards(host_v6), (Some(v6), &[][..]));
    }
}

//! `upgrade_configs` of a connection manager and of a route: the protocols that a client may leave HTTP
//! for. A route that names one has the last word about it.

use envoy_types::pb::envoy::config::route::v3::route_action as route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;

use crate::report::{At, Note};

/// What CONNECT is called among upgrades.
pub const CONNECT: &str = "CONNECT";

/// A list of `upgrade_configs`, each protocol at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeConfigs(Vec<UpgradeConfig>);

/// One of `upgrade_configs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeConfig {
    /// `upgrade_type`, as written; compared without regard to case.
    pub upgrade_type: String,
    /// `enabled`, default true.
    pub enabled: bool,
    /// Whether there is a `connect_config`, on a route and for CONNECT only: the tunnel ends here, and
    /// the host gets what comes out of it.
    pub terminates_connect: bool,
}

impl UpgradeConfigs {
    pub(crate) fn of_manager(
        wire: &[hcm::http_connection_manager::UpgradeConfig],
        at: &At<'_>,
    ) -> Self {
        Self::from_parts(wire.iter(), at, |wire, _| UpgradeConfig {
            upgrade_type: wire.upgrade_type.clone(),
            enabled: wire.enabled.is_none_or(|enabled| enabled.value),
            terminates_connect: false,
        })
    }

    pub(crate) fn of_route(wire: &[route::UpgradeConfig], at: &At<'_>) -> Self {
        Self::from_parts(wire.iter(), at, |wire, at| {
            let terminates_connect = wire.connect_config.is_some();
            if terminates_connect && !wire.upgrade_type.eq_ignore_ascii_case(CONNECT) {
                at.field("connect_config").error_at_key(
                    Note::from(format!(
                        "'connect_config' is for CONNECT only, not for '{}'",
                        wire.upgrade_type
                    ))
                    .help("remove 'connect_config', or set 'upgrade_type: CONNECT'"),
                );
            }
            UpgradeConfig {
                upgrade_type: wire.upgrade_type.clone(),
                enabled: wire.enabled.is_none_or(|enabled| enabled.value),
                terminates_connect,
            }
        })
    }

    fn from_parts<'w, W: 'w>(
        wire: impl Iterator<Item = &'w W>,
        at: &At<'_>,
        read: impl Fn(&W, &At<'_>) -> UpgradeConfig,
    ) -> Self {
        let at = at.field("upgrade_configs");
        let mut configs = Self::default();
        for (index, wire) in wire.enumerate() {
            let at = at.index(index);
            let config = read(wire, &at);
            if configs.find(config.upgrade_type.as_bytes()).is_some() {
                at.field("upgrade_type").error(
                    Note::from(format!("'{}' is configured more than once", config.upgrade_type))
                        .help("remove one of them"),
                );
            }
            configs.0.push(config);
        }
        configs
    }

    /// What is said about the protocol `upgrade_type`.
    pub fn find(&self, upgrade_type: &[u8]) -> Option<&UpgradeConfig> {
        let named = |config: &&UpgradeConfig| {
            config.upgrade_type.as_bytes().eq_ignore_ascii_case(upgrade_type)
        };
        self.0.iter().find(named)
    }
}

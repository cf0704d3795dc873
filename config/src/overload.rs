//! What the process refuses when it has too much to do (`envoy.config.overload.v3`).

use envoy_types::pb::envoy::config::overload::v3 as wire;
use envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;
use wire::resource_monitor::ConfigType;

use crate::report::At;
use crate::wire::unpack;

/// The name by which Envoy finds the monitor, beside the type of its configuration.
const DOWNSTREAM_CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";

/// `envoy.config.overload.v3.OverloadManager`.
#[derive(Debug, Clone, Default)]
pub struct OverloadManager {
    /// `max_active_downstream_connections` of the resource monitor
    /// `envoy.resource_monitors.global_downstream_max_connections`, over all listeners.
    pub max_active_downstream_connections: Option<u64>,
}

impl OverloadManager {
    /// Reads `overload_manager`, which `at` stands for.
    pub(crate) fn from_wire(wire: &wire::OverloadManager, at: &At<'_>) -> Self {
        let at = at.field("resource_monitors");
        let mut max = None;
        for (index, monitor) in wire.resource_monitors.iter().enumerate() {
            let at = at.index(index);
            let Some(ConfigType::TypedConfig(config)) = &monitor.config_type else {
                at.error_at_key("'typed_config' is required");
                continue;
            };
            // Other types have not passed the gate.
            let Some(config) = unpack::<DownstreamConnectionsConfig>(config) else { continue };
            if monitor.name != DOWNSTREAM_CONNECTIONS {
                at.field("name").error(format!(
                    "no resource monitor of that name, is '{}'; this type's is \
                     '{DOWNSTREAM_CONNECTIONS}'",
                    monitor.name
                ));
            } else if max.is_some() {
                at.field("name").error(format!("duplicate resource monitor '{}'", monitor.name));
            }
            max = u64::try_from(config.max_active_downstream_connections).ok();
        }
        Self { max_active_downstream_connections: max }
    }
}

//! What the process refuses when it has too much to do (`envoy.config.overload.v3`).

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::overload::v3 as wire;
use envoy_types::pb::envoy::extensions::resource_monitors::cgroup_memory::v3::CgroupMemoryConfig;
use envoy_types::pb::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;
use envoy_types::pb::envoy::extensions::resource_monitors::fixed_heap::v3::FixedHeapConfig;
use wire::resource_monitor::ConfigType;
use wire::trigger::TriggerOneof;

use crate::duration;
use crate::report::{At, Note, did_you_mean};
use crate::wire::unpack;

/// The names by which Envoy finds a monitor, beside the type of its configuration.
const DOWNSTREAM_CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
const FIXED_HEAP: &str = "envoy.resource_monitors.fixed_heap";
const CGROUP_MEMORY: &str = "envoy.resource_monitors.cgroup_memory";

const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// `envoy.config.overload.v3.OverloadManager`.
#[derive(Debug, Clone)]
pub struct OverloadManager {
    /// `refresh_interval`, default 1 s: how often the pressure is looked at.
    pub refresh_interval: Duration,
    /// `max_active_downstream_connections` of the resource monitor
    /// `envoy.resource_monitors.global_downstream_max_connections`, over all listeners.
    pub max_active_downstream_connections: Option<u64>,
    /// `resource_monitors` whose pressure triggers actions, each once.
    pub monitors: Vec<ResourceMonitor>,
    /// `actions`, each once.
    pub actions: Vec<OverloadAction>,
}

/// `envoy.config.overload.v3.ResourceMonitor`: something that can be scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceMonitor {
    /// `envoy.resource_monitors.fixed_heap`: what the process has allocated.
    FixedHeap {
        /// `max_heap_size_bytes`.
        max_bytes: u64,
    },
    /// `envoy.resource_monitors.cgroup_memory`: what the control group of the process uses.
    CgroupMemory {
        /// `max_memory_bytes`; the limit of the group counts where it is lower. Absent, as by 0, means that
        /// limit alone.
        max_bytes: Option<u64>,
    },
}

/// `envoy.config.overload.v3.OverloadAction`.
#[derive(Debug, Clone, PartialEq)]
pub struct OverloadAction {
    /// What is done, by `name`.
    pub kind: OverloadActionKind,
    /// `triggers`. The strongest counts.
    pub triggers: Vec<Trigger>,
}

/// What is done when there is too much to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverloadActionKind {
    /// `envoy.overload_actions.stop_accepting_requests`: requests are answered with 503.
    StopAcceptingRequests,
    /// `envoy.overload_actions.disable_http_keepalive`: connections end with their response.
    DisableHttpKeepalive,
    /// `envoy.overload_actions.stop_accepting_connections`: new connections wait.
    StopAcceptingConnections,
    /// `envoy.overload_actions.reject_incoming_connections`: new connections are closed.
    RejectIncomingConnections,
    /// `envoy.overload_actions.shrink_heap`: memory that is free goes back to the system.
    ShrinkHeap,
}

/// `envoy.config.overload.v3.Trigger`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigger {
    /// The monitor named by `name`, as its place in [`OverloadManager::monitors`].
    pub monitor: usize,
    /// What its pressure does.
    pub level: Level,
}

/// How much of an action a pressure causes, both from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// `threshold.value`: all of it from there.
    Threshold(f64),
    /// `scaled`: nothing up to `from`, all of it from `to`, and evenly more in between.
    Scaled {
        /// `scaling_threshold`.
        from: f64,
        /// `saturation_threshold`.
        to: f64,
    },
}

impl OverloadActionKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::StopAcceptingRequests,
        Self::DisableHttpKeepalive,
        Self::StopAcceptingConnections,
        Self::RejectIncomingConnections,
        Self::ShrinkHeap,
    ];

    /// Envoy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::StopAcceptingRequests => "envoy.overload_actions.stop_accepting_requests",
            Self::DisableHttpKeepalive => "envoy.overload_actions.disable_http_keepalive",
            Self::StopAcceptingConnections => "envoy.overload_actions.stop_accepting_connections",
            Self::RejectIncomingConnections => "envoy.overload_actions.reject_incoming_connections",
            Self::ShrinkHeap => "envoy.overload_actions.shrink_heap",
        }
    }
}

/// Envoy's actions that are not done.
const ENVOYS_ALONE: [&str; 2] =
    ["envoy.overload_actions.reduce_timeouts", "envoy.overload_actions.reset_high_memory_stream"];

/// What to say of a `name` that is none of an action.
fn known(name: &str) -> String {
    let names = OverloadActionKind::ALL.map(OverloadActionKind::name);
    did_you_mean(name, names.into_iter())
        .unwrap_or_else(|| format!("supported: {}", names.join(", ")))
}

impl ResourceMonitor {
    /// Envoy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::FixedHeap { .. } => FIXED_HEAP,
            Self::CgroupMemory { .. } => CGROUP_MEMORY,
        }
    }
}

impl Level {
    /// How much of the action `pressure` causes.
    pub fn strength(self, pressure: f64) -> f64 {
        match self {
            Self::Threshold(value) => f64::from(u8::from(pressure >= value)),
            Self::Scaled { from, to } => ((pressure - from) / (to - from)).clamp(0.0, 1.0),
        }
    }

    fn from_wire(wire: &wire::Trigger, at: &At<'_>) -> Option<Self> {
        match wire.trigger_oneof.as_ref()? {
            TriggerOneof::Threshold(threshold) => Some(Self::Threshold(threshold.value)),
            TriggerOneof::Scaled(scaled) => {
                let (from, to) = (scaled.scaling_threshold, scaled.saturation_threshold);
                if from >= to {
                    at.field("scaled").error_at_key(
                        "'scaling_threshold' must be less than 'saturation_threshold'",
                    );
                    return None;
                }
                Some(Self::Scaled { from, to })
            }
        }
    }
}

impl Default for OverloadManager {
    fn default() -> Self {
        Self {
            refresh_interval: REFRESH_INTERVAL,
            max_active_downstream_connections: None,
            monitors: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl OverloadManager {
    /// Reads `overload_manager`, which `at` stands for.
    pub(crate) fn from_wire(wire: &wire::OverloadManager, at: &At<'_>) -> Self {
        let refresh = wire.refresh_interval.as_ref();
        let mut manager = Self {
            refresh_interval: duration::or(refresh, REFRESH_INTERVAL, at, "refresh_interval"),
            ..Self::default()
        };
        manager.read_monitors(&wire.resource_monitors, &at.field("resource_monitors"));
        manager.read_actions(&wire.actions, &at.field("actions"));
        manager
    }

    fn read_monitors(&mut self, wire: &[wire::ResourceMonitor], at: &At<'_>) {
        for (index, monitor) in wire.iter().enumerate() {
            let at = at.index(index);
            let Some(ConfigType::TypedConfig(any)) = &monitor.config_type else {
                at.error_at_key(Note::typed_config_required());
                continue;
            };
            // Other types have not passed the gate.
            let (name, is_another) =
                if let Some(config) = unpack::<DownstreamConnectionsConfig>(any) {
                    let max = u64::try_from(config.max_active_downstream_connections).ok();
                    let is_another = self.max_active_downstream_connections.is_some();
                    self.max_active_downstream_connections = max;
                    (DOWNSTREAM_CONNECTIONS, is_another)
                } else if let Some(config) = unpack::<FixedHeapConfig>(any) {
                    self.add(ResourceMonitor::FixedHeap { max_bytes: config.max_heap_size_bytes })
                } else if let Some(config) = unpack::<CgroupMemoryConfig>(any) {
                    let max_bytes = Some(config.max_memory_bytes).filter(|max| *max > 0);
                    self.add(ResourceMonitor::CgroupMemory { max_bytes })
                } else {
                    continue;
                };
            if monitor.name != name {
                at.field("name").error(
                    Note::from(format!(
                        "no resource monitor of that name, is '{}'; this type's is '{name}'",
                        monitor.name
                    ))
                    .help("write the name that belongs to the type"),
                );
            } else if is_another {
                at.field("name").error(
                    Note::from(format!("duplicate resource monitor '{name}'"))
                        .help("remove one of the two"),
                );
            }
        }
    }

    /// Its name, and whether there was one of that name.
    fn add(&mut self, monitor: ResourceMonitor) -> (&'static str, bool) {
        let is_another = self.monitor(monitor.name()).is_some();
        self.monitors.push(monitor);
        (monitor.name(), is_another)
    }

    fn monitor(&self, name: &str) -> Option<usize> {
        self.monitors.iter().position(|monitor| monitor.name() == name)
    }

    fn read_actions(&mut self, wire: &[wire::OverloadAction], at: &At<'_>) {
        let mut seen = HashMap::new();
        for (index, action) in wire.iter().enumerate() {
            let at = at.index(index);
            if seen.insert(action.name.as_str(), index).is_some() {
                at.field("name").error(
                    Note::from(format!("duplicate overload action '{}'", action.name))
                        .help("put the triggers of both into one action"),
                );
            }
            if let Some(action) = self.action(action, &at) {
                self.actions.push(action);
            }
        }
    }

    fn action(&self, wire: &wire::OverloadAction, at: &At<'_>) -> Option<OverloadAction> {
        let kind = OverloadActionKind::ALL.into_iter().find(|kind| kind.name() == wire.name);
        if kind.is_none() {
            let note = match ENVOYS_ALONE.contains(&wire.name.as_str()) {
                true => format!("'{}' is known to Envoy, not supported by ringmain", wire.name),
                false => format!("there is no overload action '{}'", wire.name),
            };
            at.field("name").error(Note::from(note).help(known(&wire.name)));
        }
        let triggers_at = at.field("triggers");
        let triggers = wire.triggers.iter().enumerate().filter_map(|(index, trigger)| {
            let at = triggers_at.index(index);
            let monitor = self.triggering(&trigger.name, &at);
            let level = Level::from_wire(trigger, &at);
            Some(Trigger { monitor: monitor?, level: level? })
        });
        let triggers = triggers.collect();
        Some(OverloadAction { kind: kind?, triggers })
    }

    /// The monitor of that name, whose pressure changes by the clock.
    fn triggering(&self, name: &str, at: &At<'_>) -> Option<usize> {
        let found = self.monitor(name);
        if found.is_none() {
            let limits_by_itself =
                name == DOWNSTREAM_CONNECTIONS && self.max_active_downstream_connections.is_some();
            at.field("name").error(match limits_by_itself {
                true => Note::from(format!(
                    "'{name}' limits connections by itself and triggers no action"
                ))
                .help("remove the trigger"),
                false => Note::from(format!("there is no resource monitor '{name}'"))
                    .help("name one of 'resource_monitors'"),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_all_or_nothing_and_a_scale_is_even() {
        let threshold = Level::Threshold(0.9);
        assert_eq!([0.89, 0.9, 2.0].map(|pressure| threshold.strength(pressure)), [0.0, 1.0, 1.0]);
        let scaled = Level::Scaled { from: 0.5, to: 1.0 };
        assert_eq!(
            [0.2, 0.5, 0.75, 1.0, 9.0].map(|pressure| scaled.strength(pressure)),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
    }
}

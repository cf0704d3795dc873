//! The process: bootstrap, admin, runtime, overload manager.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap",
        supported: "node static_resources admin overload_manager layered_runtime cluster_manager \
                    enable_dispatcher_stats",
        harmless: "stats_flush_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap.StaticResources",
        supported: "listeners clusters secrets",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.ClusterManager",
        supported: "local_cluster_name outlier_detection upstream_bind_config",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.ClusterManager.OutlierDetection",
        supported: "event_log_path",
        ..NONE
    },
    Message {
        name: "envoy.config.overload.v3.OverloadManager",
        supported: "refresh_interval resource_monitors actions",
        ..NONE
    },
    Message { name: "envoy.config.overload.v3.OverloadAction", supported: "name triggers", ..NONE },
    Message {
        name: "envoy.config.overload.v3.Trigger",
        supported: "name threshold scaled",
        ..NONE
    },
    Message { name: "envoy.config.overload.v3.ThresholdTrigger", supported: "value", ..NONE },
    Message {
        name: "envoy.config.overload.v3.ScaledTrigger",
        supported: "scaling_threshold saturation_threshold",
        ..NONE
    },
    Message {
        name: "envoy.extensions.resource_monitors.cgroup_memory.v3.CgroupMemoryConfig",
        supported: "max_memory_bytes",
        ..NONE
    },
    Message {
        name: "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        supported: "max_heap_size_bytes",
        ..NONE
    },
    Message {
        name: "envoy.config.overload.v3.ResourceMonitor",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.resource_monitors.downstream_connections.v3.\
               DownstreamConnectionsConfig",
        supported: "max_active_downstream_connections",
        ..NONE
    },
    Message { name: "envoy.config.bootstrap.v3.LayeredRuntime", supported: "layers", ..NONE },
    Message {
        name: "envoy.config.bootstrap.v3.RuntimeLayer",
        supported: "name static_layer",
        ..NONE
    },
    Message {
        name: "envoy.config.bootstrap.v3.Admin",
        supported: "address",
        harmless: "access_log_path access_log profile_path ignore_global_conn_limit",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.Node",
        supported: "id cluster locality",
        harmless: "metadata user_agent_name user_agent_version user_agent_build_version",
        ..NONE
    },
];

//! Listeners (`envoy.config.listener.v3.Listener`).

use std::collections::HashSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection as WireDirection;
use envoy_types::pb::envoy::config::listener::v3 as wire;

use crate::access_log::AccessLog;
use crate::cluster_names::ClusterNames;
use crate::duration;
use crate::filter_chain::FilterChains;
use crate::listen_socket::ListenSocket;
use crate::listener_filter::ListenerFilter;
use crate::metadata::Metadata;
use crate::report::{At, Note};

const LISTENER_FILTERS_TIMEOUT: Duration = Duration::from_secs(15);

/// A listening address and what serves it (`envoy.config.listener.v3.Listener`).
#[derive(Debug, Clone)]
pub struct Listener {
    /// `name`; Envoy makes up a UUID when absent, we use the address.
    pub name: String,
    /// `address` and `additional_addresses`: at least one.
    pub sockets: Vec<ListenSocket>,
    /// `stat_prefix`; absent means that stats carry the address.
    pub stat_prefix: Option<String>,
    /// `tcp_backlog_size`; absent means the kernel's `somaxconn`.
    pub tcp_backlog_size: Option<u32>,
    /// `tcp_fast_open_queue_length`; absent leaves the option alone.
    pub tcp_fast_open_queue_length: Option<u32>,
    /// `freebind`: the addresses need not be this machine's yet; absent leaves the option alone.
    pub freebind: Option<bool>,
    /// `transparent`: takes connections to other addresses that the kernel brings here; absent leaves
    /// the option alone.
    pub transparent: Option<bool>,
    /// `bind_to_port`, default true: else it has no socket, and takes what others hand over.
    pub bind_to_port: bool,
    /// `use_original_dst`, default false: connections to an address that another listener is for, as a
    /// listener filter has told, are that one's.
    pub use_original_dst: bool,
    /// `enable_reuse_port`, default true: each worker has a socket of its own.
    pub enable_reuse_port: bool,
    /// `connection_balance_config.exact_balance`, default false: each worker is to have as many of its
    /// connections as any other.
    pub exact_balance: bool,
    /// `traffic_direction`.
    pub traffic_direction: TrafficDirection,
    /// `ignore_global_conn_limit`, default false: its connections neither count towards
    /// [`Bootstrap::max_downstream_connections`](crate::bootstrap::Bootstrap) nor are refused by it.
    pub ignore_global_conn_limit: bool,
    /// The runtime key `envoy.resource_limits.listener.<name>.connection_limit`; absent means no
    /// limit.
    pub connection_limit: Option<u64>,
    /// `listener_filters`, in file order; with `use_original_dst` the one that asks the kernel is the last.
    pub listener_filters: Vec<ListenerFilter>,
    /// `listener_filters_timeout`, default 15 s; `None` is off.
    pub listener_filters_timeout: Option<Duration>,
    /// `continue_on_listener_filters_timeout`, default false: the connection is closed.
    pub continue_on_listener_filters_timeout: bool,
    /// `filter_chains` and `default_filter_chain`.
    pub filter_chains: FilterChains,
    /// `access_log`: what is written of each connection once that has ended.
    pub access_log: Vec<AccessLog>,
    /// `metadata`.
    pub metadata: Metadata,
}

/// `envoy.config.core.v3.TrafficDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrafficDirection {
    /// `UNSPECIFIED`.
    #[default]
    Unspecified,
    /// `INBOUND`.
    Inbound,
    /// `OUTBOUND`.
    Outbound,
}

/// Reads the field `listeners`.
pub(crate) fn list_from_wire(
    wire: &[wire::Listener],
    clusters: &ClusterNames<'_>,
    at: &At<'_>,
) -> Vec<Listener> {
    let at = at.field("listeners");
    let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
    let mut listeners = Vec::with_capacity(wire.len());
    for (index, wire) in wire.iter().enumerate() {
        let at = at.index(index);
        let Some(listener) = Listener::from_wire(wire, clusters, &at) else { continue };
        if !names.insert(listener.name.clone()) {
            at.field("name").error(
                Note::from(format!("duplicate listener name '{}'", listener.name))
                    .help("rename one of them"),
            );
        }
        for address in listener.sockets.iter().map(|socket| &socket.address) {
            // Port 0 is another port each time.
            if address.port() != Some(0) && !addresses.insert(address.clone()) {
                let note = Note::from(format!("duplicate address {address}")).help(
                    "a listener has an address of its own; put the filter chains of both \
                     into one listener",
                );
                at.field("address").error_at_key(note);
            }
        }
        listeners.push(listener);
    }
    listeners
}

impl Listener {
    fn from_wire(wire: &wire::Listener, clusters: &ClusterNames<'_>, at: &At<'_>) -> Option<Self> {
        let sockets = ListenSocket::list_from_wire(wire, at);
        let filter_chains = FilterChains::from_wire(wire, clusters, at);
        let sockets = sockets?;
        warn_of_options_without_effect(wire, &sockets, at);
        let address = &sockets.first()?.address;
        Some(Self {
            name: if wire.name.is_empty() { address.to_string() } else { wire.name.clone() },
            sockets,
            stat_prefix: Some(wire.stat_prefix.clone()).filter(|prefix| !prefix.is_empty()),
            tcp_backlog_size: wire.tcp_backlog_size.map(|size| size.value),
            tcp_fast_open_queue_length: wire.tcp_fast_open_queue_length.map(|length| length.value),
            freebind: wire.freebind.map(|on| on.value),
            transparent: wire.transparent.map(|on| on.value),
            bind_to_port: wire.bind_to_port.is_none_or(|on| on.value),
            use_original_dst: wire.use_original_dst.is_some_and(|on| on.value),
            enable_reuse_port: wire.enable_reuse_port.is_none_or(|on| on.value),
            // The other kind is refused.
            exact_balance: wire.connection_balance_config.is_some(),
            traffic_direction: match wire.traffic_direction() {
                WireDirection::Unspecified => TrafficDirection::Unspecified,
                WireDirection::Inbound => TrafficDirection::Inbound,
                WireDirection::Outbound => TrafficDirection::Outbound,
            },
            ignore_global_conn_limit: wire.ignore_global_conn_limit,
            connection_limit: None,
            listener_filters: listener_filters(wire, at),
            listener_filters_timeout: duration::or_off(
                wire.listener_filters_timeout.as_ref(),
                Some(LISTENER_FILTERS_TIMEOUT),
                at,
                "listener_filters_timeout",
            ),
            continue_on_listener_filters_timeout: wire.continue_on_listener_filters_timeout,
            filter_chains: filter_chains?,
            access_log: AccessLog::list_from_wire(&wire.access_log, at),
            metadata: Metadata::from_wire(wire.metadata.as_ref()),
        })
    }
}

fn listener_filters(wire: &wire::Listener, at: &At<'_>) -> Vec<ListenerFilter> {
    let mut filters = ListenerFilter::list_from_wire(&wire.listener_filters, at);
    let asks = wire.use_original_dst.is_some_and(|on| on.value);
    if asks && !filters.iter().any(|filter| matches!(filter, ListenerFilter::OriginalDst)) {
        filters.push(ListenerFilter::OriginalDst);
    }
    filters
}

/// Options of sockets that this listener does not have.
fn warn_of_options_without_effect(wire: &wire::Listener, sockets: &[ListenSocket], at: &At<'_>) {
    let of_tcp = [
        ("tcp_keepalive", wire.tcp_keepalive.is_some()),
        ("freebind", wire.freebind.is_some()),
        ("transparent", wire.transparent.is_some()),
        ("tcp_fast_open_queue_length", wire.tcp_fast_open_queue_length.is_some()),
    ];
    let of_all = [
        ("socket_options", !wire.socket_options.is_empty()),
        ("tcp_backlog_size", wire.tcp_backlog_size.is_some()),
    ];
    let warn = |fields: &[(&str, bool)], why: &str| {
        for (name, _) in fields.iter().filter(|(_, is_set)| *is_set) {
            at.field(name)
                .warn(Note::from(format!("'{name}' has no effect: {why}")).help("remove it"));
        }
    };
    if wire.bind_to_port.is_some_and(|on| !on.value) {
        let why = "with 'bind_to_port: false' the listener has no socket";
        warn(&of_tcp, why);
        warn(&of_all, why);
        let balances = wire.connection_balance_config.is_some();
        let why = "connections that another listener hands over stay on their worker";
        warn(&[("connection_balance_config", balances)], why);
    } else if sockets.iter().all(|socket| socket.address.socket().is_none()) {
        warn(&of_tcp, "a Unix socket has no such option");
    }
}

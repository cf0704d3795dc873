//! Connections opened before there is a request for them (`preconnect_policy`): [`for_host`] keeps a host
//! provided for more requests than it has, [`for_cluster`] the hosts whose turn is next.
//!
//! They are opened within the limits, at healthy hosts only, and never before a request that waits has
//! had its turn.

use std::rc::Rc;

use ringmain_config::cluster::{Http2ProtocolOptions, RoutingPriority, UpstreamProtocol};

use super::acquire::http2_options;
use super::connect::{Wanted, connect};
use super::permit::ConnectionPermit;
use super::{Acquire, multiplexed, waiting};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::load_balancer::Health;
use crate::runtime;
use crate::server::Worker;
use crate::transport_socket::TransportOptions;

/// So many connections one request brings about at most, as Envoy has it.
const AT_ONCE_MAX: usize = 3;

/// Opens connections to `host` for requests that may follow this one. `uncounted`: those that have a
/// connection and are not counted as active yet.
pub(super) fn for_host(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
    uncounted: u64,
) {
    let ratio = cluster.shared.config.preconnect.per_upstream_ratio;
    if ratio > 1.0 {
        let opens = |_: &usize| open_if_short(cluster, host, asked, ratio, uncounted);
        (0..AT_ONCE_MAX).take_while(opens).for_each(drop);
    }
}

/// Opens connections to the hosts that are chosen next, before this request to `host` has one.
pub(super) fn for_cluster(cluster: &Rc<WorkerCluster>, host: &Rc<WorkerHost>, asked: &Acquire<'_>) {
    let ratio = cluster.shared.config.preconnect.predictive_ratio;
    if ratio <= 1.0 {
        return;
    }
    let stats = cluster.stats();
    let counted = stats.upstream_rq_pending_active.value() + stats.upstream_rq_active.value();
    let streams = counted.cast_unsigned() + 1;
    let each = streams_of_each(cluster, host, http2_options(cluster, asked));
    // Whether the connection that this request opens itself is that of a turn.
    let mut opens_itself = false;
    for _ in 0..AT_ONCE_MAX {
        let connections = cluster.connections() + u32::from(opens_itself);
        if !is_short(streams, ratio, connections, each) {
            return;
        }
        let Some(next) = cluster.foresee_host() else { return };
        let is_own = Rc::ptr_eq(&next, host);
        if is_own && !opens_itself && is_short_of(cluster, host, asked, 1.0, 1) {
            opens_itself = true;
        } else if !open_if_short(cluster, &next, asked, ratio, 1) {
            return;
        }
    }
}

/// Whether `connections` carry less than `ratio` times as many streams as there are.
fn is_short(streams: u64, ratio: f64, connections: u32, streams_of_each: u32) -> bool {
    // Counts of requests are far below 2^53.
    streams as f64 * ratio > f64::from(connections) * f64::from(streams_of_each)
}

/// The same of the connections to `host`.
fn is_short_of(
    cluster: &WorkerCluster,
    host: &WorkerHost,
    asked: &Acquire<'_>,
    ratio: f64,
    uncounted: u64,
) -> bool {
    let stats = host.stats();
    let counted = stats.rq_pending_active.value() + stats.rq_active.value();
    let streams = counted.cast_unsigned() + uncounted;
    let each = streams_of_each(cluster, host, http2_options(cluster, asked));
    is_short(streams, ratio, host.connections(asked.priority), each)
}

/// Streams at once on a connection to `host`, where `http2` may be spoken.
fn streams_of_each(
    cluster: &WorkerCluster,
    host: &WorkerHost,
    http2: Option<&Http2ProtocolOptions>,
) -> u32 {
    let by_alpn = matches!(cluster.shared.config.upstream_protocol, UpstreamProtocol::Auto(_));
    let http2 = http2.filter(|_| !by_alpn || host.agrees_on_http2());
    http2.map_or(1, |options| options.max_concurrent_streams)
}

/// Whether one connection more is wanted and allowed; it is being opened then.
fn open_if_short(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    asked: &Acquire<'_>,
    ratio: f64,
    uncounted: u64,
) -> bool {
    let priority = asked.priority;
    if host.shared.health().health() != Health::Healthy
        || !is_short_of(cluster, host, asked, ratio, uncounted)
        || cluster.shared.breakers.waiting(priority) > 0
    {
        return false;
    }
    let Ok(permit) = ConnectionPermit::try_take(cluster, host, priority) else {
        cluster.stats().upstream_cx_overflow.inc();
        return false;
    };
    let http2 = http2_options(cluster, asked);
    let (worker, options) = (asked.worker.clone(), asked.options.clone());
    runtime::spawn(open(permit, http2.copied(), worker, priority, options));
    true
}

/// What comes of it is counted, and is of no interest to anybody yet.
async fn open(
    permit: ConnectionPermit,
    http2: Option<Http2ProtocolOptions>,
    worker: Rc<Worker>,
    priority: RoutingPriority,
    options: Option<Rc<TransportOptions>>,
) {
    let asked = Acquire {
        worker: &worker,
        priority,
        fresh: true,
        ahead: true,
        options: &options,
        until: None,
        given_up: &|| None,
        client: None,
    };
    if let Some(http2) = http2 {
        let streams = http2.max_concurrent_streams as usize;
        let _shared = multiplexed::open(permit, &http2, &asked, streams).await;
        return;
    }
    let wanted = Wanted::single(&permit.cluster);
    if let Ok(connection) = connect(permit, wanted, &asked).await {
        waiting::offer(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many connections are opened where there is none yet.
    fn opened(streams: u64, ratio: f64, streams_of_each: u32) -> u32 {
        let count = |connections: &u32| !is_short(streams, ratio, *connections, streams_of_each);
        (0..).find(count).expect("enough at some time")
    }

    #[test]
    fn streams_times_the_ratio_have_a_connection_rounded_up() {
        assert_eq!((opened(1, 1.0, 1), opened(5, 1.0, 1)), (1, 5));
        assert_eq!((opened(1, 1.05, 1), opened(1, 2.0, 1), opened(1, 3.0, 1)), (2, 2, 3));
        assert_eq!((opened(100, 1.5, 1), opened(100, 1.05, 1)), (150, 105));
    }

    #[test]
    fn a_connection_of_many_streams_is_enough_for_them() {
        assert_eq!((opened(1, 2.0, 100), opened(50, 2.0, 100), opened(51, 2.0, 100)), (1, 1, 2));
        assert_eq!(opened(1_000_000, 3.0, u32::MAX), 1);
    }
}

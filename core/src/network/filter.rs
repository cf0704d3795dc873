//! Network filters before the last of a chain: each lets a new connection pass or not.
//!
//! The acceptor asks them in two steps. [`admit`] counts the connection in their limits as soon as its
//! filter chain is known, so that one too many costs no handshake; [`authorize`] looks at who it is,
//! which TLS may have told.

mod connection_limit;
mod local_ratelimit;
mod rbac;

use std::sync::Arc;
use std::time::Duration;

use ringmain_config::network_filter as config;

use crate::http::ResponseFlag;
use crate::listener::NewConnection;
use crate::stats::{Stat, WorkerId};
use connection_limit::ConnectionLimitFilter;
pub use connection_limit::CountedConnection;
use local_ratelimit::{LocalRateLimitFilter, SharedBuckets};
use rbac::RbacFilter;

/// A compiled filter.
#[derive(Debug)]
pub enum NetworkFilter {
    /// `envoy.filters.network.connection_limit`.
    ConnectionLimit(Arc<ConnectionLimitFilter>),
    /// `envoy.filters.network.local_ratelimit`.
    LocalRateLimit(Box<LocalRateLimitFilter>),
    /// `envoy.filters.network.rbac`.
    Rbac(Box<RbacFilter>),
    /// `envoy.filters.network.sni_cluster`.
    SniCluster,
}

/// The connection is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How long it is left waiting before it is closed.
    pub delay: Option<Duration>,
    /// Its response flag.
    pub flag: Option<ResponseFlag>,
    /// `%CONNECTION_TERMINATION_DETAILS%`; empty means none.
    pub details: &'static str,
}

impl Refused {
    /// `transport_socket_connect_timeout` has passed.
    pub const BY_TIMEOUT: Self =
        Self { delay: None, flag: None, details: "transport socket timeout was reached" };
}

impl NetworkFilter {
    /// Compiles `config` for `workers` workers.
    pub fn new(config: &config::NetworkFilter, workers: usize) -> Self {
        match config {
            config::NetworkFilter::ConnectionLimit(config) => {
                Self::ConnectionLimit(Arc::new(ConnectionLimitFilter::new(config, workers)))
            }
            config::NetworkFilter::LocalRateLimit(config) => {
                Self::LocalRateLimit(Box::new(LocalRateLimitFilter::new(config, workers)))
            }
            config::NetworkFilter::Rbac(config) => {
                Self::Rbac(Box::new(RbacFilter::new(config, workers)))
            }
            config::NetworkFilter::SniCluster => Self::SniCluster,
        }
    }

    /// Appends its stats.
    pub fn stats(&self, stats: &mut Vec<Stat>) {
        match self {
            Self::ConnectionLimit(filter) => filter.stats(stats),
            Self::LocalRateLimit(filter) => filter.stats(stats),
            Self::Rbac(filter) => filter.stats(stats),
            Self::SniCluster => {}
        }
    }
}

/// Has filters of all listeners share what their configurations say that they share.
pub fn share_buckets<'f>(filters: impl Iterator<Item = &'f mut NetworkFilter>) {
    let mut buckets = SharedBuckets::new();
    for filter in filters {
        if let NetworkFilter::LocalRateLimit(limit) = filter {
            limit.share(&mut buckets);
        }
    }
}

/// Asks the filters, in order, whether there may be another connection; what they hold of it is to be
/// kept as long as it lasts.
pub fn admit(
    filters: &[NetworkFilter],
    worker: WorkerId,
    connection: &mut NewConnection,
) -> Result<Vec<CountedConnection>, Refused> {
    let mut held = Vec::new();
    for filter in filters {
        match filter {
            NetworkFilter::ConnectionLimit(filter) => held.extend(filter.count(worker)?),
            NetworkFilter::LocalRateLimit(filter) => filter.take_token(worker)?,
            NetworkFilter::SniCluster => {
                connection.info.name_cluster();
            }
            NetworkFilter::Rbac(_) => {}
        }
    }
    Ok(held)
}

/// Asks the filters, in order, whether the client may connect.
pub fn authorize(
    filters: &[NetworkFilter],
    worker: WorkerId,
    connection: &mut NewConnection,
) -> Result<(), Refused> {
    filters.iter().try_for_each(|filter| match filter {
        NetworkFilter::Rbac(filter) => filter.judge(worker, connection),
        _ => Ok(()),
    })
}

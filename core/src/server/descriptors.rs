//! The open-file limit: raised at start, found to be enough or not, and shared between clients and
//! upstreams, so that who connects here cannot keep us from connecting there.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::startup::StartError;
use crate::listener::ConnectionLimit;

/// What a worker opens for its engine.
const OF_WORKER: u64 = 4;
/// What the control thread opens for its own engine and signals.
const OF_CONTROL: u64 = 8;
/// The least with which there is anything to serve: a client, its upstream, and one who asks admin.
const TO_SERVE: u64 = 4;
/// No more than this is kept back for upstreams.
const KEPT_BACK_MAX: u64 = 4096;

/// Raises the soft limit, often 1024, to the hard one: a proxy needs two descriptors a request.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, current = limit.current, "cannot raise the open-file limit");
    }
}

/// What clients may hold of the descriptors that are left once `workers` have theirs. Called when all
/// listening sockets are open and no worker is. An error where that is too little to serve.
pub fn for_clients(workers: usize) -> Result<Option<Arc<ConnectionLimit>>, StartError> {
    let own = OF_WORKER * workers as u64 + OF_CONTROL;
    open(own + TO_SERVE).map_err(|source| StartError::Descriptors {
        limit: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        needed: own + TO_SERVE,
        source,
    })?;
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(None) };
    // The kernel gives out the lowest number that is free.
    let taken = open(1).map_or(0, |lowest| lowest[0].as_raw_fd().unsigned_abs().into());
    let free = limit.saturating_sub(taken + own);
    Ok(ConnectionLimit::new(Some(free - kept_back(free)), workers))
}

/// As long as there are few, one for each that a client may hold: each may want an upstream of its own.
fn kept_back(free: u64) -> u64 {
    (free / 2).min(KEPT_BACK_MAX)
}

/// So many descriptors of no use.
fn open(count: u64) -> io::Result<Vec<OwnedFd>> {
    (0..count).map(|_| Ok(eventfd(0, EventfdFlags::CLOEXEC)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_each_client_leaves_one_for_its_upstream() {
        assert_eq!([0, 1, 2, 101].map(kept_back), [0, 0, 1, 50]);
        assert_eq!(kept_back(1 << 20), KEPT_BACK_MAX);
    }
}

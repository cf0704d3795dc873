//! The open-file limit: raised at start, found to be enough or not, and shared out to clients, upstreams and pipes,
//! so that who connects here cannot keep us from connecting there.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::startup::StartError;
use crate::listener::ConnectionLimit;

/// What a worker opens for its engine.
const OF_WORKER: u64 = 6;
/// What the control thread opens for its own engine and signals.
const OF_CONTROL: u64 = 8;
/// The least with which there is anything to serve: a client, its upstream, and one who asks admin.
const TO_SERVE: u64 = 4;
/// No more than this is kept back for upstreams.
const KEPT_BACK_MAX: u64 = 4096;
/// A pipe has two ends.
const OF_PIPE: u64 = 2;
/// No worker has more pipes: 16 MiB may wait in them.
const PIPES_MAX: u64 = 64;
/// All pipes have one in so many of the descriptors at most.
const PIPES_SHARE: u64 = 16;

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

/// Who may have how many of the descriptors that are left.
#[derive(Debug, Clone)]
pub struct Descriptors {
    /// What clients may hold, of all workers; absent where there is no limit.
    pub clients: Option<Arc<ConnectionLimit>>,
    /// How many pipes each worker may have.
    pub pipes: usize,
}

impl Descriptors {
    /// Shares out what is left once `workers` have theirs. Called when all listening sockets are open and
    /// no worker is. An error where that is too little to serve.
    pub fn share_out(workers: usize) -> Result<Self, StartError> {
        let own = OF_WORKER * workers as u64 + OF_CONTROL;
        open(own + TO_SERVE).map_err(|source| StartError::Descriptors {
            limit: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            needed: own + TO_SERVE,
            source,
        })?;
        let Some(limit) = getrlimit(Resource::Nofile).current else {
            return Ok(Self { clients: None, pipes: PIPES_MAX as usize });
        };
        // The kernel gives out the lowest number that is free.
        let taken = open(1).map_or(0, |lowest| lowest[0].as_raw_fd().unsigned_abs().into());
        let free = limit.saturating_sub(taken + own);
        let pipes = pipes(free, workers as u64);
        let free = free - pipes * OF_PIPE * workers as u64;
        let clients = ConnectionLimit::new(Some(free - kept_back(free)), workers);
        Ok(Self { clients, pipes: pipes as usize })
    }
}

/// How many pipes each of `workers` may have where so many descriptors are free.
fn pipes(free: u64, workers: u64) -> u64 {
    (free / PIPES_SHARE / OF_PIPE / workers).min(PIPES_MAX)
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
    #[test]
    fn of_few_pipes_have_none() {
        assert_eq!([63, 64, 1024, 1 << 20].map(|free| pipes(free, 2)), [0, 1, 16, PIPES_MAX]);
    }
}

//! Waiting for time to pass.
//!
//! The runtime's timer is aligned to 128 bytes. Whatever holds one is aligned and padded like that, up to the
//! task; and a future so aligned is built elsewhere by the compiler and copied to where it is to be. So a timer
//! has memory of its own for as long as it runs.

use std::future::Future;
use std::time::Duration;

use monoio::time::error::Elapsed;

/// Sleeps at least `duration` on this worker.
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    Box::pin(monoio::time::sleep(duration))
}

/// Runs `future` for `limit` at most.
pub(super) fn timeout<F: Future>(
    limit: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    Box::pin(monoio::time::timeout(limit, future))
}

//! A panic in one task stays in that task.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, TryFutureExt};

/// A task ended by a panic; the message has gone to the log through the panic hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `task` and turns a panic into an error instead of ending the worker.
///
/// The task's state is dropped after a panic and never looked at again; what it shares with other
/// tasks are counters and tables that hold no half-made state across a call.
pub fn catch_panic<F: Future>(task: F) -> impl Future<Output = Result<F::Output, Panicked>> {
    AssertUnwindSafe(task).catch_unwind().map_err(|_payload| Panicked)
}

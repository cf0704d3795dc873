//! A panic in one task stays in that task.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// A task ended by a panic; the message has gone to the log through the panic hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `task` and turns a panic into an error instead of ending the worker.
///
/// The task's state is dropped after a panic and never looked at again; what it shares with other
/// tasks are counters and tables that hold no half-made state across a call.
pub async fn catch_panic<F: Future>(task: F) -> Result<F::Output, Panicked> {
    let mut task = pin!(task);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

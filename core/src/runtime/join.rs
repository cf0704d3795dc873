//! Two futures in one task.

use futures_util::future::Join;

/// Runs both to their end; neither is dropped before it is done.
pub fn join<A: Future, B: Future>(a: A, b: B) -> Join<A, B> {
    futures_util::future::join(a, b)
}

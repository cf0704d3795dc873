//! Numbers of connections, downstream and upstream, unique in the process (`%CONNECTION_ID%`).

use std::cell::Cell;

use crate::stats::WorkerId;

thread_local! {
    /// The next number of this thread, and how far it is from one to the next.
    static NEXT: Cell<(u64, u64)> = const { Cell::new((1, 1)) };
}

/// Has this thread, the one of `worker`, count in steps of `workers`, so that no two workers give
/// the same number and none looks at another's.
pub fn count_as(worker: WorkerId, workers: usize) {
    NEXT.set((worker.0 as u64 + 1, workers as u64));
}

/// The number of a new connection; never 0.
pub fn next() -> u64 {
    let (next, step) = NEXT.get();
    NEXT.set((next + step, step));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_never_meet() {
        count_as(WorkerId(0), 2);
        assert_eq!([next(), next(), next()], [1, 3, 5]);
        count_as(WorkerId(1), 2);
        assert_eq!([next(), next(), next()], [2, 4, 6]);
    }
}

//! What is kept for the next who needs one, and given up when nobody does.

use std::cell::{Cell, RefCell};

/// Spare things of one kind.
#[derive(Debug)]
pub(super) struct Spares<T> {
    spare: RefCell<Vec<T>>,
    /// The fewest there were since the last [`Spares::shrink`]: so many were of no use.
    unused: Cell<usize>,
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Self { spare: RefCell::default(), unused: Cell::new(0) }
    }
}

impl<T> Spares<T> {
    /// One of them.
    pub(super) fn take(&self) -> Option<T> {
        let mut spare = self.spare.borrow_mut();
        let taken = spare.pop();
        self.unused.set(self.unused.get().min(spare.len()));
        taken
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.spare.borrow().is_empty()
    }

    /// Keeps `one` if there are fewer than `max`.
    pub(super) fn give_back(&self, one: T, max: usize) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < max {
            spare.push(one);
        }
    }

    /// Gives up half of those that were of no use since the last call.
    pub(super) fn shrink(&self) {
        let mut spare = self.spare.borrow_mut();
        let unused = self.unused.get().min(spare.len());
        spare.drain(..unused.div_ceil(2));
        self.unused.set(spare.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_becomes_less() {
        let spares = Spares::default();
        (0..8).for_each(|one| spares.give_back(one, 8));
        let count = || spares.spare.borrow().len();
        // All eight were in use since the beginning.
        spares.shrink();
        assert_eq!(count(), 8);
        // One of the eight was used, four of the other seven go.
        spares.give_back(spares.take().expect("eight are there"), 8);
        spares.shrink();
        assert_eq!(count(), 4);
        spares.give_back(9, 4);
        assert_eq!(count(), 4);
    }
}

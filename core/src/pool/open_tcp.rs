//! Connections to a host that carry bytes of which nothing is known, so that they can be closed when the host
//! fails (`close_connections_on_host_health_failure`).

use std::cell::RefCell;

use slab::Slab;

use crate::runtime::Interrupt;

/// Those of one host and worker, where the cluster wants them closed.
#[derive(Debug, Default)]
pub struct OpenTcp(RefCell<Slab<Entry>>);

#[derive(Debug)]
struct Entry {
    interrupt: Interrupt,
    is_cut: bool,
}

impl OpenTcp {
    /// Adds a connection that `interrupt` closes; its place.
    pub fn add(&self, interrupt: Interrupt) -> usize {
        self.0.borrow_mut().insert(Entry { interrupt, is_cut: false })
    }

    /// The connection at `place` has ended.
    pub fn remove(&self, place: usize) {
        self.0.borrow_mut().remove(place);
    }

    /// Whether the connection at `place` was closed by [`OpenTcp::cut_all`].
    pub fn is_cut(&self, place: usize) -> bool {
        self.0.borrow()[place].is_cut
    }

    /// Closes all of them.
    pub fn cut_all(&self) {
        for (_, entry) in self.0.borrow_mut().iter_mut() {
            entry.is_cut = true;
            entry.interrupt.fire();
        }
    }
}

//! The downstream connections of a worker, so that a drain can reach them.

use std::cell::RefCell;
use std::rc::Rc;

use slab::Slab;

use crate::runtime::Interrupt;

/// All downstream connections of a worker.
#[derive(Debug, Default)]
pub struct Connections {
    slots: RefCell<Slab<Entry>>,
}

#[derive(Debug)]
struct Entry {
    interrupt: Interrupt,
    idle: bool,
    /// It was idle at the last look of [`Connections::close_idle`] and ever since.
    idle_long: bool,
}

impl Connections {
    /// Registers a connection, which `interrupt` closes while it is idle; it leaves when the slot is
    /// dropped.
    pub fn register(self: &Rc<Self>, interrupt: Interrupt) -> ConnectionSlot {
        let entry = Entry { interrupt, idle: false, idle_long: false };
        let key = self.slots.borrow_mut().insert(entry);
        ConnectionSlot { connections: self.clone(), key }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.borrow().is_empty()
    }

    /// Ends the connections that have waited for a request ever since the last call. The others
    /// get another interval: who sends a request in it is told to close by its answer, instead of
    /// finding the connection gone.
    pub fn close_idle(&self) {
        for (_, entry) in self.slots.borrow_mut().iter_mut().filter(|(_, entry)| entry.idle) {
            if std::mem::replace(&mut entry.idle_long, true) {
                entry.interrupt.fire();
            }
        }
    }
}

/// A connection's place among the others.
#[derive(Debug)]
pub struct ConnectionSlot {
    connections: Rc<Connections>,
    key: usize,
}

impl ConnectionSlot {
    /// Closes the connection by `interrupt` from now on.
    pub fn close_by(&self, interrupt: Interrupt) {
        self.connections.slots.borrow_mut()[self.key].interrupt = interrupt;
    }

    /// Says that the connection waits for a request (or no longer does).
    pub fn set_idle(&self, idle: bool) {
        let mut slots = self.connections.slots.borrow_mut();
        let entry = &mut slots[self.key];
        entry.idle = idle;
        entry.idle_long = false;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.slots.borrow_mut().remove(self.key);
    }
}

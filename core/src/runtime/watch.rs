//! Noticing that a client has gone while its response, or more of it, is awaited.
//!
//! Nothing is read from a client then, so nothing would tell. A watch costs no operation of its
//! own: a sweep asks the kernel about all clients that have waited for a while in one poll(2).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec};
use slab::Slab;

use super::Stream;
use super::notify::Interrupt;

/// The clients of a worker that wait for a response.
#[derive(Debug, Default)]
pub struct Watches {
    slots: RefCell<Slab<Slot>>,
}

#[derive(Debug)]
struct Slot {
    client: Rc<Stream>,
    /// What tells that it has gone, beside errors.
    flags: PollFlags,
    interrupt: Interrupt,
    /// Set by the first sweep that finds it: only who waits longer is asked about.
    waited: Cell<bool>,
    gone: Cell<bool>,
}

impl Watches {
    /// Watches `client` until the guard is dropped; `interrupt` fires when it goes.
    pub fn watch(self: &Rc<Self>, client: &Rc<Stream>, interrupt: Interrupt) -> Watch {
        self.insert(client, PollFlags::RDHUP, interrupt)
    }

    /// The same for a client that may end its side and still wait: it goes by a reset, or when both
    /// sides are shut down.
    pub fn watch_for_hangup(self: &Rc<Self>, client: &Rc<Stream>, interrupt: Interrupt) -> Watch {
        self.insert(client, PollFlags::empty(), interrupt)
    }

    fn insert(
        self: &Rc<Self>,
        client: &Rc<Stream>,
        flags: PollFlags,
        interrupt: Interrupt,
    ) -> Watch {
        let key = self.slots.borrow_mut().insert(Slot {
            client: client.clone(),
            flags,
            interrupt,
            waited: Cell::new(false),
            gone: Cell::new(false),
        });
        Watch { watches: self.clone(), key }
    }

    /// Asks about the clients that have waited since the last sweep.
    pub fn sweep(&self) {
        let slots = self.slots.borrow();
        let waiting: Vec<&Slot> =
            slots.iter().map(|(_, slot)| slot).filter(|slot| slot.waited.replace(true)).collect();
        if waiting.is_empty() {
            return;
        }
        let mut polled: Vec<PollFd<'_>> =
            waiting.iter().map(|slot| PollFd::new(&*slot.client, slot.flags)).collect();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if !matches!(rustix::event::poll(&mut polled, Some(&now)), Ok(count) if count > 0) {
            return;
        }
        for (slot, entry) in waiting.iter().zip(&polled) {
            if !entry.revents().is_empty() && !slot.gone.replace(true) {
                slot.interrupt.fire();
            }
        }
    }
}

/// One client being watched.
#[derive(Debug)]
pub struct Watch {
    watches: Rc<Watches>,
    key: usize,
}

impl Watch {
    /// Whether the client has gone.
    pub fn client_gone(&self) -> bool {
        self.watches.slots.borrow()[self.key].gone.get()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watches.slots.borrow_mut().remove(self.key);
    }
}

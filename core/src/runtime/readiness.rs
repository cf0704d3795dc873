//! Which sockets of a worker have something to read.
//!
//! On epoll for all, as to the runtime a socket is readable until a read has found nothing; on io_uring for those that
//! are waited for often, get little and hold no buffer meanwhile. One epoll instance watches all of them, and one task
//! waits for that, so an operation of the engine serves as many sockets as have stirred since the one before. A socket is
//! registered once, at its first wait, and by edge: what was told stays until a read finds nothing more. A read that does
//! not fill its buffer has found that out, so none is tried in vain.
//!
//! Being told too much costs a read in vain and nothing else. So a socket that is closed needs not be taken out, nor
//! does it matter when the kernel still tells of it to who has its key next.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;
use slab::Slab;

use super::fairness::let_clock_tick;
use super::{Stream, TICK, sleep, spawn};

/// How many sockets may be told of in a row. More are told of after the tasks of these have run.
const EVENTS_MAX: usize = 256;

thread_local! {
    static TABLE: RefCell<Option<Rc<Table>>> = const { RefCell::new(None) };
}

/// Opens the table of this worker. That takes two descriptors.
pub(super) fn open() -> io::Result<()> {
    let table = Rc::new(Table::new()?);
    // Not a socket, but waited for like one.
    let waiter = Stream::adopt(table.epoll.try_clone()?)?;
    spawn(table.clone().serve(waiter));
    TABLE.set(Some(table));
    Ok(())
}

/// The sockets of a worker that have been waited for.
#[derive(Debug)]
struct Table {
    epoll: OwnedFd,
    slots: RefCell<Slab<Slot>>,
}

#[derive(Debug)]
struct Slot {
    /// What the kernel has told, as far as no read has found it to be past. Empty: there is nothing to read.
    told: EventFlags,
    waiting: Option<Waker>,
}

impl Default for Slot {
    fn default() -> Self {
        Self { told: EventFlags::empty(), waiting: None }
    }
}

impl Table {
    fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, slots: RefCell::default() })
    }

    async fn serve(self: Rc<Self>, waiter: Stream) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            if waiter.wait_readable_in_turn().await.is_err() {
                // Whatever it is, those who wait here must not wait for ever.
                sleep(TICK).await;
            }
            self.take_events(&mut events);
            let_clock_tick().await;
        }
    }

    /// Wakes those whose sockets have stirred; how many have. `events` is empty before and after.
    fn take_events(&self, events: &mut Vec<epoll::Event>) -> usize {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // EINTR, the only error there can be: they are taken the next time.
        let taken = epoll::wait(&self.epoll, spare_capacity(events), Some(&now));
        for event in events.drain(..) {
            if let Some(waker) = self.tell(event.data, event.flags) {
                waker.wake();
            }
        }
        taken.unwrap_or(0)
    }

    fn tell(&self, key: EventData, flags: EventFlags) -> Option<Waker> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(usize::try_from(key.u64()).ok()?)?;
        slot.told |= flags;
        slot.waiting.take()
    }

    fn enter(self: &Rc<Self>, socket: &impl AsFd) -> io::Result<Place> {
        // A read of a Unix socket stops at descriptors that are sent along, too.
        let short_reads_tell = socket_domain(socket)? != AddressFamily::UNIX;
        let key = self.slots.borrow_mut().insert(Slot::default());
        let place = Place { table: self.clone(), key, short_reads_tell };
        let flags = EventFlags::IN | EventFlags::PRI | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(key as u64), flags)?;
        Ok(place)
    }
}

/// A socket's place in the table of its worker.
#[derive(Debug)]
pub(super) struct Place {
    table: Rc<Table>,
    key: usize,
    short_reads_tell: bool,
}

impl Place {
    /// Enters `socket`. Absent where the system lacks something for it.
    pub(super) fn enter(socket: &impl AsFd) -> Option<Self> {
        TABLE.with_borrow(Clone::clone)?.enter(socket).ok()
    }

    /// Takes out `socket`, which goes to another worker: it is the one that was entered here.
    pub(super) fn leave(self, socket: &impl AsFd) {
        // It is there, so nothing can go wrong.
        let _left = epoll::delete(&self.table.epoll, socket);
    }

    /// Waits until there is something to read, an end or an error included.
    pub(super) async fn readable(&self) {
        poll_fn(|context| self.poll_readable(context)).await;
    }

    /// Whether there may be something to read.
    pub(super) fn is_told(&self) -> bool {
        !self.table.slots.borrow()[self.key].told.is_empty()
    }

    fn poll_readable(&self, context: &Context<'_>) -> Poll<()> {
        let slot = &mut self.table.slots.borrow_mut()[self.key];
        if !slot.told.is_empty() {
            return Poll::Ready(());
        }
        match &mut slot.waiting {
            Some(waker) => waker.clone_from(context.waker()),
            None => slot.waiting = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Notes what a `read` into so much `room` has found.
    pub(super) fn note(&self, read: Result<usize, Errno>, room: usize) {
        let slot = &mut self.table.slots.borrow_mut()[self.key];
        let is_past = match read {
            // Reads stop at an urgent byte, too, and an end or error is for the next one to find.
            Ok(count) => count < room && self.short_reads_tell && slot.told == EventFlags::IN,
            Err(error) => error == Errno::AGAIN,
        };
        if is_past {
            slot.told = EventFlags::empty();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.slots.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests;

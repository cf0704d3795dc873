//! Deadlines by a coarse sweep.
//!
//! A deadline is a slot that holds a moment and a socket. Arming it is a store; no timer is
//! started. Once a [`TICK`] the sweep looks at all slots and shuts down the sockets whose moment
//! has passed, so that the operation in flight completes and its owner sees [`Deadline::fired`].
//! A wait for something other than a socket is woken instead.
//! Deadlines count from the time of the last sweep, so that arming one reads no clock either. Where a sweep
//! is late, because a turn of the worker was long or the process stood still, those armed since the one
//! before are moved by as much.
//! Racing a future against a timeout would drop operations in flight, which loses bytes.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use monoio::io::CancelHandle;
use slab::Slab;

use super::notify::{Interrupt, ReadCancel};
use super::{Notify, Stream};

/// How often deadlines are looked at. None fires early; none fires later than three times this, unless the
/// worker itself was held up.
pub const TICK: Duration = Duration::from_millis(10);

const NEVER: u64 = u64::MAX;

/// How long after the one before a sweep comes at most, else it is late. By so much a deadline that counts from
/// the last sweep may have been armed later.
const SWEEP_MAX: Duration = TICK.saturating_mul(2);
const SWEEP_MAX_MS: u64 = SWEEP_MAX.as_millis() as u64;

#[derive(Debug)]
struct Slot {
    /// Milliseconds since the epoch of `Timers`, or `NEVER`.
    at_ms: u64,
    /// How many sweeps there had been when it was armed.
    armed_in: u32,
    /// Holds the socket open as long as the sweep may shut it down.
    interrupt: Interrupt,
    fired: bool,
}

/// A worker's deadlines and its clock.
#[derive(Debug)]
pub struct Timers {
    epoch: Instant,
    /// The clock at the last sweep, in milliseconds since `epoch`.
    swept_ms: Cell<u64>,
    /// How many there have been.
    sweeps: Cell<u32>,
    slots: RefCell<Slab<Slot>>,
    earliest_ms: Cell<u64>,
}

impl Timers {
    /// No deadlines yet; the clock starts now.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            epoch: Instant::now(),
            swept_ms: Cell::new(0),
            sweeps: Cell::new(0),
            slots: RefCell::new(Slab::new()),
            earliest_ms: Cell::new(NEVER),
        })
    }

    /// The time at the last sweep: at most two [`TICK`]s ago, unless the worker was held up, and free to ask.
    pub fn coarse_now(&self) -> Instant {
        self.epoch + Duration::from_millis(self.swept_ms.get())
    }

    /// The other bound: now is not later than this. What must not be too short counts from here.
    pub fn latest_now(&self) -> Instant {
        self.coarse_now() + SWEEP_MAX
    }

    /// Shuts down every socket whose deadline has passed. To be called once a [`TICK`].
    pub fn sweep(&self) {
        let now_ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(NEVER - 1);
        let due_ms = self.swept_ms.replace(now_ms) + SWEEP_MAX_MS;
        let sweeps = self.sweeps.get();
        self.sweeps.set(sweeps.wrapping_add(1));
        let late_ms = now_ms.saturating_sub(due_ms);
        if late_ms == 0 && now_ms < self.earliest_ms.get() {
            return;
        }
        let mut earliest_ms = NEVER;
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if slot.armed_in == sweeps && slot.at_ms != NEVER {
                slot.at_ms = slot.at_ms.saturating_add(late_ms).min(NEVER - 1);
            }
            if slot.at_ms <= now_ms {
                slot.fire();
            }
            earliest_ms = earliest_ms.min(slot.at_ms);
        }
        self.earliest_ms.set(earliest_ms);
    }
}

impl Slot {
    fn fire(&mut self) {
        self.at_ms = NEVER;
        self.fired = true;
        self.interrupt.fire();
    }
}

/// One deadline on one socket or wait.
#[derive(Debug)]
pub struct Deadline {
    timers: Rc<Timers>,
    key: usize,
}

impl Deadline {
    /// A deadline, not armed, that ends `how` of `stream`.
    pub fn new(timers: &Rc<Timers>, stream: &Rc<Stream>, how: Shutdown) -> Self {
        Self::on(timers, Interrupt::socket(stream, how))
    }

    /// A deadline, not armed, that wakes who waits for `notify`.
    pub fn of_wait(timers: &Rc<Timers>, notify: &Rc<Notify>) -> Self {
        Self::on(timers, Interrupt::wait(notify))
    }

    fn on(timers: &Rc<Timers>, interrupt: Interrupt) -> Self {
        let slot = Slot { at_ms: NEVER, armed_in: 0, interrupt, fired: false };
        let key = timers.slots.borrow_mut().insert(slot);
        Self { timers: timers.clone(), key }
    }

    /// Fires `after` from now; replaces what was armed. `None` disarms.
    pub fn arm(&self, after: Option<Duration>) {
        match after {
            Some(after) => self.arm_after(self.timers.swept_ms.get() + SWEEP_MAX_MS, after),
            None => self.disarm(),
        }
    }

    /// As [`Timers::latest_now`].
    pub fn latest_now(&self) -> Instant {
        self.timers.latest_now()
    }

    /// Fires at `moment`, or as much later as the worker was held up; replaces what was armed.
    pub fn arm_at(&self, moment: Instant) {
        self.arm_after(0, moment.saturating_duration_since(self.timers.epoch));
    }

    /// Fires `after` from `from_ms`, which is as `Slot::at_ms`.
    fn arm_after(&self, from_ms: u64, after: Duration) {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(NEVER);
        let at_ms = from_ms.saturating_add(after_ms).saturating_add(1).min(NEVER - 1);
        self.set(at_ms);
        self.timers.earliest_ms.set(self.timers.earliest_ms.get().min(at_ms));
    }

    /// Does not fire until armed again.
    pub fn disarm(&self) {
        self.set(NEVER);
    }

    /// The clock it counts by.
    pub fn coarse_now(&self) -> Instant {
        self.timers.coarse_now()
    }

    /// Whether it has fired.
    pub fn fired(&self) -> bool {
        self.timers.slots.borrow()[self.key].fired
    }

    /// Whether it has fired since it was last asked so.
    pub fn take_fired(&self) -> bool {
        std::mem::take(&mut self.timers.slots.borrow_mut()[self.key].fired)
    }

    fn set(&self, at_ms: u64) {
        let slot = &mut self.timers.slots.borrow_mut()[self.key];
        (slot.at_ms, slot.armed_in) = (at_ms, self.timers.sweeps.get());
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.timers.slots.borrow_mut().remove(self.key);
    }
}

/// A limit on how long a read keeps its buffer (see [`Stream::read_patiently`]).
#[derive(Debug)]
pub struct Patience {
    deadline: Deadline,
    cancel: Rc<ReadCancel>,
}

impl Patience {
    /// Without a limit until armed.
    pub fn new(timers: &Rc<Timers>) -> Self {
        let cancel = Rc::new(ReadCancel::default());
        Self { deadline: Deadline::on(timers, Interrupt::read(&cancel)), cancel }
    }

    /// Ends `after` from now.
    pub fn arm(&self, after: Duration) {
        self.cancel.renew();
        self.deadline.arm(Some(after));
    }

    /// Does not end until armed again.
    pub fn disarm(&self) {
        self.deadline.disarm();
    }

    /// Begins anew, and ends with [`Patience::deadline`] as that is armed, or by [`Patience::end`].
    pub fn renew(&self) {
        self.cancel.renew();
        self.deadline.take_fired();
    }

    /// Ends now: no read begins until it is renewed, and one in flight is over.
    pub fn end(&self) {
        self.cancel.cancel();
    }

    /// When it ends.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Whether it ended since it was armed, also while nothing was read.
    pub(super) fn has_ended(&self) -> bool {
        self.cancel.has_fired()
    }

    /// Runs `wait`, which nothing is lost with, while it lasts.
    pub(super) async fn outlasts(&self, wait: impl Future<Output = ()>) -> bool {
        let mut wait = pin!(wait);
        poll_fn(|context| match wait.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if self.cancel.is_over(context) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    pub(super) fn handle(&self) -> CancelHandle {
        self.cancel.handle()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn what_is_armed_after_a_pause_has_its_whole_time() {
        let timers = Timers::new();
        timers.sweep();
        let [before, after] = [(); 2].map(|()| Deadline::of_wait(&timers, &Rc::default()));
        before.arm(Some(Duration::from_millis(20)));
        timers.sweep();
        sleep(Duration::from_millis(100));
        after.arm(Some(Duration::from_millis(20)));
        timers.sweep();
        assert!(before.fired() && !after.fired());
        sleep(Duration::from_millis(100));
        timers.sweep();
        assert!(after.fired());
    }
}

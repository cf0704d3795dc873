//! The worker's ground: sockets, buffers, timers and wake-ups on one pinned thread.
//!
//! This is the only folder that names the async runtime, io_uring, or `unsafe`. The rest of the
//! code sees [`Stream`], [`Buffer`], [`Timers`] and [`Mailbox`], so that another engine can take
//! this one's place. Two rules live here and nowhere else: a buffer given to the kernel belongs to
//! the kernel until its completion arrives, and an operation in flight is ended by shutting its
//! socket down, not by dropping its future.

mod allocator;
mod block;
mod buffer;
mod connect;
mod engine;
mod event;
mod fairness;
mod join;
mod listen;
mod mailbox;
pub mod memory;
mod notify;
mod panic;
mod pipe;
mod readiness;
mod roomy;
mod sleep;
mod socket;
mod socket_options;
mod spare_pieces;
mod spares;
mod splice;
mod timer;
mod turns;
mod watch;

pub use allocator::{Allocator, with_sparse_buffers};
pub use buffer::{
    Buffer, BufferPool, HEADROOM_BYTES, LARGE_BUFFER_BYTES, RECORD_BUFFER_BYTES, SMALL_BUFFER_BYTES,
};
pub use connect::{ConnectError, outgoing_socket};
pub use engine::{Engine, EngineChoice, EnginePlan, plan, run};
pub use event::Event;
pub use fairness::ByteTurn;
pub use join::join;
pub use listen::{ListenOptions, Listener, bind};
pub use mailbox::{Bell, Mailbox, Post, SendError, mailbox};
pub use memory::release_freed_memory;
pub use notify::{Interrupt, Notify};
pub use panic::catch_panic;
pub use pipe::{is_listened_at, like_tcp, local_address, system_name};
pub use roomy::shrink_rooms;
pub use sleep::sleep;
pub use socket::{Stream, closed_or_readable};
pub use spare_pieces::shrink_pieces;
pub use splice::{SplicePipe, SplicePipes};
pub use timer::{Deadline, Patience, TICK, Timers};
pub use turns::measure as measure_turns;
pub use watch::{Watch, Watches};

use std::future::Future;
use std::time::Duration;

/// Starts `task` on this worker; it runs until it ends by itself.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    // The handle is not kept: connections report through their counters, not through a join.
    drop(monoio::spawn(turns::Task::new(task)));
}

/// The same for the task that `make` builds, which is large and of which there may be thousands, so that
/// it leaves no hole in the heap.
pub fn spawn_large<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F) {
    spawn(roomy::Roomy::new(make));
}

/// Calls `act` once a `period` on this worker, for ever, with how much later than due that is.
pub async fn every(period: Duration, mut act: impl FnMut(Duration)) {
    // One interval, not a sleep each time: that would allocate at every turn.
    let mut interval = monoio::time::interval(period);
    loop {
        let due = interval.tick().await;
        let now = fairness::note_tick();
        act(now.saturating_duration_since(due.into()));
    }
}

/// Runs `future` as long as `given_up`, asked once a [`TICK`], names no reason to let go of it. Then
/// the future is dropped, so it must not be an operation that may lose something, which opening a
/// connection is not.
pub async fn run_unless<F: Future, R>(
    future: F,
    given_up: impl Fn() -> Option<R>,
) -> Result<F::Output, R> {
    let mut future = std::pin::pin!(future);
    loop {
        if let Ok(output) = sleep::timeout(TICK, future.as_mut()).await {
            return Ok(output);
        }
        if let Some(reason) = given_up() {
            return Err(reason);
        }
    }
}

//! Which I/O engine a worker runs on: io_uring where the kernel lets us, else epoll.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::turns::Main;
use super::{readiness, spare_pieces};

/// What the user asked for (`--io-engine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum EngineChoice {
    /// io_uring where it works, else epoll.
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// epoll.
    Epoll,
}

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Completion based, through a ring shared with the kernel.
    IoUring,
    /// Readiness based.
    Epoll,
}

/// The ring's set-up flags, from the best to the plainest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RingFlags {
    /// `SINGLE_ISSUER | DEFER_TASKRUN`, Linux 6.1: 13 to 36 % less CPU than the plain ring.
    DeferTaskrun,
    /// `COOP_TASKRUN`, Linux 5.19.
    CoopTaskrun,
    /// None.
    Plain,
}

/// The engine chosen at start, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnginePlan {
    /// The engine of all workers.
    pub engine: Engine,
    flags: RingFlags,
    reason: String,
}

impl fmt::Display for EnginePlan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.engine {
            Engine::IoUring => write!(out, "io_uring ({})", self.reason),
            Engine::Epoll => write!(out, "epoll ({})", self.reason),
        }
    }
}

/// Entries of each worker's submission ring; the completion ring is twice as long.
const RING_ENTRIES: u32 = 1024;

/// The operations a worker submits.
const NEEDED_OPERATIONS: [(u8, &str); 7] = [
    (io_uring::opcode::Accept::CODE, "ACCEPT"),
    (io_uring::opcode::Connect::CODE, "CONNECT"),
    (io_uring::opcode::Recv::CODE, "RECV"),
    (io_uring::opcode::Send::CODE, "SEND"),
    (io_uring::opcode::Close::CODE, "CLOSE"),
    (io_uring::opcode::PollAdd::CODE, "POLL_ADD"),
    (io_uring::opcode::AsyncCancel::CODE, "ASYNC_CANCEL"),
];

/// Decides the engine by trying: a ring is made and thrown away.
pub fn plan(choice: EngineChoice) -> io::Result<EnginePlan> {
    if choice == EngineChoice::Epoll {
        return Ok(epoll("asked for by --io-engine epoll".into()));
    }
    match probe() {
        Ok(flags) => Ok(EnginePlan {
            engine: Engine::IoUring,
            flags,
            reason: match flags {
                RingFlags::DeferTaskrun => "SINGLE_ISSUER and DEFER_TASKRUN".into(),
                RingFlags::CoopTaskrun => {
                    "COOP_TASKRUN; Linux 6.1 would allow DEFER_TASKRUN".into()
                }
                RingFlags::Plain => "no flags; Linux 6.1 would allow DEFER_TASKRUN".into(),
            },
        }),
        Err(error) if choice == EngineChoice::Auto => Ok(epoll(refusal(&error))),
        Err(error) => Err(io::Error::new(error.kind(), refusal(&error))),
    }
}

fn epoll(reason: String) -> EnginePlan {
    EnginePlan { engine: Engine::Epoll, flags: RingFlags::Plain, reason }
}

/// Why io_uring does not work here and what would enable it.
fn refusal(error: &io::Error) -> String {
    let cure = match error.raw_os_error() {
        Some(libc::EPERM) => {
            "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp \
             profile, and set kernel.io_uring_disabled=0"
        }
        Some(libc::ENOSYS) => "the kernel has no io_uring; use Linux 5.19 or newer",
        Some(libc::ENOMEM) => {
            "raise the locked-memory limit (ulimit -l), or use Linux 5.12 or newer"
        }
        _ => "use Linux 5.19 or newer",
    };
    format!("io_uring is refused: {error}; to enable it, {cure}")
}

fn probe() -> io::Result<RingFlags> {
    let mut refused = None;
    for flags in [RingFlags::DeferTaskrun, RingFlags::CoopTaskrun, RingFlags::Plain] {
        match ring_builder(flags).build(RING_ENTRIES) {
            Ok(ring) => return check_operations(&ring).map(|()| flags),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::Unsupported.into()))
}

fn check_operations(ring: &io_uring::IoUring) -> io::Result<()> {
    let mut supported = io_uring::Probe::new();
    ring.submitter().register_probe(&mut supported)?;
    match NEEDED_OPERATIONS.iter().find(|(code, _)| !supported.is_supported(*code)) {
        Some((_, name)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the kernel's io_uring lacks {name}"),
        )),
        None => Ok(()),
    }
}

fn ring_builder(flags: RingFlags) -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    match flags {
        RingFlags::DeferTaskrun => builder.setup_single_issuer().setup_defer_taskrun(),
        RingFlags::CoopTaskrun => builder.setup_coop_taskrun(),
        RingFlags::Plain => &mut builder,
    };
    builder
}

thread_local! {
    /// The engine of this thread.
    static ENGINE: Cell<Option<Engine>> = const { Cell::new(None) };
}

/// Whether this thread is a worker on epoll.
pub(super) fn is_epoll() -> bool {
    ENGINE.get() == Some(Engine::Epoll)
}

/// Runs `main` and what it spawns on this thread until `main` ends. The ring belongs to the thread
/// that makes it, so this must be called on the worker's own thread.
pub fn run<F: Future>(plan: &EnginePlan, main: F) -> io::Result<F::Output> {
    ENGINE.set(Some(plan.engine));
    let _kept = spare_pieces::keep_here();
    let main = Main::new(async {
        readiness::open()?;
        Ok(main.await)
    });
    match plan.engine {
        Engine::IoUring => RuntimeBuilder::<IoUringDriver>::new()
            .with_entries(RING_ENTRIES)
            .uring_builder(ring_builder(plan.flags))
            .enable_timer()
            .build()?
            .block_on(main),
        Engine::Epoll => RuntimeBuilder::<LegacyDriver>::new()
            .with_entries(RING_ENTRIES)
            .enable_timer()
            .build()?
            .block_on(main),
    }
}

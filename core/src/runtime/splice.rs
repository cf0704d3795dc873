//! Bytes that go from one socket to another without coming to user space: splice(2) through a pipe of the
//! kernel's.
//!
//! For who moves many bytes that it does not look at (`tcp_proxy`). That costs about half of what reading and
//! writing them does. A pipe is held only as long as bytes are in it: neither a sender nor a receiver of whom
//! nothing is waited for has one. There are few, for each takes two descriptors and pages that the kernel counts
//! against a limit of the user's (pipe(7)); where there is none, bytes are copied.
//!
//! Whether splice(2) waits is up to the socket, not to the call, so sockets that are spliced must not block. On
//! io_uring that makes who reads and writes them wait for readiness too, see [`Stream::stop_blocking`].

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};

use super::spares::Spares;
use super::{Buffer, LARGE_BUFFER_BYTES, Stream, TICK, sleep};

/// What a pipe is to hold: as much as a large buffer, so that neither way keeps others waiting for longer.
const PIPE_BYTES: usize = LARGE_BUFFER_BYTES;
/// What it must hold to be of use. The kernel gives less to a user who has many.
const PIPE_BYTES_MIN: usize = PIPE_BYTES / 4;
/// How long bytes are copied after the system has refused a pipe or the call: what it lacks or forbids, it seldom
/// gives at once.
const REST: Duration = Duration::from_secs(5);

/// A pipe and what is in it.
#[derive(Debug)]
pub struct SplicePipe {
    input: OwnedFd,
    output: OwnedFd,
    held: usize,
    _open: Open,
}

impl SplicePipe {
    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Moves all that is in it into `buffer`, which must have the room of a large one.
    pub fn empty_into(&mut self, buffer: &mut Buffer) -> io::Result<()> {
        while self.held > 0 {
            let spare = &mut buffer.spare_mut()[..self.held];
            let count = rustix::io::retry_on_intr(|| rustix::io::read(&self.output, &mut *spare))?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer.extend(count);
            self.held -= count;
        }
        Ok(())
    }
}

/// The pipes of a worker.
#[derive(Debug)]
pub struct SplicePipes {
    spare: Spares<SplicePipe>,
    open: Rc<Cell<usize>>,
    max: usize,
    /// Until when none is lent, as the system has refused something.
    rests_until: Cell<Option<Instant>>,
}

impl SplicePipes {
    /// At most `max` are open at a time.
    pub fn new(max: usize) -> Self {
        Self { spare: Spares::default(), open: Rc::default(), max, rests_until: Cell::default() }
    }

    /// Whether one may be had, as far as is known without asking the system.
    pub fn may_lend(&self) -> bool {
        !self.rests() && (self.open.get() < self.max || !self.spare.is_empty())
    }

    /// Lends none for a while: the system has refused something.
    pub fn rest(&self) {
        self.rests_until.set(Some(Instant::now() + REST));
    }

    fn rests(&self) -> bool {
        self.rests_until.get().is_some_and(|until| Instant::now() < until)
    }

    /// An empty pipe; absent where all are in use, or the system gives none.
    fn take(&self) -> Option<SplicePipe> {
        if !self.may_lend() {
            return None;
        }
        self.spare.take().or_else(|| {
            let pipe = self.open();
            if pipe.is_none() {
                self.rest();
            }
            pipe
        })
    }

    fn open(&self) -> Option<SplicePipe> {
        let open = Open::new(&self.open);
        let (output, input) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A user who may not have as much keeps what the kernel has given.
        let size = rustix::pipe::fcntl_setpipe_size(&input, PIPE_BYTES)
            .or_else(|_| rustix::pipe::fcntl_getpipe_size(&input));
        size.is_ok_and(|size| size >= PIPE_BYTES_MIN).then_some(SplicePipe {
            input,
            output,
            held: 0,
            _open: open,
        })
    }

    /// Takes a pipe back. One with bytes in it is closed: nobody else may get them.
    pub fn give_back(&self, pipe: SplicePipe) {
        if pipe.is_empty() {
            self.spare.give_back(pipe, self.max);
        }
    }

    /// Closes half of the pipes that were of no use since the last call.
    pub fn shrink(&self) {
        self.spare.shrink();
    }
}

/// One of the pipes that are open, until dropped.
#[derive(Debug)]
struct Open(Rc<Cell<usize>>);

impl Open {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Stream {
    /// Waits until something has come, and moves it into a pipe of `pipes`: an empty one is the peer's end.
    /// `None` where what has come has to be read: there is no pipe, the next byte is an urgent one (RFC 9293
    /// §3.8.5), at which splice(2) stops, or the system refuses the call. Errors are of the connection. The socket
    /// must not block.
    pub async fn splice(&self, pipes: &SplicePipes) -> io::Result<Option<SplicePipe>> {
        self.wait_readable_in_turn().await?;
        let Some(mut pipe) = pipes.take() else { return Ok(None) };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        match rustix::pipe::splice(self, None, &pipe.input, None, PIPE_BYTES, flags) {
            Ok(count) => {
                pipe.held = count;
                Ok(Some(pipe))
            }
            Err(error) => {
                pipes.give_back(pipe);
                match Failure::of(error) {
                    Failure::Passing => Ok(None),
                    Failure::Refusal => {
                        pipes.rest();
                        Ok(None)
                    }
                    Failure::Connection => Err(error.into()),
                }
            }
        }
    }

    /// Writes some of what is in `pipe`, once the peer takes any; how many bytes. `None` where they have to be
    /// [copied](SplicePipe::empty_into), as the system refuses the call. Errors are of the connection. The socket
    /// must not block.
    pub async fn write_spliced(
        &self,
        pipe: &mut SplicePipe,
        pipes: &SplicePipes,
    ) -> io::Result<Option<usize>> {
        let mut has_waited = false;
        loop {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            let error = match rustix::pipe::splice(&pipe.output, None, self, None, pipe.held, flags)
            {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    pipe.held -= count;
                    self.note_held_back(!pipe.is_empty());
                    return Ok(Some(count));
                }
                Err(error) => error,
            };
            match Failure::of(error) {
                Failure::Passing if error == Errno::INTR => {}
                Failure::Passing => {
                    if std::mem::replace(&mut has_waited, true) {
                        // The socket has room, it is said, so what lacks is the kernel's memory.
                        sleep(TICK).await;
                    }
                    self.note_held_back(true);
                    self.wait_writable_in_turn().await?;
                }
                Failure::Refusal => {
                    pipes.rest();
                    return Ok(None);
                }
                Failure::Connection => return Err(error.into()),
            }
        }
    }
}

/// What an error of splice(2) is about. Nothing was moved.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The moment.
    Passing,
    /// The call: it is forbidden, unknown for such a socket, or there is no memory for it.
    Refusal,
    /// The connection, which has told its error herewith and would seem to have ended well from now on.
    Connection,
}

impl Failure {
    fn of(error: Errno) -> Self {
        match error {
            Errno::AGAIN | Errno::INTR => Self::Passing,
            Errno::NOMEM
            | Errno::NOBUFS
            | Errno::INVAL
            | Errno::PERM
            | Errno::ACCESS
            | Errno::NOSYS
            | Errno::NOTSUP => Self::Refusal,
            _ => Self::Connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use rustix::pipe::splice;

    use super::*;

    fn fill(pipe: &mut SplicePipe, bytes: usize) {
        let (from, to) = UnixStream::pair().expect("sockets");
        rustix::io::write(&to, &vec![0; bytes]).expect("room");
        let flags = SpliceFlags::NONBLOCK;
        pipe.held = splice(from, None, &pipe.input, None, bytes, flags).expect("bytes");
    }

    #[test]
    fn there_are_no_more_pipes_than_may_be() {
        let pipes = SplicePipes::new(2);
        let first = pipes.take().expect("a pipe");
        let second = pipes.take().expect("another");
        assert!(pipes.take().is_none());
        pipes.give_back(first);
        assert!(pipes.take().is_some());
        drop(second);
        assert!(pipes.take().is_some());
    }

    #[test]
    fn nobody_gets_the_bytes_of_another() {
        let pipes = SplicePipes::new(1);
        let mut pipe = pipes.take().expect("a pipe");
        fill(&mut pipe, 5);
        assert_eq!(pipe.len(), 5);
        pipes.give_back(pipe);
        assert!(pipes.spare.take().is_none(), "it was closed");
        assert!(pipes.take().expect("another").is_empty());
    }

    #[test]
    fn what_the_system_refuses_is_not_asked_for_at_once_again() {
        let pipes = SplicePipes::new(1);
        pipes.give_back(pipes.take().expect("a pipe"));
        pipes.rest();
        assert!(!pipes.may_lend());
        assert!(pipes.take().is_none());
        pipes.rests_until.set(Some(Instant::now()));
        assert!(pipes.take().is_some());
    }

    #[test]
    fn only_errors_of_the_connection_end_it() {
        for passing in [Errno::AGAIN, Errno::INTR] {
            assert_eq!(Failure::of(passing), Failure::Passing);
        }
        for refusal in [Errno::NOMEM, Errno::NOBUFS, Errno::INVAL, Errno::PERM, Errno::NOSYS] {
            assert_eq!(Failure::of(refusal), Failure::Refusal);
        }
        for end in [Errno::CONNRESET, Errno::PIPE, Errno::TIMEDOUT, Errno::HOSTUNREACH] {
            assert_eq!(Failure::of(end), Failure::Connection);
        }
    }

    #[test]
    fn what_is_in_a_pipe_can_be_read() {
        let pipes = SplicePipes::new(1);
        let mut pipe = pipes.take().expect("a pipe");
        fill(&mut pipe, 5);
        let mut buffer = Buffer::with_capacity(LARGE_BUFFER_BYTES);
        pipe.empty_into(&mut buffer).expect("all of it");
        assert_eq!((buffer.bytes(), pipe.len()), (&[0; 5][..], 0));
    }
}

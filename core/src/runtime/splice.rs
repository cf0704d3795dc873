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

use rustix::pipe::{PipeFlags, SpliceFlags};

use super::spares::Spares;
use super::{LARGE_BUFFER_BYTES, Stream};

/// What a pipe is to hold: as much as a large buffer, so that neither way keeps others waiting for longer.
const PIPE_BYTES: usize = LARGE_BUFFER_BYTES;
/// What it must hold to be of use. The kernel gives less to a user who has many.
const PIPE_BYTES_MIN: usize = PIPE_BYTES / 4;

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
}

/// The pipes of a worker.
#[derive(Debug)]
pub struct SplicePipes {
    spare: Spares<SplicePipe>,
    open: Rc<Cell<usize>>,
    max: usize,
}

impl SplicePipes {
    /// At most `max` are open at a time.
    pub fn new(max: usize) -> Self {
        Self { spare: Spares::default(), open: Rc::default(), max }
    }

    /// Whether one may be had, as far as is known without asking the system.
    pub fn may_lend(&self) -> bool {
        self.open.get() < self.max || !self.spare.is_empty()
    }

    /// An empty pipe; absent where all are in use, or the system gives none.
    fn take(&self) -> Option<SplicePipe> {
        self.spare.take().or_else(|| {
            let open = self.may_lend().then(|| Open::new(&self.open))?;
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
    /// `None` where what has come has to be read: there is no pipe, or the next byte is an urgent one (RFC 9293
    /// §3.8.5), at which splice(2) stops. The socket must not block.
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
                let error = io::Error::from(error);
                let waits = error.kind() == io::ErrorKind::WouldBlock;
                if waits { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Writes some of what is in `pipe`, once the peer takes any; how many bytes. The socket must not block.
    pub async fn write_spliced(&self, pipe: &mut SplicePipe) -> io::Result<usize> {
        loop {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match rustix::pipe::splice(&pipe.output, None, self, None, pipe.held, flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    pipe.held -= count;
                    return Ok(count);
                }
                Err(rustix::io::Errno::AGAIN) => self.wait_writable_in_turn().await?,
                Err(error) => return Err(error.into()),
            }
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
}

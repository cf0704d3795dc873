//! Moving bytes one way between two connections. What is read is written before more is read, so a
//! slow receiver slows the sender down.
//!
//! Bytes are copied through a buffer. Where many come and both sides are plain, the kernel moves them from socket to
//! socket ([`Stream::splice`]) until few come.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use crate::runtime::{
    Buffer, BufferPool, LARGE_BUFFER_BYTES, Patience, SMALL_BUFFER_BYTES, SplicePipe, SplicePipes,
    Stream, Timers,
};
use crate::stats::{Pauses, counting_pauses};
use crate::transport_socket::Transport;

/// So many bytes in reads of [`SMALL_BUFFER_BYTES`] or more are a bulk transfer.
const BULK_BYTES: usize = LARGE_BUFFER_BYTES;

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sender said so, and the receiver was told.
    Finished,
    /// The sender's TLS broke off without a last word, and the receiver's, where it has any, did so too.
    Truncated,
    /// The sender's connection was reset.
    Reset,
    /// The receiver's connection was reset.
    ReceiverReset,
    /// The receiver is gone.
    ReceiverGone,
}

/// One direction.
pub struct Relay<'a> {
    /// Who sends.
    pub from: &'a Transport,
    /// Who receives.
    pub to: &'a Transport,
    /// Where buffers come from.
    pub buffers: &'a BufferPool,
    /// Where pipes come from.
    pub pipes: &'a SplicePipes,
    /// What limits how long a read keeps its buffer.
    pub timers: &'a Rc<Timers>,
    /// Counts the times that the sender is not read because the receiver takes nothing.
    pub pauses: Pauses<'a>,
    /// Told how many bytes have come.
    pub received: &'a dyn Fn(u64),
    /// Told how many bytes have gone on.
    pub sent: &'a dyn Fn(u64),
    /// Whether we have ended both sides, so that errors tell nothing of the peers.
    pub is_cut: &'a dyn Fn() -> bool,
    /// Of both directions: how the one ended that did first.
    pub first_end: &'a Cell<Option<End>>,
}

impl Relay<'_> {
    /// Moves `first`, which came before, and everything that comes until the sender ends. When the
    /// direction ends other than well, the other one is ended too.
    pub async fn run(&self, first: Buffer) -> End {
        let mut piece = first;
        let patience = OnceCell::new();
        let mut in_bulk = 0;
        let end = loop {
            if piece.is_empty() {
                let (read, received) = self.receive(&patience, in_bulk > 0).await;
                piece = received;
                match read {
                    Ok(0) => break End::Finished,
                    Ok(_) => {}
                    Err(error) => break End::of_sender(&error),
                }
            }
            let count = piece.len();
            (self.received)(count as u64);
            let (written, returned) = self.counted(self.to.write_all_at_once(piece)).await;
            self.buffers.give_back(returned);
            piece = Buffer::default();
            if let Err(error) = written {
                break self.end_of_receiver(&error);
            }
            (self.sent)(count as u64);
            in_bulk = if count < SMALL_BUFFER_BYTES { 0 } else { in_bulk + count };
            if in_bulk >= BULK_BYTES
                && self.pipes.may_lend()
                && let (Transport::Raw(from), Transport::Raw(to)) = (self.from, self.to)
            {
                if let Some(end) = self.splice(from, to).await {
                    break end;
                }
                in_bulk = 0;
            }
        };
        self.buffers.give_back(piece);
        let end = if (self.is_cut)() { end.without_reset() } else { end };
        self.first_end.set(self.first_end.get().or(Some(end)));
        self.end(end);
        end
    }

    /// The next piece. Where the last one filled a small buffer, there is a large one for it.
    async fn receive(
        &self,
        patience: &OnceCell<Patience>,
        in_bulk: bool,
    ) -> (io::Result<usize>, Buffer) {
        match self.from {
            Transport::Raw(stream) => {
                let buffer = || if in_bulk { self.buffers.large() } else { self.buffers.small() };
                stream.read_when_ready(buffer).await
            }
            Transport::Tls(_) => {
                let patience = patience.get_or_init(|| Patience::new(self.timers));
                let buffer = if in_bulk { self.buffers.large() } else { Buffer::default() };
                self.from.read_lazily(buffer, self.buffers, patience).await
            }
        }
    }

    /// Has the kernel move bytes as long as many come. `None` where few do, or it cannot.
    async fn splice(&self, from: &Stream, to: &Stream) -> Option<End> {
        from.stop_blocking().and_then(|()| to.stop_blocking()).ok()?;
        loop {
            let mut pipe = match from.splice(self.pipes).await {
                Ok(pipe) => pipe?,
                Err(error) => return Some(End::of_sender(&error)),
            };
            let count = pipe.len();
            if count == 0 {
                self.pipes.give_back(pipe);
                return Some(End::Finished);
            }
            (self.received)(count as u64);
            while !pipe.is_empty() {
                match self.counted(to.write_spliced(&mut pipe, self.pipes)).await {
                    Ok(Some(written)) => (self.sent)(written as u64),
                    Ok(None) => return self.copy_rest(pipe, to).await.err(),
                    Err(error) => return Some(self.end_of_receiver(&error)),
                }
            }
            self.pipes.give_back(pipe);
            if count < SMALL_BUFFER_BYTES {
                return None;
            }
        }
    }

    /// A write to the receiver.
    fn counted<F: Future>(&self, write: F) -> impl Future<Output = F::Output> {
        counting_pauses(write, || self.to.stream().is_held_back(), [self.pauses])
    }

    /// Writes what is in `pipe` by copying it.
    async fn copy_rest(&self, mut pipe: SplicePipe, to: &Stream) -> Result<(), End> {
        let mut buffer = self.buffers.large();
        if pipe.empty_into(&mut buffer).is_err() {
            // The receiver lacks bytes that nobody has any more.
            return Err(End::Reset);
        }
        let count = buffer.len();
        let (written, buffer) = self.counted(to.write_all(buffer)).await;
        self.buffers.give_back(buffer);
        self.pipes.give_back(pipe);
        written.map_err(|error| self.end_of_receiver(&error))?;
        (self.sent)(count as u64);
        Ok(())
    }

    /// By an error of a write.
    fn end_of_receiver(&self, error: &io::Error) -> End {
        match error.kind() {
            // The kernel tells a reset once. Where that was to the other direction's read, whose turn is still to come,
            // the pipe is broken here; after an end of the receiver's that direction has ended.
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                if self.first_end.get().is_none() =>
            {
                End::ReceiverReset
            }
            _ => End::ReceiverGone,
        }
    }

    fn end(&self, end: End) {
        match end {
            End::Finished => self.to.end_writing(),
            End::Truncated => self.to.break_off_writing(),
            End::Reset => self.pass_reset_on(self.from, self.to),
            End::ReceiverReset => self.pass_reset_on(self.to, self.from),
            End::ReceiverGone => self.from.stream().shutdown(Shutdown::Both),
        }
    }

    /// `from` was reset: `to` is to see that, not an end. Both directions end.
    fn pass_reset_on(&self, from: &Transport, to: &Transport) {
        to.reset();
        from.stream().shutdown(Shutdown::Both);
    }
}

impl End {
    /// By an error of a read.
    fn of_sender(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            // What Envoy, too, passes on as an end: a peer that has fallen silent or speaks no TLS, and our own cut.
            io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::InvalidData => Self::Finished,
            // Ours: what the sender would still say is lost.
            _ => Self::Reset,
        }
    }

    /// Whether the other side is told by a reset.
    pub fn is_reset(self) -> bool {
        matches!(self, Self::Reset | Self::ReceiverReset)
    }

    /// The same where a reset is our own doing.
    fn without_reset(self) -> Self {
        match self {
            Self::Reset => Self::Finished,
            Self::ReceiverReset => Self::ReceiverGone,
            end => end,
        }
    }
}

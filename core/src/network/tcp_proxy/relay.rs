//! Moving bytes one way between two connections. What is read is written before more is read, so a
//! slow receiver slows the sender down.

use std::io;
use std::net::Shutdown;

use crate::runtime::{Buffer, BufferPool, LARGE_BUFFER_BYTES, Patience, SMALL_BUFFER_BYTES};
use crate::transport_socket::Transport;

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sender said so, and the receiver was told.
    Finished,
    /// The sender's connection was reset.
    Reset,
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
    /// Its read's.
    pub patience: Patience,
    /// Told how many bytes have come.
    pub received: &'a dyn Fn(u64),
    /// Told how many bytes have gone on.
    pub sent: &'a dyn Fn(u64),
}

impl Relay<'_> {
    /// Moves `first`, which came before, and everything that comes until the sender ends. When the
    /// direction ends other than well, the other one is ended too.
    pub async fn run(&self, first: Buffer) -> End {
        let mut buffer = first;
        let end = loop {
            if buffer.is_empty() {
                let (read, returned) =
                    self.from.read_lazily(buffer, self.buffers, &self.patience).await;
                buffer = returned;
                match read {
                    Ok(0) => break End::Finished,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        break End::Reset;
                    }
                    Err(_) => break End::Finished,
                }
            }
            let count = buffer.len();
            (self.received)(count as u64);
            let (written, returned) = self.to.write_all(buffer).await;
            buffer = returned;
            buffer.clear();
            if written.is_err() {
                break End::ReceiverGone;
            }
            (self.sent)(count as u64);
            buffer = self.fitting(buffer, count);
        };
        self.buffers.give_back(buffer);
        self.end(end);
        end
    }

    /// A full small buffer makes place for a large one, and back when little comes.
    fn fitting(&self, buffer: Buffer, count: usize) -> Buffer {
        match buffer.capacity() {
            SMALL_BUFFER_BYTES if count == SMALL_BUFFER_BYTES => {
                self.buffers.give_back(buffer);
                self.buffers.large()
            }
            LARGE_BUFFER_BYTES if count < SMALL_BUFFER_BYTES => {
                self.buffers.give_back(buffer);
                Buffer::default()
            }
            _ => buffer,
        }
    }

    fn end(&self, end: End) {
        match end {
            End::Finished => self.to.end_writing(),
            // The receiver is to see the reset, not an end, so its side is not shut down for
            // writing; the read of the other direction ends all the same.
            End::Reset => {
                self.to.reset_on_close();
                self.to.stream().shutdown(Shutdown::Read);
                self.from.stream().shutdown(Shutdown::Both);
            }
            End::ReceiverGone => self.from.stream().shutdown(Shutdown::Both),
        }
    }
}

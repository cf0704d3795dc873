//! Commands from the control thread to a worker: a bounded channel and an eventfd that wakes.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use rustix::event::EventfdFlags;

/// The control thread's end.
#[derive(Debug)]
pub struct Post<T> {
    // Dropped in this order: the wake-up at the end must find the channel closed.
    sender: Sender<T>,
    waker: Waker,
}

/// Wakes the worker, at the latest when dropped.
#[derive(Debug)]
struct Waker(Arc<OwnedFd>);

/// The worker's end.
#[derive(Debug)]
pub struct Mailbox<T> {
    receiver: Receiver<T>,
    wake: Arc<OwnedFd>,
}

/// Wakes a worker without a word: it then looks at what it shares with the others.
#[derive(Debug, Clone)]
pub struct Bell {
    wake: Arc<OwnedFd>,
}

impl Bell {
    /// Wakes the worker.
    pub fn ring(&self) {
        // EAGAIN means that the counter is at its limit: the worker is being woken anyway.
        let _already_waking = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The worker has not emptied its mailbox yet.
    #[error("the worker's mailbox is full")]
    Full,
    /// The worker is gone.
    #[error("the worker has ended")]
    Ended,
}

/// A mailbox for at most `capacity` commands.
pub fn mailbox<T>(capacity: usize) -> io::Result<(Post<T>, Mailbox<T>)> {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((Post { sender, waker: Waker(wake.clone()) }, Mailbox { receiver, wake }))
}

impl<T> Post<T> {
    /// A bell for the worker at the other end.
    pub fn bell(&self) -> Bell {
        Bell { wake: self.waker.0.clone() }
    }

    /// Hands `command` over without waiting.
    pub fn send(&self, command: T) -> Result<(), SendError> {
        self.sender.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Disconnected(_) => SendError::Ended,
        })?;
        self.waker.wake();
        Ok(())
    }
}

impl Waker {
    fn wake(&self) {
        // EAGAIN means that the counter is at its limit: the worker is being woken anyway.
        let _already_waking = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wake();
    }
}

impl<T> Mailbox<T> {
    /// Runs on the worker: calls `act` with each command until the control thread is gone, and
    /// `woken` at every wake-up.
    pub async fn serve(self, mut act: impl FnMut(T), mut woken: impl FnMut()) -> io::Result<()> {
        // The runtime waits for readiness on its own stream types only, and only its file type
        // reads, on io_uring alone; so the eventfd is waited for as a stream and read plainly.
        let waiter = StdUnixStream::from(self.wake.try_clone()?);
        let waiter = monoio::net::UnixStream::from_std(waiter)?;
        loop {
            loop {
                match self.receiver.try_recv() {
                    Ok(command) => act(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            waiter.readable(false).await?;
            let mut count = [0; 8];
            // EAGAIN: somebody's earlier read took the count; the channel is looked at again.
            let _spurious = rustix::io::read(&*self.wake, &mut count);
            woken();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn the_last_wake_up_finds_the_channel_closed() {
        for _ in 0..2000 {
            let (post, mailbox) = mailbox::<()>(1).expect("an eventfd");
            let dropping = thread::spawn(move || drop(post));
            let mut waiting = [PollFd::new(&*mailbox.wake, PollFlags::IN)];
            poll(&mut waiting, None).expect("the worker is woken");
            assert_eq!(mailbox.receiver.try_recv(), Err(TryRecvError::Disconnected));
            dropping.join().expect("dropping does not panic");
        }
    }
}

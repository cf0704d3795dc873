//! A byte stream in memory between the `h2` crate and the task that owns the socket.
//!
//! The task hands over what it has received, lets the crate work, and takes what the crate has
//! written, in the buffer in which it goes to the socket: many frames leave in one send. Both directions
//! are bounded: input is taken one buffer at a time, and above [`OUTPUT_BYTES_MAX`] the crate has to wait.

use std::cell::RefCell;
use std::fmt::Debug;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::portions::Portions;

/// How many bytes may wait to be sent.
pub const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// Where buffers for output come from.
pub trait OutputBuffers<B>: Debug {
    /// Puts `bytes` behind those in `output`, in a longer buffer where they do not fit. At first `output` is
    /// the default, and it never holds more than [`OUTPUT_BYTES_MAX`].
    fn append(&self, output: &mut B, bytes: &[u8]);
}

/// Buffers on the heap, for who counts nothing.
#[derive(Debug)]
pub struct HeapBuffers;

impl OutputBuffers<Vec<u8>> for HeapBuffers {
    fn append(&self, output: &mut Vec<u8>, bytes: &[u8]) {
        output.extend_from_slice(bytes);
    }
}

/// The crate's end.
#[derive(Debug)]
pub struct MemoryIo<B>(Rc<RefCell<State<B>>>);

/// The end of the task that owns the socket.
#[derive(Debug)]
pub struct MemoryIoHandle<B>(Rc<RefCell<State<B>>>);

#[derive(Debug)]
struct State<B> {
    input: Option<B>,
    /// Bytes of `input` that were read.
    taken: usize,
    input_ended: bool,
    /// Decides how much of `input` is read at once.
    portions: Option<Portions>,
    output: B,
    buffers: Rc<dyn OutputBuffers<B>>,
    /// Bytes of `output` that were looked at.
    seen: usize,
    /// The crate will write no more.
    output_ended: bool,
    /// What is written goes nowhere.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both ends of a stream. `B` is what input comes in, and what output leaves in, from `buffers`.
pub fn memory_io<B: AsRef<[u8]> + Default>(
    buffers: Rc<dyn OutputBuffers<B>>,
) -> (MemoryIo<B>, MemoryIoHandle<B>) {
    let state = Rc::new(RefCell::new(State {
        input: None,
        taken: 0,
        input_ended: false,
        portions: None,
        output: B::default(),
        buffers,
        seen: 0,
        output_ended: false,
        broken: false,
        reader: None,
        writer: None,
    }));
    (MemoryIo(state.clone()), MemoryIoHandle(state))
}

impl<B: AsRef<[u8]> + Default> MemoryIoHandle<B> {
    /// What comes begins with a client's preface; its frames of field sections are to be read one by one, so that
    /// [errors of their coding](Self::has_wrong_coding) are known. `table_bytes`: SETTINGS_HEADER_TABLE_SIZE.
    pub fn portion(&self, table_bytes: u32) {
        self.0.borrow_mut().portions = Some(Portions::new(table_bytes));
    }

    /// We have reset `stream`, so that trailers on it are an error.
    pub fn note_reset(&self, stream: u32) {
        if let Some(portions) = &mut self.0.borrow_mut().portions {
            portions.note_reset(stream);
        }
    }

    /// Whether the crate, where it has failed with PROTOCOL_ERROR now, can only have done so over the coding of a
    /// field block.
    pub fn has_wrong_coding(&self) -> bool {
        let state = self.0.borrow();
        let input = state.input.as_ref().map(AsRef::as_ref).unwrap_or_default();
        state.portions.as_ref().is_some_and(|portions| portions.has_wrong_coding(input))
    }

    /// Whether the crate has read all that was handed over.
    pub fn wants_input(&self) -> bool {
        let state = self.0.borrow();
        !state.input_ended
            && state.input.as_ref().is_none_or(|input| state.taken >= input.as_ref().len())
    }

    /// Hands `input` over; what was handed over before and has been read comes back.
    pub fn feed(&self, input: B) -> Option<B> {
        let mut state = self.0.borrow_mut();
        state.taken = 0;
        if let Some(portions) = &mut state.portions {
            portions.forget_input();
        }
        let spent = state.input.replace(input);
        wake(&mut state.reader);
        spent
    }

    /// Nothing more will come.
    pub fn end_input(&self) {
        let mut state = self.0.borrow_mut();
        state.input_ended = true;
        wake(&mut state.reader);
    }

    /// What was handed over last, read or not.
    pub fn take_input(&self) -> Option<B> {
        self.0.borrow_mut().input.take()
    }

    /// Whether there is something to send.
    pub fn has_output(&self) -> bool {
        !self.0.borrow().output.as_ref().is_empty()
    }

    /// Whether the crate can write more. If so, it has written all that it could.
    pub fn has_room(&self) -> bool {
        self.0.borrow().output.as_ref().len() < OUTPUT_BYTES_MAX
    }

    /// Whether the crate has written its last byte.
    pub fn has_ended(&self) -> bool {
        self.0.borrow().output_ended
    }

    /// Shows `look` what the crate has written since the last call.
    pub fn look_at_output(&self, look: impl FnOnce(&[u8])) {
        let State { output, seen, .. } = &mut *self.0.borrow_mut();
        let unseen = &output.as_ref()[*seen..];
        *seen += unseen.len();
        if !unseen.is_empty() {
            look(unseen);
        }
    }

    /// Writes `bytes` over what begins so many bytes before the end of what the crate has written.
    pub fn overwrite_output(&self, before_end: usize, bytes: &[u8])
    where
        B: AsMut<[u8]>,
    {
        let mut state = self.0.borrow_mut();
        let output = state.output.as_mut();
        let place = output.len().checked_sub(before_end);
        if let Some(place) = place.and_then(|start| output.get_mut(start..start + bytes.len())) {
            place.copy_from_slice(bytes);
        }
    }

    /// What there is to send.
    pub fn take_output(&self) -> B {
        let mut state = self.0.borrow_mut();
        state.seen = 0;
        wake(&mut state.writer);
        std::mem::take(&mut state.output)
    }

    /// Nothing more can be sent.
    pub fn break_output(&self) {
        let mut state = self.0.borrow_mut();
        state.broken = true;
        state.output = B::default();
        state.seen = 0;
        wake(&mut state.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl<B: AsRef<[u8]>> AsyncRead for MemoryIo<B> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let left = match &state.input {
            Some(input) => &input.as_ref()[state.taken..],
            None => &[],
        };
        if left.is_empty() && !state.input_ended {
            state.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut part = left.len().min(into.remaining());
        if let (Some(portions), Some(input)) = (&mut state.portions, &state.input) {
            part = portions.next(&input.as_ref()[..state.taken + part], state.taken);
        }
        into.put_slice(&left[..part]);
        state.taken += part;
        Poll::Ready(Ok(()))
    }
}

impl<B: AsRef<[u8]>> AsyncWrite for MemoryIo<B> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let state = &mut *self.0.borrow_mut();
        if state.broken {
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        }
        let room = OUTPUT_BYTES_MAX.saturating_sub(state.output.as_ref().len());
        if room == 0 {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let part = bytes.len().min(room);
        state.buffers.append(&mut state.output, &bytes[..part]);
        Poll::Ready(Ok(part))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.0.borrow_mut().output_ended = true;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(io: &mut MemoryIo<Vec<u8>>, room: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; room];
        let mut into = ReadBuf::new(&mut bytes);
        match Pin::new(io).poll_read(&mut Context::from_waker(Waker::noop()), &mut into) {
            Poll::Ready(read) => read.ok().map(|()| into.filled().to_vec()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn input_is_read_in_pieces_and_comes_back() {
        let (mut io, handle) = memory_io(Rc::new(HeapBuffers));
        assert_eq!(read(&mut io, 4), None);
        assert!(handle.feed(b"abcdef".to_vec()).is_none());
        assert_eq!(read(&mut io, 4), Some(b"abcd".to_vec()));
        assert!(!handle.wants_input());
        assert_eq!(read(&mut io, 4), Some(b"ef".to_vec()));
        assert!(handle.wants_input());
        assert_eq!(handle.feed(b"g".to_vec()), Some(b"abcdef".to_vec()));
        handle.end_input();
        assert_eq!(read(&mut io, 4), Some(b"g".to_vec()));
        assert_eq!(read(&mut io, 4), Some(Vec::new()));
    }

    #[test]
    fn output_is_looked_at_once() {
        let (mut io, handle) = memory_io(Rc::new(HeapBuffers));
        let mut write = |bytes: &[u8]| {
            Pin::new(&mut io).poll_write(&mut Context::from_waker(Waker::noop()), bytes).is_ready()
        };
        let look = || {
            let mut seen = Vec::new();
            handle.look_at_output(|output| seen.extend_from_slice(output));
            seen
        };
        assert!(write(b"abc"));
        assert_eq!(look(), b"abc");
        assert!(write(b"de"));
        assert_eq!(look(), b"de");
        assert_eq!(handle.take_output(), b"abcde");
        assert!(!handle.has_output());
        assert!(write(b"f"));
        assert_eq!(look(), b"f");
        assert_eq!(look(), b"");
    }

    #[test]
    fn output_is_bounded() {
        let (mut io, handle) = memory_io(Rc::new(HeapBuffers));
        let mut write = |bytes: &[u8]| {
            Pin::new(&mut io).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
        };
        let long = vec![0; OUTPUT_BYTES_MAX + 1];
        assert!(handle.has_room());
        assert!(matches!(write(&long), Poll::Ready(Ok(OUTPUT_BYTES_MAX))));
        assert!(!handle.has_room());
        assert!(write(b"x").is_pending());
        assert_eq!(handle.take_output().len(), OUTPUT_BYTES_MAX);
        assert!(handle.has_room());
        assert!(matches!(write(b"xyz"), Poll::Ready(Ok(3))));
        handle.break_output();
        assert!(matches!(write(b"x"), Poll::Ready(Err(_))));
    }
}

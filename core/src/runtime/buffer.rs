//! Byte buffers that may be given to the kernel, and the pool they come from.
#![allow(unsafe_code)]

use monoio::buf::{IoBuf, IoBufMut};

use super::block::ByteBlock;
use super::spares::Spares;

/// Room kept free before received bytes, so that a message head or a chunk head can be written in
/// front of a body where it lies.
pub const HEADROOM_BYTES: usize = 1024;
/// Room kept free behind received bytes, so that a chunk's end and the last chunk fit behind a body
/// where it lies.
pub const TAILROOM_BYTES: usize = 64;
/// What a small buffer can receive. Envoy reads 16 KiB slices too.
pub const SMALL_BUFFER_BYTES: usize = 16 * 1024;
/// What a large buffer can receive; used only while a long body streams.
pub const LARGE_BUFFER_BYTES: usize = 256 * 1024;

/// What a record buffer can receive: the longest TLS record there is, that of TLS 1.2 (RFC 5246
/// §6.2.3), with its head.
pub const RECORD_BUFFER_BYTES: usize = 5 + 16 * 1024 + 2048;

/// Bytes received and not yet used, `start..end` of a fixed allocation.
///
/// A read appends behind `end`, leaving the tailroom free; a write takes from `start`. The allocation is zeroed once, so
/// every byte of it is initialised for its whole life.
/// The default is a placeholder that can hold nothing.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: ByteBlock,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer that can receive `capacity` bytes behind its headroom.
    pub fn with_capacity(capacity: usize) -> Self {
        let bytes = ByteBlock::new(HEADROOM_BYTES + capacity + TAILROOM_BYTES);
        Self { bytes, start: HEADROOM_BYTES, end: HEADROOM_BYTES }
    }

    /// `bytes` in `spare`, which is empty, or in a buffer made to measure where they do not fit.
    pub fn holding(mut spare: Self, bytes: &[u8]) -> Self {
        if !spare.append(bytes) {
            spare = Self::with_capacity(bytes.len());
            let fits = spare.append(bytes);
            debug_assert!(fits, "made to measure");
        }
        spare
    }

    /// Forgets all bytes and restores the headroom.
    pub fn clear(&mut self) {
        let start = HEADROOM_BYTES.min(self.bytes.len());
        (self.start, self.end) = (start, start);
    }

    /// The bytes held.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The bytes held, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// How many bytes are held.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no byte is held.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many more bytes a read can append.
    pub fn room(&self) -> usize {
        self.bytes.len().saturating_sub(TAILROOM_BYTES + self.end)
    }

    /// What the buffer can receive when empty.
    pub fn capacity(&self) -> usize {
        self.bytes.len().saturating_sub(HEADROOM_BYTES + TAILROOM_BYTES)
    }

    /// Drops the first `count` bytes.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len());
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Keeps the first `count` bytes.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start + count);
    }

    /// Writes `prefix` directly before the bytes held; false where the room before them is too
    /// small.
    #[must_use]
    pub fn prepend(&mut self, prefix: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(prefix.len()) else { return false };
        self.bytes[start..self.start].copy_from_slice(prefix);
        self.start = start;
        true
    }

    /// Appends `suffix`, the tailroom included; false where it does not fit.
    #[must_use]
    pub fn append(&mut self, suffix: &[u8]) -> bool {
        let end = self.end + suffix.len();
        if end > self.bytes.len() {
            return false;
        }
        self.bytes[self.end..end].copy_from_slice(suffix);
        self.end = end;
        true
    }

    /// The free bytes behind those held, the tailroom included, for [`Buffer::extend`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Takes the first `count` of the free bytes, which were written to, for bytes held.
    pub fn extend(&mut self, count: usize) {
        debug_assert!(count <= self.bytes.len() - self.end);
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// A buffer with the same bytes and twice the room.
    pub fn doubled(&self) -> Self {
        let mut doubled = Self::with_capacity(self.capacity() * 2);
        let fits = doubled.append(self.bytes());
        debug_assert!(fits, "twice the room holds what half of it held");
        doubled
    }

    /// Moves the bytes held to the front, so that the room behind them grows.
    pub fn compact(&mut self) {
        if self.start != HEADROOM_BYTES {
            let length = self.len();
            self.bytes.copy_within(self.start..self.end, HEADROOM_BYTES);
            self.start = HEADROOM_BYTES;
            self.end = HEADROOM_BYTES + length;
        }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self.bytes_mut()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

// SAFETY: `read_ptr` points into an allocation that does not move with the `Buffer`, and the
// `bytes_init` bytes from there are inside it and initialised.
unsafe impl IoBuf for Buffer {
    fn read_ptr(&self) -> *const u8 {
        self.bytes().as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

/// A buffer on its way out: what is left to send stands behind `sent`, and the buffer comes back
/// whole.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) buffer: Buffer,
    pub(super) sent: usize,
}

// SAFETY: as for `Buffer`; `sent` never passes its end.
unsafe impl IoBuf for Outgoing {
    fn read_ptr(&self) -> *const u8 {
        self.buffer.bytes()[self.sent..].as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.buffer.len() - self.sent
    }
}

// SAFETY: `write_ptr` points behind the held bytes into the same allocation; `bytes_total` bytes
// from there are inside it. The runtime owns the buffer while the kernel may write to it.
unsafe impl IoBufMut for Buffer {
    fn write_ptr(&mut self) -> *mut u8 {
        self.bytes[self.end..].as_mut_ptr()
    }

    fn bytes_total(&mut self) -> usize {
        self.room()
    }

    unsafe fn set_init(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }
}

/// A worker's spare buffers.
#[derive(Debug, Default)]
pub struct BufferPool {
    small: Spares<Buffer>,
    record: Spares<Buffer>,
    large: Spares<Buffer>,
}

/// Spare small buffers kept per worker; beyond that they go back to the system.
const SPARE_SMALL_MAX: usize = 512;
/// Spare record buffers kept per worker.
const SPARE_RECORD_MAX: usize = 64;
/// Spare large buffers kept per worker.
const SPARE_LARGE_MAX: usize = 16;

impl BufferPool {
    /// An empty buffer of [`SMALL_BUFFER_BYTES`].
    pub fn small(&self) -> Buffer {
        self.small.take().unwrap_or_else(|| Buffer::with_capacity(SMALL_BUFFER_BYTES))
    }

    /// An empty buffer of [`RECORD_BUFFER_BYTES`].
    pub fn record(&self) -> Buffer {
        self.record.take().unwrap_or_else(|| Buffer::with_capacity(RECORD_BUFFER_BYTES))
    }

    /// An empty buffer of [`LARGE_BUFFER_BYTES`].
    pub fn large(&self) -> Buffer {
        self.large.take().unwrap_or_else(|| Buffer::with_capacity(LARGE_BUFFER_BYTES))
    }

    /// `bytes` in a buffer that they fit in: a small or a large one, or one made to measure.
    pub fn holding(&self, bytes: &[u8]) -> Buffer {
        Buffer::holding(self.with_room(bytes.len()), bytes)
    }

    /// An empty buffer for so many bytes.
    fn with_room(&self, bytes: usize) -> Buffer {
        match bytes {
            ..=SMALL_BUFFER_BYTES => self.small(),
            bytes if bytes <= LARGE_BUFFER_BYTES => self.large(),
            bytes => Buffer::with_capacity(bytes),
        }
    }

    /// Puts `bytes` behind those in `buffer`, in a longer one where they do not fit.
    pub fn append(&self, buffer: &mut Buffer, bytes: &[u8]) {
        if buffer.append(bytes) {
            return;
        }
        let length = buffer.len() + bytes.len();
        let mut longer = self.with_room(length);
        let fits = longer.append(buffer.bytes()) && longer.append(bytes);
        debug_assert!(fits, "there is room for both");
        self.give_back(std::mem::replace(buffer, longer));
    }

    /// Takes a buffer back.
    pub fn give_back(&self, mut buffer: Buffer) {
        buffer.clear();
        let (spares, spare_max) = match buffer.capacity() {
            SMALL_BUFFER_BYTES => (&self.small, SPARE_SMALL_MAX),
            RECORD_BUFFER_BYTES => (&self.record, SPARE_RECORD_MAX),
            LARGE_BUFFER_BYTES => (&self.large, SPARE_LARGE_MAX),
            // A placeholder, or made to measure for one long head.
            _ => return,
        };
        spares.give_back(buffer, spare_max);
    }

    /// Gives half of the buffers that were of no use since the last call back to the system.
    pub fn shrink(&self) {
        [&self.small, &self.record, &self.large].into_iter().for_each(Spares::shrink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepends_into_the_headroom_and_refuses_beyond_it() {
        let mut buffer = Buffer::with_capacity(16);
        assert!(buffer.append(b"body"));
        assert!(buffer.prepend(b"head"));
        assert_eq!(buffer.bytes(), b"headbody");
        assert!(!buffer.prepend(&[0; HEADROOM_BYTES]));
        assert_eq!(buffer.bytes(), b"headbody");
    }

    #[test]
    fn the_tailroom_takes_what_a_read_may_not() {
        let mut buffer = Buffer::with_capacity(4);
        assert!(buffer.append(b"full"));
        assert_eq!(buffer.room(), 0);
        assert!(buffer.append(b"\r\n0\r\n\r\n"));
        assert!(!buffer.append(&[0; TAILROOM_BYTES]));
        assert_eq!(buffer.bytes(), b"full\r\n0\r\n\r\n");
    }

    #[test]
    fn consumed_bytes_become_room_again() {
        let mut buffer = Buffer::with_capacity(8);
        assert!(buffer.append(b"01234567"));
        buffer.consume(5);
        assert_eq!(buffer.room(), 0);
        buffer.compact();
        assert_eq!(buffer.bytes(), b"567");
        assert_eq!(buffer.room(), 5);
        buffer.consume(3);
        assert_eq!(buffer.room(), 8);
    }

    #[test]
    fn the_pool_returns_cleared_buffers_of_the_asked_size() {
        let pool = BufferPool::default();
        let mut small = pool.small();
        assert!(small.append(b"secret"));
        pool.give_back(small);
        assert!(pool.small().is_empty());
        assert_eq!(pool.large().capacity(), LARGE_BUFFER_BYTES);
    }

    #[test]
    fn what_grows_moves_to_longer_buffers() {
        let pool = BufferPool::default();
        let mut buffer = Buffer::default();
        let piece = vec![7; 4 * SMALL_BUFFER_BYTES / 5];
        for capacity in [SMALL_BUFFER_BYTES, LARGE_BUFFER_BYTES, LARGE_BUFFER_BYTES] {
            pool.append(&mut buffer, &piece);
            assert_eq!(buffer.capacity(), capacity);
        }
        assert_eq!(buffer.bytes(), piece.repeat(3));
        assert!(pool.small.take().is_some(), "the first one came back");
    }

    #[test]
    fn what_is_to_be_held_chooses_its_buffer() {
        let pool = BufferPool::default();
        for (length, capacity) in [
            (0, SMALL_BUFFER_BYTES),
            (SMALL_BUFFER_BYTES, SMALL_BUFFER_BYTES),
            (SMALL_BUFFER_BYTES + 1, LARGE_BUFFER_BYTES),
            (LARGE_BUFFER_BYTES + 1, LARGE_BUFFER_BYTES + 1),
        ] {
            let held = pool.holding(&vec![7; length]);
            assert_eq!((held.len(), held.capacity()), (length, capacity));
            pool.give_back(held);
        }
        assert_eq!(pool.large.take().map(|it| it.capacity()), Some(LARGE_BUFFER_BYTES));
        assert!(pool.large.take().is_none(), "one was used twice or not at all");
    }
}

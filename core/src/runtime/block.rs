//! Memory for what is large and comes and goes by the thousand: buffers, and the tasks that serve
//! connections.
//!
//! A connection leaves a few small things on the heap for as long as it is open. If large blocks lay
//! between those, a page of the heap would hardly ever be free once the blocks were: so a large block
//! has pages of its own, which go back to the system with it, and of which those never touched cost
//! nothing. A process may have so many mappings only (`vm.max_map_count`); beyond them blocks are on the
//! heap, too.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blocks from this length on have pages of their own. Shorter buffers are made for one message and freed
/// with it, as those of handshakes.
pub(super) const OWN_PAGES_BYTES: usize = 12 * 1024;
/// The smallest page there is. Long blocks begin with a page, wherever they are.
const PAGE_BYTES: usize = 4096;
/// What shorter blocks are aligned to.
const ALIGNMENT: usize = 16;

/// Bytes in blocks with pages of their own, of the whole process.
static IN_OWN_PAGES: AtomicUsize = AtomicUsize::new(0);
/// How many such blocks there have been.
static MAPPED: AtomicUsize = AtomicUsize::new(0);

/// Bytes that blocks hold outside the heap.
pub fn bytes_outside_heap() -> usize {
    IN_OWN_PAGES.load(Ordering::Relaxed)
}

/// How many blocks outside the heap there have been.
pub fn blocks_outside_heap() -> usize {
    MAPPED.load(Ordering::Relaxed)
}

/// A block of memory, zero at first, aligned to 16 bytes or better. It stays where it is. What its owner
/// writes there may leave parts of it uninitialised; [`ByteBlock`] does not.
#[derive(Debug)]
pub(super) struct Block {
    start: NonNull<u8>,
    length: usize,
    /// Has it pages of its own?
    is_mapped: bool,
}

// SAFETY: a block owns its memory like a `Box<[u8]>`.
unsafe impl Send for Block {}
// SAFETY: the same; a shared reference only tells where it is.
unsafe impl Sync for Block {}

impl Block {
    /// `length` zeroes.
    pub(super) fn new(length: usize) -> Self {
        if length == 0 {
            return Self { start: NonNull::dangling(), length, is_mapped: false };
        }
        match (length >= OWN_PAGES_BYTES).then(|| map(length)).flatten() {
            Some(start) => Self { start, length, is_mapped: true },
            None => Self { start: allocate(length), length, is_mapped: false },
        }
    }

    /// Its first byte.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        match self.length {
            0 => {}
            _ if self.is_mapped => unmap(self.start, self.length),
            // SAFETY: `allocate` gave it for the same layout.
            _ => unsafe { dealloc(self.start.as_ptr(), layout(self.length)) },
        }
    }
}

/// A block of bytes, each of which is initialised for its whole life.
#[derive(Debug, Default)]
pub(super) struct ByteBlock(Block);

impl ByteBlock {
    /// `length` zeroes.
    pub(super) fn new(length: usize) -> Self {
        Self(Block::new(length))
    }
}

impl Deref for ByteBlock {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes from `start` are the block's own and initialised: zeroed when it was made,
        // here, and nobody gets to them but through slices of bytes.
        unsafe { slice::from_raw_parts(self.0.start.as_ptr(), self.0.length) }
    }
}

impl DerefMut for ByteBlock {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` is the only way to them meanwhile.
        unsafe { slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.length) }
    }
}

fn layout(length: usize) -> Layout {
    let alignment = if length < OWN_PAGES_BYTES { ALIGNMENT } else { PAGE_BYTES };
    Layout::from_size_align(length, alignment).expect("far below the limit")
}

fn allocate(length: usize) -> NonNull<u8> {
    let layout = layout(length);
    // SAFETY: the length is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// `None` where the system gives no further mapping.
fn map(length: usize) -> Option<NonNull<u8>> {
    // SAFETY: a new mapping, of no file, at a place of the kernel's choice touches nothing that there is.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    IN_OWN_PAGES.fetch_add(length, Ordering::Relaxed);
    MAPPED.fetch_add(1, Ordering::Relaxed);
    NonNull::new(start.cast())
}

fn unmap(start: NonNull<u8>, length: usize) {
    // SAFETY: `map` gave these pages, and nothing points to them any more. It cannot fail: they are whole
    // pages of one mapping.
    unsafe { libc::munmap(start.as_ptr().cast(), length) };
    IN_OWN_PAGES.fetch_sub(length, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_on_the_heap_is_what_one_with_pages_of_its_own_is() {
        let length = OWN_PAGES_BYTES;
        let mut block = ByteBlock(Block { start: allocate(length), length, is_mapped: false });
        assert!(block.0.start().as_ptr().addr().is_multiple_of(PAGE_BYTES));
        assert!(block.iter().all(|byte| *byte == 0));
        block.fill(7);
    }

    #[test]
    fn blocks_of_any_length_are_zero_and_take_bytes() {
        for length in [0, 1, OWN_PAGES_BYTES - 1, OWN_PAGES_BYTES, 5 * PAGE_BYTES + 1] {
            let mut block = ByteBlock::new(length);
            assert_eq!(block.len(), length);
            assert!(block.iter().all(|byte| *byte == 0));
            block.fill(7);
            assert!(block.iter().all(|byte| *byte == 7));
        }
    }
}

//! The program's allocator: the system's, of whose small pieces workers keep some (`spare_pieces.rs`), and which puts
//! buffers that stay almost empty where that costs little.
//!
//! A connection of HTTP/2 holds buffers of 16, 8 and 4 KiB of the `h2` crate's, of which a few hundred bytes at
//! their beginnings are used by the time it rests. The system gives whole pages, however: one for the beginning
//! of each buffer, one for its end, as what lies behind it is in use, and all that were touched by whoever
//! had the memory before. So such a buffer begins near the end of a page and ends with one, and all its pages but
//! the first are given back at once. The gap in front of it is filled with the small things that are allocated next.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use super::spare_pieces::{self, Class};

/// The smallest page there is.
const PAGE_BYTES: usize = 4096;
/// How many bytes of a buffer lie on its first page.
const HEAD_BYTES: usize = 512;
/// What the C library keeps in front of a piece of memory; pieces are aligned to as much.
const OVERHEAD_BYTES: usize = 16;
/// The smallest piece that it has, with that.
const PIECE_BYTES_MIN: usize = 32;
/// Larger ones have pages of their own as it is.
const SPARSE_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SPARSE: Cell<bool> = const { Cell::new(false) };
}

/// Has `make` allocate buffers that are likely to stay almost empty: where the program has this allocator, those
/// whose lengths are whole pages are placed accordingly.
pub fn with_sparse_buffers<T>(make: impl FnOnce() -> T) -> T {
    /// Also where `make` panics.
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            SPARSE.set(self.0);
        }
    }
    let _reset = Reset(SPARSE.replace(true));
    make()
}

/// See the module.
///
/// What it does stays out of line: at each of the places that allocate it made the program 3 MB longer.
#[derive(Debug)]
pub struct Allocator;

// SAFETY: memory is `System`'s, which is `malloc` and its kin here. What has a [`Class`], which its layout alone
// decides, is a piece for the layout of that, which holds it, and goes back as such or to the spare ones. The rest
// does what `System` does: a sparse buffer is a piece of `malloc`'s, longer than asked for, which it takes back as
// any other.
unsafe impl GlobalAlloc for Allocator {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(class) = Class::of(layout) {
            let spare = spare_pieces::take(class);
            // SAFETY: the length of a class is not zero.
            return if spare.is_null() { unsafe { System.alloc(class.layout()) } } else { spare };
        }
        if layout.size() >= PAGE_BYTES && is_sparse(layout) {
            return allocate_sparse(layout);
        }
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let layout = Class::of(layout).map_or(layout, Class::layout);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `System` has given it, for the layout of its class where it has one, and the caller lets go of it.
        unsafe {
            match Class::of(layout) {
                Some(class) if spare_pieces::keep(class, pointer) => {}
                Some(class) => System.dealloc(pointer, class.layout()),
                None => System.dealloc(pointer, layout),
            }
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, length: usize) -> *mut u8 {
        // SAFETY: the caller promises that it is not too long.
        let longer = unsafe { Layout::from_size_align_unchecked(length, layout.align()) };
        match (Class::of(layout), Class::of(longer)) {
            // SAFETY: as with `alloc`; `System` knows the length of what it has given, sparse or not.
            (None, None) => unsafe { System.realloc(pointer, layout, length) },
            (old, new) if old == new => pointer,
            // SAFETY: the new piece is another one, and both are as long as what is copied.
            _ => unsafe {
                let moved = self.alloc(longer);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(pointer, moved, layout.size().min(length));
                    self.dealloc(pointer, layout);
                }
                moved
            },
        }
    }
}

fn is_sparse(layout: Layout) -> bool {
    SPARSE.get()
        && layout.size() <= SPARSE_BYTES_MAX
        && layout.size().is_multiple_of(PAGE_BYTES)
        && layout.align() <= OVERHEAD_BYTES
}

/// A piece for `layout`, and longer than that, so that it begins [`HEAD_BYTES`] before the end of a page and ends
/// with one; elsewhere where the C library does not put one piece behind the other.
#[cold]
fn allocate_sparse(layout: Layout) -> *mut u8 {
    let bytes = layout.size() + HEAD_BYTES;
    let first = allocate(bytes);
    let gap = (2 * PAGE_BYTES - HEAD_BYTES - first as usize % PAGE_BYTES) % PAGE_BYTES;
    if first.is_null() || gap == 0 {
        empty(first, bytes);
        return first;
    }
    // Cut down to the gap, it holds that until the next one lies behind it.
    let gap = if gap < PIECE_BYTES_MIN { gap + PAGE_BYTES } else { gap };
    let filler = shrink(first, gap - OVERHEAD_BYTES);
    let second = allocate(bytes);
    free(filler);
    empty(second, bytes);
    second
}

fn allocate(bytes: usize) -> *mut u8 {
    // SAFETY: any length may be asked for.
    unsafe { libc::malloc(bytes) }.cast()
}

/// Cuts down what `allocate` has given.
fn shrink(pointer: *mut u8, bytes: usize) -> *mut u8 {
    // SAFETY: nobody else has it, and of the two pointers only the one that is valid then is used.
    let shrunk: *mut u8 = unsafe { libc::realloc(pointer.cast(), bytes) }.cast();
    if shrunk.is_null() { pointer } else { shrunk }
}

fn free(pointer: *mut u8) {
    // SAFETY: `allocate` has given it, and nobody else has it.
    unsafe { libc::free(pointer.cast()) };
}

/// Gives the whole pages back that lie in what `allocate` has given: they are zeroes when they are touched next.
fn empty(pointer: *mut u8, bytes: usize) {
    let start = (pointer as usize).next_multiple_of(PAGE_BYTES);
    let end = (pointer as usize + bytes) / PAGE_BYTES * PAGE_BYTES;
    if pointer.is_null() || start >= end {
        return;
    }
    let skipped = start - pointer as usize;
    // SAFETY: all of these pages is within the piece, in which nothing was written yet. Where the pages are larger
    // than that, this fails and changes nothing.
    unsafe { libc::madvise(pointer.add(skipped).cast(), end - start, libc::MADV_DONTNEED) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 1).expect("a layout")
    }

    #[test]
    fn only_whole_pages_are_sparse_and_only_where_asked_for() {
        assert!(!is_sparse(layout(8192)));
        with_sparse_buffers(|| {
            assert!(is_sparse(layout(8192)));
            assert!(!is_sparse(layout(8193)));
            assert!(!is_sparse(layout(1 << 20)));
        });
        assert!(!is_sparse(layout(8192)));
    }

    /// How many of the whole pages within a piece are there.
    fn resident_pages(piece: *mut u8, bytes: usize) -> usize {
        let start = (piece as usize).next_multiple_of(PAGE_BYTES);
        let pages = (piece as usize + bytes - start) / PAGE_BYTES;
        let mut found = vec![0; pages];
        // SAFETY: the pages are mapped, as the piece is, and there is a byte for each.
        let told =
            unsafe { libc::mincore(start as *mut _, pages * PAGE_BYTES, found.as_mut_ptr()) };
        assert_eq!(told, 0);
        found.iter().filter(|page| **page & 1 != 0).count()
    }

    #[test]
    fn of_a_sparse_buffer_no_page_is_there_but_the_first() {
        let layout = layout(16_384);
        for _ in 0..10 {
            // SAFETY: the piece is as long as asked for, written to within that, and freed once.
            unsafe {
                let piece = with_sparse_buffers(|| Allocator.alloc(layout));
                assert_eq!(resident_pages(piece, layout.size()), 0);
                // Whoever has it next is not to find these.
                piece.write_bytes(1, layout.size());
                assert!(resident_pages(piece, layout.size()) >= 3);
                Allocator.dealloc(piece, layout);
            }
        }
    }

    #[test]
    fn small_pieces_keep_what_is_in_them_however_long_they_become() {
        let _kept = spare_pieces::keep_here();
        // Within a class, to another one, to no class, longer, and all the way back.
        let lengths = [17, 24, 25, 300, 5000, 9000, 300, 20, 1];
        // SAFETY: each piece is as long as asked for, written to within that, and freed once.
        unsafe {
            let mut piece = Allocator.alloc_zeroed(layout(8));
            piece.write(7);
            let mut before = 8;
            for length in lengths {
                piece = Allocator.realloc(piece, layout(before), length);
                assert_eq!(piece.read(), 7);
                assert!(
                    (1..before.min(8)).all(|place| place >= length || piece.add(place).read() == 0)
                );
                piece.add(1).write_bytes(0, length - 1);
                before = length;
            }
            Allocator.dealloc(piece, layout(before));
            assert_eq!(Allocator.alloc(layout(3)), piece, "it was kept");
            let zeroed = Allocator.alloc_zeroed(layout(3));
            assert_eq!(zeroed.read(), 0);
            [piece, zeroed].into_iter().for_each(|piece| Allocator.dealloc(piece, layout(3)));
        }
    }

    #[test]
    fn a_sparse_buffer_is_memory_like_any_other() {
        let layout = layout(8192);
        // SAFETY: each piece is as long as asked for, written to within that, and freed once.
        unsafe {
            let pieces: Vec<*mut u8> =
                with_sparse_buffers(|| (0..64).map(|_| Allocator.alloc(layout)).collect());
            for (piece, byte) in pieces.iter().zip(0..) {
                assert!(!piece.is_null());
                piece.write_bytes(byte, layout.size());
            }
            for (piece, byte) in pieces.iter().zip(0..) {
                assert_eq!((piece.read(), piece.add(layout.size() - 1).read()), (byte, byte));
            }
            let [grown, rest @ ..] = &pieces[..] else { unreachable!() };
            let grown = Allocator.realloc(*grown, layout, 3 * layout.size());
            assert_eq!(grown.add(layout.size() - 1).read(), 0);
            let longer = Layout::from_size_align(3 * layout.size(), 1).expect("a layout");
            Allocator.dealloc(grown, longer);
            rest.iter().for_each(|piece| Allocator.dealloc(*piece, layout));
        }
    }
}

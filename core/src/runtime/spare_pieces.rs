//! Small pieces of memory that a worker has freed and will soon ask for again.
//!
//! A request over HTTP/2 allocates up to 26 times, most of that in the `h2` and `http` crates, and frees as much
//! shortly after. The C library keeps seven pieces of each length at hand for a thread; where a hundred streams
//! begin in one turn, many take its long way. So a worker keeps what it frees in lists, one for each length, last in,
//! first out, 1 MiB in all. What it has not needed for a second is given back ([`shrink_pieces`]).
//!
//! A piece is memory of `malloc`'s, whoever has allocated it: which thread's list it comes to does not matter.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// Lengths are so far apart, and all pieces are aligned to as much.
const STEP_BYTES: usize = 16;
/// What the C library keeps in front of a piece: so many bytes more than steps make no waste.
const ODD_BYTES: usize = 8;
/// There is no longer class than this many steps.
const CLASSES: usize = 128;
/// What a worker keeps, in bytes of its pieces.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A length of pieces: so many steps, and [`ODD_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(usize);

impl Class {
    /// The class of pieces for `layout`. Absent where it takes other memory.
    #[inline]
    pub(super) fn of(layout: Layout) -> Option<Self> {
        let steps = (layout.size() + STEP_BYTES - ODD_BYTES - 1) / STEP_BYTES;
        let fits = steps <= CLASSES && layout.align() <= STEP_BYTES;
        fits.then_some(Self(steps.max(1)))
    }

    #[inline]
    fn bytes(self) -> usize {
        self.0 * STEP_BYTES + ODD_BYTES
    }

    /// What is asked of the system for a piece, and told when it is given back.
    #[inline]
    pub(super) fn layout(self) -> Layout {
        // SAFETY: the alignment is a power of two, and the length at most some thousand bytes.
        unsafe { Layout::from_size_align_unchecked(self.bytes(), STEP_BYTES) }
    }

    #[inline]
    fn index(self) -> usize {
        self.0 - 1
    }
}

/// The spare pieces of one class. Each begins with a pointer to the next one.
struct List {
    first: Cell<*mut u8>,
    length: Cell<usize>,
    /// The fewest that there were since [`shrink_pieces`]: so many lay there all the time.
    fewest: Cell<usize>,
}

impl List {
    const fn new() -> Self {
        Self { first: Cell::new(ptr::null_mut()), length: Cell::new(0), fewest: Cell::new(0) }
    }

    /// The piece that was put here last; null where there is none.
    #[inline]
    fn pop(&self) -> *mut u8 {
        let first = self.first.get();
        if !first.is_null() {
            // SAFETY: `push` has written the pointer, and nobody has had the piece since.
            self.first.set(unsafe { first.cast::<*mut u8>().read() });
            let length = self.length.get() - 1;
            self.length.set(length);
            self.fewest.set(self.fewest.get().min(length));
        }
        first
    }

    /// # Safety
    /// `piece` is aligned to a pointer and as long, and nobody has it any more.
    #[inline]
    unsafe fn push(&self, piece: *mut u8) {
        // SAFETY: as the caller has promised.
        unsafe { piece.cast::<*mut u8>().write(self.first.get()) };
        self.first.set(piece);
        self.length.set(self.length.get() + 1);
    }
}

struct Spare {
    lists: [List; CLASSES],
    /// The bytes that may still come to the lists; none in a thread that is no worker.
    room: Cell<usize>,
}

thread_local! {
    static SPARE: Spare =
        const { Spare { lists: [const { List::new() }; CLASSES], room: Cell::new(0) } };
}

/// A spare piece of `class`; null where this thread has none.
#[inline]
pub(super) fn take(class: Class) -> *mut u8 {
    SPARE.with(|spare| {
        let piece = spare.lists[class.index()].pop();
        if !piece.is_null() {
            spare.room.set(spare.room.get() + class.bytes());
        }
        piece
    })
}

/// Keeps `piece` for [`take`]; false where this thread keeps no more.
///
/// # Safety
/// `piece` is `System`'s for the layout of `class`, and nobody has it any more. Where this is true, only `take` gives
/// it away again.
#[inline]
pub(super) unsafe fn keep(class: Class, piece: *mut u8) -> bool {
    SPARE.with(|spare| {
        let Some(room) = spare.room.get().checked_sub(class.bytes()) else { return false };
        spare.room.set(room);
        // SAFETY: such a piece is longer than a pointer and aligned further; the caller promises the rest.
        unsafe { spare.lists[class.index()].push(piece) };
        true
    })
}

/// Has this thread keep what it frees, until the guard is dropped.
pub(super) fn keep_here() -> impl Drop {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            give_back(|list| list.length.get());
            SPARE.with(|spare| spare.room.set(0));
        }
    }
    SPARE.with(|spare| spare.room.set(KEPT_BYTES_MAX));
    Guard
}

/// Gives back what this worker has not needed since the last time.
pub fn shrink_pieces() {
    give_back(|list| list.fewest.replace(list.length.get() - list.fewest.get()));
}

/// Gives as many of each list's pieces back to the system as `surplus` says.
fn give_back(surplus: impl Fn(&List) -> usize) {
    for steps in 1..=CLASSES {
        let class = Class(steps);
        let count = SPARE.with(|spare| surplus(&spare.lists[class.index()]));
        for _ in 0..count {
            // SAFETY: what `keep` has taken is `System`'s, of this layout, and nobody else has it.
            unsafe { System.dealloc(take(class), class.layout()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn class(bytes: usize) -> Class {
        Class::of(Layout::from_size_align(bytes, 8).expect("a layout")).expect("a small one")
    }

    fn allocate(class: Class) -> *mut u8 {
        // SAFETY: its length is not zero.
        unsafe { System.alloc(class.layout()) }
    }

    fn free(class: Class, piece: *mut u8) -> bool {
        // SAFETY: `allocate` has made it for this class, and no test uses it again.
        unsafe { keep(class, piece) }
    }

    fn room() -> usize {
        SPARE.with(|spare| spare.room.get())
    }

    #[test]
    fn a_class_holds_what_it_is_for_and_little_more() {
        for bytes in 1..=CLASSES * STEP_BYTES + ODD_BYTES {
            let length = class(bytes).bytes();
            assert!(length >= bytes && length < bytes.max(ODD_BYTES + 1) + STEP_BYTES, "{bytes}");
            assert_eq!(class(length), class(bytes));
        }
        let layout = |bytes, align| Layout::from_size_align(bytes, align).expect("a layout");
        assert_eq!(Class::of(layout(CLASSES * STEP_BYTES + ODD_BYTES + 1, 8)), None);
        assert_eq!(Class::of(layout(64, 32)), None);
        assert!(Class::of(layout(64, 16)).is_some());
    }

    #[test]
    fn what_was_freed_last_is_taken_first() {
        let _kept = keep_here();
        let (small, large) = (class(40), class(41));
        let pieces = [allocate(small), allocate(small), allocate(large)];
        for (piece, class) in pieces.into_iter().zip([small, small, large]) {
            assert!(free(class, piece));
        }
        assert_eq!(room(), KEPT_BYTES_MAX - 40 - 40 - 56);
        assert_eq!(take(small), pieces[1]);
        assert_eq!(take(small), pieces[0]);
        assert!(take(small).is_null());
        assert_eq!(take(large), pieces[2]);
        assert_eq!(room(), KEPT_BYTES_MAX);
        for (piece, class) in pieces.into_iter().zip([small, small, large]) {
            assert!(free(class, piece));
        }
    }

    #[test]
    fn only_workers_keep_pieces_and_no_more_than_they_may() {
        let class = class(2000);
        let piece = allocate(class);
        assert!(!free(class, piece));
        let kept = keep_here();
        assert!(free(class, piece));
        let mut count = 1;
        loop {
            let piece = allocate(class);
            if !free(class, piece) {
                // SAFETY: it was not kept.
                unsafe { System.dealloc(piece, class.layout()) };
                break;
            }
            count += 1;
        }
        assert_eq!(count, KEPT_BYTES_MAX / class.bytes());
        drop(kept);
        assert_eq!(room(), 0);
        assert!(take(class).is_null());
    }

    #[test]
    fn a_piece_may_come_from_another_thread() {
        let _kept = keep_here();
        let class = class(100);
        let address = thread::spawn(move || allocate(class).expose_provenance());
        let piece = ptr::with_exposed_provenance_mut(address.join().expect("it ends"));
        assert!(free(class, piece));
        assert_eq!(take(class), piece);
        assert!(free(class, piece));
    }

    #[test]
    fn what_nobody_needs_is_given_back() {
        let _kept = keep_here();
        let class = class(100);
        let length = || SPARE.with(|spare| spare.lists[class.index()].length.get());
        for piece in [(); 8].map(|()| allocate(class)) {
            assert!(free(class, piece));
        }
        // All were in use since the beginning.
        shrink_pieces();
        assert_eq!(length(), 8);
        let used = [(); 3].map(|()| take(class));
        for piece in used {
            assert!(free(class, piece));
        }
        shrink_pieces();
        assert_eq!(length(), 3);
        shrink_pieces();
        assert_eq!(length(), 0);
        assert_eq!(room(), KEPT_BYTES_MAX);
    }
}

//! How much memory the process holds, and how what is freed goes back to the system.
#![allow(unsafe_code)]

pub use super::block::{blocks_outside_heap, bytes_outside_heap};

/// In bytes. What the system does not tell is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryUsage {
    /// Given out by the allocator, or in blocks of their own.
    pub allocated: usize,
    /// Taken from the system by the allocator, or in blocks of their own.
    pub heap: usize,
    /// Of `heap`, free.
    pub free: usize,
    /// Resident, of the whole process.
    pub physical: usize,
}

/// The usage now.
pub fn usage() -> MemoryUsage {
    let ((allocated, heap, free), outside) = (heap(), bytes_outside_heap());
    MemoryUsage {
        allocated: allocated + outside,
        heap: heap + outside,
        free,
        physical: resident_bytes(),
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn heap() -> (usize, usize, usize) {
    // SAFETY: mallinfo2 takes nothing and gives back plain numbers; it locks what it reads.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd, info.arena + info.hblkhd, info.fordblks)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn heap() -> (usize, usize, usize) {
    let heap = resident_bytes().saturating_sub(bytes_outside_heap());
    (heap, heap, 0)
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size()
}

/// Gives the pages of freed memory back to the system. Worth a call after work that needed much
/// memory once, such as reading a configuration; it walks the whole heap (some milliseconds).
pub fn release_freed_memory() {
    // Other C libraries have no such call; theirs give large blocks back by themselves.
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks, may be called from any thread at any time,
    // and touches only pages that no allocation lies on.
    unsafe {
        libc::malloc_trim(0);
    }
}

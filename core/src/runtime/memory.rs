//! Memory that is freed but not yet given back to the system.

/// Gives the pages of freed memory back to the system. Worth a call after work that needed much
/// memory once, such as reading a configuration; it walks the whole heap (some milliseconds).
pub fn release_freed_memory() {
    // Other C libraries have no such call; theirs give large blocks back by themselves.
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "glibc offers it through C only")]
    // SAFETY: malloc_trim takes the allocator's own locks, may be called from any thread at any time,
    // and touches only pages that no allocation lies on.
    unsafe {
        libc::malloc_trim(0);
    }
}

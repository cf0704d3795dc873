//! What a load leaves behind is the configuration, and not the schema it was read by: that one alone
//! would double the memory of a small proxy.
#![allow(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ringmain_config::{LoadOptions, load};

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK_BYTES.fetch_max(live, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_load_leaves_the_configuration_and_no_schema() {
    let text = include_str!("loading/front_proxy.yaml");
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    let loaded = load("envoy.yaml", text, &LoadOptions::default()).expect("a sound file");
    let left = LIVE_BYTES.load(Ordering::Relaxed) - before;
    let peak = PEAK_BYTES.load(Ordering::Relaxed) - before;
    // The decoded schema is most of the peak, so what is left cannot hold it.
    assert!(peak > 8 << 20, "the schema was not seen: {peak} bytes at the peak");
    assert!(left < 256 << 10, "{left} of {peak} bytes are left");
    assert_eq!(loaded.bootstrap.clusters.len(), 2);
}

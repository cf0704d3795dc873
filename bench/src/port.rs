//! Free loopback ports for proxies that must be told theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the kernel's usual ephemeral range (32768 and up): no outgoing connection of the load takes
/// a port between the moment it is found free and the moment the proxy binds it.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port that nobody listens on and that this process has not handed out lately; none if all are taken.
pub fn free() -> Option<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Rigs and tests that run side by side start at different places.
    let start = std::process::id().wrapping_mul(997);
    (0..COUNT)
        .map(|_| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

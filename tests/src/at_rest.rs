//! Whether a proxy has forgotten its peers: nothing is under way, and nothing is held that was not
//! held before they came.

use crate::proxy::Proxy;
use crate::wait::{PATIENCE, eventually, poll_for};

/// What a proxy holds when nobody is there.
#[derive(Debug, Clone, Copy)]
pub struct AtRest {
    descriptors: u64,
}

/// How often in a row as many descriptors must have been seen: on a busy machine a proxy that has said it is
/// ready may still be opening some.
const SEEN: u32 = 50;

/// Gauges of what is there as long as the configuration is, or as long as somebody asks for gauges.
const NOT_OF_PEERS: [&str; 3] = ["http.admin.", "listener.admin.", "listener_manager."];

impl AtRest {
    /// As `proxy` is now, once it has begun to serve: once as many descriptors were seen often in a row.
    #[track_caller]
    pub fn of(proxy: &Proxy) -> Self {
        let mut seen = (0, 0);
        let descriptors = eventually("descriptors that stand still", || {
            let now = proxy.descriptors();
            seen = if now == seen.0 { (now, seen.1 + 1) } else { (now, 0) };
            (seen.1 == SEEN).then_some(now)
        });
        Self { descriptors }
    }

    /// Waits until no gauge of connections, requests or waits of `proxy` is above zero, and until no more
    /// descriptors are open than there were.
    #[track_caller]
    pub fn wait_for(&self, proxy: &Proxy) {
        let mut active = Vec::new();
        let found = poll_for(PATIENCE, || {
            active = active_gauges(proxy);
            active.is_empty().then_some(())
        });
        assert!(found.is_some(), "still there: {active:?}");
        eventually("the descriptors of before", || {
            (proxy.descriptors() <= self.descriptors).then_some(())
        });
    }
}

fn active_gauges(proxy: &Proxy) -> Vec<String> {
    let gauges = proxy.admin().stats("_active$&type=Gauges");
    assert!(!gauges.is_empty(), "a proxy has gauges of what is active");
    let of_peers = gauges.iter().filter(|(name, value)| {
        *value != "0" && !NOT_OF_PEERS.iter().any(|prefix| name.starts_with(prefix))
    });
    of_peers.map(|(name, value)| format!("{name}: {value}")).collect()
}

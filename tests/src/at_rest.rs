//! Whether a proxy has forgotten its peers: nothing is under way, and nothing is held that was not
//! held before they came.

use crate::client::Client;
use crate::proxy::Proxy;
use crate::wait::{PATIENCE, eventually, poll_for};

/// What a proxy holds when nobody is there.
#[derive(Debug, Clone, Copy)]
pub struct AtRest {
    descriptors: u64,
}

/// Gauges of what is there as long as the configuration is, or as long as somebody asks for gauges.
const NOT_OF_PEERS: [&str; 3] = ["http.admin.", "listener.admin.", "listener_manager."];

/// Asks for connections of admin.
const ASK: &str = "GET /stats?filter=%5Elistener%5C.admin%5C.downstream_cx_active$ HTTP/1.1\r\nhost: admin\r\n\r\n";

impl AtRest {
    /// What `proxy` holds before anybody comes. It has said that it is ready, so its workers have opened what they need,
    /// and what those held who asked whether it is has been let go of.
    #[track_caller]
    pub fn of(proxy: &Proxy) -> Self {
        wait_until_idle(proxy);
        let mut asking = Client::connect(proxy.admin().port());
        eventually("nobody else to ask admin", || {
            asking.send(ASK);
            let answer = asking.read_response().expect("an answer").text();
            (answer == "listener.admin.downstream_cx_active: 1\n").then_some(())
        });
        Self { descriptors: proxy.descriptors() - 1 }
    }

    /// Waits until no gauge of connections, requests or waits of `proxy` is above zero, and until no more
    /// descriptors are open than there were.
    #[track_caller]
    pub fn wait_for(&self, proxy: &Proxy) {
        wait_until_idle(proxy);
        eventually("the descriptors of before", || {
            (proxy.descriptors() <= self.descriptors).then_some(())
        });
    }
}

#[track_caller]
fn wait_until_idle(proxy: &Proxy) {
    let mut active = Vec::new();
    let found = poll_for(PATIENCE, || {
        active = active_gauges(proxy);
        active.is_empty().then_some(())
    });
    assert!(found.is_some(), "still there: {active:?}");
}

fn active_gauges(proxy: &Proxy) -> Vec<String> {
    let gauges = proxy.admin().stats("_active$&type=Gauges");
    assert!(!gauges.is_empty(), "a proxy has gauges of what is active");
    let of_peers = gauges.iter().filter(|(name, value)| {
        *value != "0" && !NOT_OF_PEERS.iter().any(|prefix| name.starts_with(prefix))
    });
    of_peers.map(|(name, value)| format!("{name}: {value}")).collect()
}

//! Bounded polling: the only way a test waits for something it cannot block on.

use std::time::{Duration, Instant};

/// How long anything may take before the test gives up. Generous, since it only ever runs out when
/// something is broken: a machine that others keep busy has been seen to stand still for 20 s.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(4);

/// Polls until `poll` gives a value; `None` after `patience`.
pub fn poll_for<T>(patience: Duration, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = poll() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Polls until `poll` gives a value, and fails the test with `what` when it never does.
#[track_caller]
pub fn eventually<T>(what: &str, poll: impl FnMut() -> Option<T>) -> T {
    poll_for(PATIENCE, poll).unwrap_or_else(|| panic!("waited in vain: {what}"))
}

/// Polls until `poll` gives a value, as long as `progress` moves: for much work, which may take long where others have the
/// machine. Fails the test with `what` when it has stood still for [`PATIENCE`].
#[track_caller]
pub fn while_moving<T, P: PartialEq>(
    what: &str,
    progress: impl Fn() -> P,
    mut poll: impl FnMut() -> Option<T>,
) -> T {
    loop {
        let before = progress();
        if let Some(value) = poll_for(PATIENCE, &mut poll) {
            return value;
        }
        assert!(progress() != before, "waited in vain: {what}");
    }
}

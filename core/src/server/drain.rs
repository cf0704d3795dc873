//! The end of the process: readiness fails, listeners close, requests finish.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::control::{Control, ServerState};
use super::worker::Command;

/// How often the connections left are counted.
const COUNT_PAUSE: Duration = Duration::from_millis(10);

/// Drains: readiness fails and responses carry `connection: close` for `grace`, then the listeners
/// close, then requests in flight have `limit`. Returns how many connections were left.
pub async fn drain(control: &Control, grace: Duration, limit: Duration) -> u64 {
    control.set_state(ServerState::Draining);
    control.tell_all(|| Command::Drain).await;
    sleep(grace).await;
    control.tell_all(|| Command::StopListening).await;
    let until = Instant::now() + limit;
    // The workers act on their mail in their own time; a connection accepted last is counted by
    // then.
    sleep(COUNT_PAUSE).await;
    while control.active_connections() > 0 && Instant::now() < until {
        sleep_until(until.min(Instant::now() + COUNT_PAUSE)).await;
    }
    control.tell_all(|| Command::FlushLogs).await;
    control.active_connections()
}

//! The end of the process, and of its listeners: responses tell their clients to close, listeners
//! close, requests finish.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::args::DrainStrategy;
use super::control::Control;
use super::worker::Command;
use crate::listener::{DrainScope, DrainSequence, Listener};

/// How often the connections left are counted.
const COUNT_PAUSE: Duration = Duration::from_millis(10);

/// A connection that waits for a request so long after the listeners have closed is closed. Who
/// sends one earlier is told by its answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// Drains at the end of the process: readiness fails and responses carry `connection: close` for
/// `grace`, then the listeners close, then requests in flight have `limit`. Returns how many
/// connections were left.
pub async fn drain(control: &Control, grace: Duration, limit: Duration) -> u64 {
    control.end();
    begin(control, DrainScope::All, grace).await;
    sleep(grace).await;
    // Whatever the strategy: from here on each response may be the last.
    begin(control, DrainScope::All, Duration::ZERO).await;
    stop_listeners(control, DrainScope::All).await;
    let until = Instant::now() + limit;
    let mut next_farewell = Instant::now();
    loop {
        if Instant::now() >= next_farewell {
            control.tell_all(|| Command::CloseIdle).await;
            next_farewell = Instant::now() + FAREWELL;
        }
        // The workers act on their mail in their own time; a connection accepted last is counted
        // by then.
        sleep(COUNT_PAUSE).await;
        let closed = control.compiled.listeners.iter().all(Listener::is_closed);
        if (closed && control.active_connections() == 0) || Instant::now() >= until {
            break;
        }
    }
    control.tell_all(|| Command::FlushLogs).await;
    control.active_connections()
}

/// `/drain_listeners?graceful`: for `--drain-time-s` responses carry `connection: close`, then,
/// unless `skip_exit`, the listeners close. Without `graceful` they close at once. The process
/// stays.
pub async fn drain_listeners(
    control: &Arc<Control>,
    scope: DrainScope,
    graceful: bool,
    skip_exit: bool,
) {
    let over = control.boot.args.drain_time();
    if graceful || skip_exit {
        begin(control, scope, over).await;
    }
    if skip_exit {
        return;
    }
    if graceful {
        let control = control.clone();
        tokio::spawn(async move {
            sleep(over).await;
            stop_listeners(&control, scope).await;
        });
    } else {
        stop_listeners(control, scope).await;
    }
}

/// Has responses carry `connection: close`: by `--drain-strategy` all at once, or ever more of them
/// until all do when `over` has passed.
async fn begin(control: &Control, scope: DrainScope, over: Duration) {
    let over = match control.boot.args.drain_strategy {
        Some(DrainStrategy::Immediate) => Duration::ZERO,
        Some(DrainStrategy::Gradual) | None => over,
    };
    let sequence = DrainSequence { scope, begun: Instant::now(), over };
    control.tell_all(|| Command::Drain(sequence)).await;
}

async fn stop_listeners(control: &Control, scope: DrainScope) {
    control.tell_all(|| Command::StopListening(scope)).await;
}

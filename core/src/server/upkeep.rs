//! What the control thread does by the clock.

use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::worker::Command;
use crate::runtime;

/// Has the workers hand over their log lines every `--file-flush-interval-msec`.
pub async fn flush_logs(control: Arc<Control>) {
    let interval = Duration::from_millis(control.boot.args.file_flush_interval_msec);
    loop {
        tokio::time::sleep(interval).await;
        control.tell_all(|| Command::FlushLogs).await;
    }
}

/// Gives memory that connections have given up back to the system once they have come to rest.
pub async fn return_memory() {
    const LOOK: Duration = Duration::from_secs(1);
    /// Walking the heap for less is not worth it.
    const WORTH_BYTES: usize = 1024 * 1024;
    /// Less than this is no movement.
    const REST_BYTES: usize = 256 * 1024;
    let (mut least, mut before) = (usize::MAX, 0);
    loop {
        tokio::time::sleep(LOOK).await;
        let free = runtime::memory::usage().free;
        least = least.min(free);
        let rests = free.abs_diff(std::mem::replace(&mut before, free)) < REST_BYTES;
        if rests && free - least >= WORTH_BYTES {
            runtime::release_freed_memory();
            least = free;
        }
    }
}

/// Ends the interval of the histograms every `stats_flush_interval`, as Envoy does.
pub async fn flush_stats(control: Arc<Control>) {
    loop {
        tokio::time::sleep(control.boot.stats_flush_interval).await;
        control.end_histogram_interval().await;
    }
}

//! A worker's access log lines until they are handed to the writer.

use crossbeam_channel::{Sender, TrySendError};

use super::{LogMessage, LogSink};
use crate::stats::scopes::WorkerStats;

/// Lines for one sink are handed over when they reach this, and once a second.
pub(super) const HAND_OVER_BYTES: usize = 64 * 1024;
/// Lines kept while the writer is behind; what comes beyond is dropped and counted.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// A full buffer on its way to the writer.
#[derive(Debug)]
pub struct Batch {
    /// Where the lines go.
    pub sink: LogSink,
    /// Whole lines.
    pub lines: Vec<u8>,
}

/// One buffer for each sink of the configuration.
#[derive(Debug)]
pub struct LogBuffers {
    pending: Vec<Vec<u8>>,
    writer: Sender<LogMessage>,
}

impl LogBuffers {
    /// Empty buffers for `sinks` sinks.
    pub fn new(sinks: usize, writer: Sender<LogMessage>) -> Self {
        Self { pending: vec![Vec::new(); sinks], writer }
    }

    /// Lets `render` append one line for `sink`.
    pub fn line(&mut self, sink: LogSink, stats: &WorkerStats, render: impl FnOnce(&mut Vec<u8>)) {
        let pending = &mut self.pending[sink.index()];
        if pending.capacity() == 0 {
            // All at once: one allocation for hundreds of lines.
            pending.reserve(HAND_OVER_BYTES + HAND_OVER_BYTES / 4);
        }
        let before = pending.len();
        render(pending);
        if pending.len() > HELD_BYTES_MAX {
            let line_bytes = pending.len() - before;
            stats.access_log_bytes_dropped.add(line_bytes as u64);
            pending.truncate(before);
        }
        if before < HAND_OVER_BYTES && pending.len() >= HAND_OVER_BYTES {
            self.hand_over(sink);
        }
    }

    /// Hands over whatever is held.
    pub fn flush(&mut self) {
        for index in 0..self.pending.len() {
            self.hand_over(LogSink::new(index));
        }
    }

    fn hand_over(&mut self, sink: LogSink) {
        let lines = std::mem::take(&mut self.pending[sink.index()]);
        if lines.is_empty() {
            return;
        }
        match self.writer.try_send(LogMessage::Batch(Batch { sink, lines })) {
            Ok(()) => {}
            // The writer is behind, or the process is ending: the lines wait for the next time.
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                if let LogMessage::Batch(batch) = message {
                    self.pending[sink.index()] = batch.lines;
                }
            }
        }
    }
}

//! The thread that writes access logs, so that no worker waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use ringmain_config::access_log::AccessLogSink;

use super::buffers::{Batch, HAND_OVER_BYTES};
use crate::stats::stats_block;

stats_block! {
    /// `filesystem.`: what the writing thread counts.
    FilesystemStats {
        counters {
            flushed_by_timer,
            reopen_failed,
            write_buffered,
            write_completed,
            write_failed,
        }
        gauges {}
    }
}

/// What the writing thread is told.
#[derive(Debug)]
pub enum LogMessage {
    /// Lines to write.
    Batch(Batch),
    /// The files were rotated: open them anew.
    Reopen,
    /// Nothing comes after this.
    End,
}

/// Which sink of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSink(u16);

impl LogSink {
    /// The sink at `index`.
    pub fn new(index: usize) -> Self {
        Self(u16::try_from(index).expect("fewer than 65,536 access logs"))
    }

    /// Its index.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Batches that may wait for the writer; workers hold back what comes beyond.
const QUEUE_BATCHES: usize = 64;

/// How often the writing thread is asked whether it has ended.
const JOIN_PAUSE: Duration = Duration::from_millis(1);

/// The writing thread; [`LogWriter::join`] ends it.
#[derive(Debug)]
pub struct LogWriter {
    sender: Sender<LogMessage>,
    stats: Arc<FilesystemStats>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Opens all sinks and starts the thread.
    pub fn start(sinks: &[AccessLogSink]) -> Result<Self, OpenError> {
        let outputs = sinks.iter().map(Output::open).collect::<Result<Vec<_>, _>>()?;
        let (sender, receiver) = crossbeam_channel::bounded(QUEUE_BATCHES);
        let stats = Arc::<FilesystemStats>::default();
        let counted = stats.clone();
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_all(&receiver, outputs, &counted))
            .map_err(|source| OpenError { path: "the writing thread".into(), source })?;
        Ok(Self { sender, stats, thread })
    }

    /// A way to have the files opened anew.
    pub fn control(&self) -> LogControl {
        LogControl { sender: self.sender.clone(), stats: self.stats.clone() }
    }

    /// A way to send batches.
    pub fn sender(&self) -> Sender<LogMessage> {
        self.sender.clone()
    }

    /// Waits until all lines sent so far are written, or for `limit`: a pipe that nobody reads must
    /// not keep the process. To be called when the workers have ended: what they still held in
    /// tasks may keep their senders, so the end is said, not inferred. False where lines are lost.
    #[must_use]
    pub fn join(self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        // A thread that is gone has nothing left to write, and its panic has gone to the log.
        let _already_ended = self.sender.send_deadline(LogMessage::End, until);
        while !self.thread.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(JOIN_PAUSE);
        }
        true
    }
}

/// The control thread's hand on the writer.
#[derive(Debug)]
pub struct LogControl {
    sender: Sender<LogMessage>,
    stats: Arc<FilesystemStats>,
}

impl LogControl {
    /// What the writing thread has counted.
    pub fn stats(&self) -> &FilesystemStats {
        &self.stats
    }

    /// Has `lines` written. Where the writer is behind they are lost.
    pub fn write(&self, sink: LogSink, lines: Vec<u8>) {
        if self.sender.try_send(LogMessage::Batch(Batch { sink, lines })).is_err() {
            tracing::warn!("the access log writer is behind; an event is not logged");
        }
    }

    /// Has the files opened anew, after what was sent before has been written.
    pub fn reopen(&self) {
        if self.sender.try_send(LogMessage::Reopen).is_err() {
            tracing::warn!("the access log writer is behind; the logs are not reopened");
        }
    }
}

/// An access log that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open access log {path}: {source}")]
pub struct OpenError {
    path: String,
    source: io::Error,
}

enum Output {
    File { file: File, name: String },
    Stdout,
    Stderr,
}

impl Output {
    fn open(sink: &AccessLogSink) -> Result<Self, OpenError> {
        match sink {
            AccessLogSink::File(path) if path == Path::new("/dev/stdout") => Ok(Self::Stdout),
            AccessLogSink::File(path) if path == Path::new("/dev/stderr") => Ok(Self::Stderr),
            AccessLogSink::File(path) => {
                let name = path.display().to_string();
                match OpenOptions::new().create(true).append(true).open(path) {
                    Ok(file) => Ok(Self::File { file, name }),
                    Err(source) => Err(OpenError { path: name, source }),
                }
            }
            AccessLogSink::Stdout => Ok(Self::Stdout),
            AccessLogSink::Stderr => Ok(Self::Stderr),
        }
    }

    /// A file that cannot be opened anew stays the old one.
    fn reopen(&mut self, stats: &FilesystemStats) {
        let Self::File { file, name } = self else { return };
        match OpenOptions::new().create(true).append(true).open(&*name) {
            Ok(opened) => *file = opened,
            Err(error) => {
                stats.reopen_failed.inc();
                tracing::error!(log = name, %error, "cannot reopen; writing to the old file");
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.write_all(lines),
            Self::Stdout => io::stdout().write_all(lines).and_then(|()| io::stdout().flush()),
            Self::Stderr => io::stderr().write_all(lines),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::File { name, .. } => name,
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

fn write_all(messages: &Receiver<LogMessage>, mut outputs: Vec<Output>, stats: &FilesystemStats) {
    for message in messages {
        match message {
            LogMessage::End => return,
            LogMessage::Reopen => outputs.iter_mut().for_each(|output| output.reopen(stats)),
            LogMessage::Batch(batch) => {
                let output = &mut outputs[batch.sink.index()];
                let lines = memchr::memchr_iter(b'\n', &batch.lines).count();
                stats.write_buffered.add(lines as u64);
                if batch.lines.len() < HAND_OVER_BYTES {
                    stats.flushed_by_timer.inc();
                }
                match output.write(&batch.lines) {
                    Ok(()) => stats.write_completed.inc(),
                    Err(error) => {
                        stats.write_failed.inc();
                        tracing::error!(log = output.name(), %error, "access log lines are lost");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_does_not_keep_the_end_waiting() {
        let (_reader, pipe) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
        let writer = LogWriter::start(&[AccessLogSink::File(path.into())]).expect("it opens");
        let lines = vec![b'x'; 4 * 1024 * 1024];
        let batch = Batch { sink: LogSink::new(0), lines };
        writer.sender().send(LogMessage::Batch(batch)).expect("the thread lives");
        assert!(!writer.join(Duration::from_millis(20)));
    }
}

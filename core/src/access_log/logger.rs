//! One access log, compiled: which streams it is for, what it says of them, where that goes.

use ringmain_config::access_log::AccessLog;

use super::{Evaluator, Filter, LogSink, render};
use crate::server::Worker;

/// An access log.
#[derive(Debug)]
pub struct AccessLogger {
    config: AccessLog,
    filter: Option<Filter>,
    sink: LogSink,
}

impl AccessLogger {
    /// Compiles `config`; `sink` is where its lines go.
    pub fn new(config: AccessLog, sink: LogSink) -> Self {
        Self { filter: config.filter.as_ref().map(Filter::new), config, sink }
    }

    /// Writes a line about `stream` unless the filter is against it.
    pub fn log(&self, stream: &Evaluator<'_>, worker: &Worker) {
        let draw = || worker.random.next();
        if self.filter.as_ref().is_some_and(|filter| !filter.passes(stream, &draw)) {
            return;
        }
        let mut logs = worker.logs.borrow_mut();
        logs.line(self.sink, worker.stats(), |line| render(&self.config.format, stream, line));
    }
}

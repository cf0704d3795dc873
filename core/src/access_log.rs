//! Access logs and format strings: rendering ([`render`]), per-worker buffering ([`LogBuffers`])
//! and the thread that writes ([`LogWriter`]).

mod buffers;
mod format;
mod writer;

pub use buffers::LogBuffers;
pub use format::{render, write_header_value};
pub use writer::{LogControl, LogMessage, LogSink, LogWriter, OpenError};

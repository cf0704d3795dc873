//! Access logs and format strings: values of operators ([`Evaluator`]), rendering ([`render`]), which
//! streams are logged ([`Filter`]), per-worker buffering ([`LogBuffers`]) and the thread that writes ([`LogWriter`]).

mod buffers;
mod evaluator;
mod filter;
mod grpc_status;
mod json;
mod log_type;
mod logger;
mod network_values;
mod number;
mod record;
mod request_values;
mod response_flags_text;
mod stream_values;
mod text;
mod time_text;
mod tls_values;
mod writer;

pub use buffers::LogBuffers;
pub use evaluator::Evaluator;
pub use filter::Filter;
pub use log_type::AccessLogType;
pub use logger::AccessLogger;
pub use record::Recorded;
pub use text::{render, render_text, render_with, write_header_value, write_value};
pub use writer::{FilesystemStats, LogControl, LogMessage, LogSink, LogWriter, OpenError};

//! Access logs (`envoy.config.accesslog.v3.AccessLog`).

use std::path::PathBuf;

use crate::substitution_format::SubstitutionFormat;

/// One access log: where lines go and what they say.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// The sink, from `typed_config`.
    pub sink: AccessLogSink,
    /// `log_format.text_format_source.inline_string` (or the deprecated `format`), else Envoy's
    /// default format.
    pub format: SubstitutionFormat,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccessLogSink {
    /// `envoy.extensions.access_loggers.file.v3.FileAccessLog`.
    File(PathBuf),
    /// `envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`.
    Stdout,
    /// `envoy.extensions.access_loggers.stream.v3.StderrAccessLog`.
    Stderr,
}

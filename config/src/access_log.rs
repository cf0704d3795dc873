//! Access logs (`envoy.config.accesslog.v3.AccessLog`).

use std::path::PathBuf;

use envoy_types::pb::envoy::config::accesslog::v3 as wire;
use envoy_types::pb::envoy::config::core::v3::SubstitutionFormatString;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::file_access_log as file;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log as stderr, stdout_access_log as stdout,
};
use wire::access_log::ConfigType;

use crate::data_source;
use crate::report::At;
use crate::substitution_format::{DEFAULT_ACCESS_LOG_FORMAT, SubstitutionFormat};
use crate::wire::unpack;

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

impl AccessLog {
    /// A file with Envoy's default format.
    pub(crate) fn to_file(path: &str) -> Self {
        Self { sink: AccessLogSink::File(path.into()), format: default_format() }
    }

    /// Reads the field `access_log`.
    pub(crate) fn list_from_wire(wire: &[wire::AccessLog], at: &At<'_>) -> Vec<Self> {
        let at = at.field("access_log");
        let read = |(index, log)| Self::from_wire(log, &at.index(index));
        wire.iter().enumerate().filter_map(read).collect()
    }

    fn from_wire(wire: &wire::AccessLog, at: &At<'_>) -> Option<Self> {
        let Some(ConfigType::TypedConfig(any)) = &wire.config_type else {
            at.error_at_key("'typed_config' is required");
            return None;
        };
        let at = at.field("typed_config");
        let (sink, format) = if let Some(log) = unpack::<FileAccessLog>(any) {
            (AccessLogSink::File(log.path.into()), file_format(log.access_log_format, &at))
        } else if let Some(log) = unpack::<StdoutAccessLog>(any) {
            let format =
                log.access_log_format.map(|stdout::AccessLogFormat::LogFormat(format)| format);
            (AccessLogSink::Stdout, log_format(format.as_ref(), &at))
        } else if let Some(log) = unpack::<StderrAccessLog>(any) {
            let format =
                log.access_log_format.map(|stderr::AccessLogFormat::LogFormat(format)| format);
            (AccessLogSink::Stderr, log_format(format.as_ref(), &at))
        } else {
            // Of another type, which the user wants ignored.
            return None;
        };
        Some(Self { sink, format: format? })
    }
}

fn default_format() -> SubstitutionFormat {
    SubstitutionFormat::parse(DEFAULT_ACCESS_LOG_FORMAT).expect("the default format is one")
}

#[allow(deprecated, reason = "`format` is common in files")]
fn file_format(wire: Option<file::AccessLogFormat>, at: &At<'_>) -> Option<SubstitutionFormat> {
    match wire {
        Some(file::AccessLogFormat::Format(format)) if !format.is_empty() => {
            SubstitutionFormat::parse_at(&format, &at.field("format"))
        }
        Some(file::AccessLogFormat::LogFormat(format)) => log_format(Some(&format), at),
        _ => Some(default_format()),
    }
}

/// The field `log_format`. An empty format is kept: it writes nothing.
#[allow(deprecated, reason = "`text_format` is common in files")]
fn log_format(wire: Option<&SubstitutionFormatString>, at: &At<'_>) -> Option<SubstitutionFormat> {
    let at = at.field("log_format");
    match wire.and_then(|wire| wire.format.as_ref()) {
        Some(Format::TextFormat(format)) => {
            SubstitutionFormat::parse_at(format, &at.field("text_format"))
        }
        Some(Format::TextFormatSource(source)) => {
            let at = at.field("text_format_source");
            SubstitutionFormat::parse_at(&data_source::read_text(source, &at)?, &at)
        }
        _ => Some(default_format()),
    }
}

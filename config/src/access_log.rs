//! Access logs (`envoy.config.accesslog.v3.AccessLog`).

mod filter;

use std::path::PathBuf;

use envoy_types::pb::envoy::config::accesslog::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::file_access_log as file;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log as stderr, stdout_access_log as stdout,
};
use wire::access_log::ConfigType;

use crate::report::{At, Note};
use crate::substitution_format::{SubstitutionFormat, SubstitutionFormatString};
use crate::wire::unpack;

pub use self::filter::{AccessLogFilter, Comparison, ComparisonOp};

/// One access log: where lines go and what they say.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// `filter`: which streams are logged; absent means all.
    pub filter: Option<AccessLogFilter>,
    /// The sink, from `typed_config`.
    pub sink: AccessLogSink,
    /// `log_format` (or the deprecated `format`, `json_format`, `typed_json_format`), else Envoy's
    /// default format.
    pub format: SubstitutionFormatString,
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
    /// Reads the field `access_log`.
    pub(crate) fn list_from_wire(wire: &[wire::AccessLog], at: &At<'_>) -> Vec<Self> {
        let at = at.field("access_log");
        let read = |(index, log)| Self::from_wire(log, &at.index(index));
        wire.iter().enumerate().filter_map(read).collect()
    }

    fn from_wire(wire: &wire::AccessLog, at: &At<'_>) -> Option<Self> {
        let Some(ConfigType::TypedConfig(any)) = &wire.config_type else {
            at.error_at_key(Note::typed_config_required());
            return None;
        };
        let filter = match &wire.filter {
            Some(filter) => Some(AccessLogFilter::from_wire(filter, &at.field("filter"))?),
            None => None,
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
        Some(Self { filter, sink, format: format? })
    }
}

#[allow(deprecated, reason = "`format` is common in files")]
fn file_format(
    wire: Option<file::AccessLogFormat>,
    at: &At<'_>,
) -> Option<SubstitutionFormatString> {
    use file::AccessLogFormat::{Format, JsonFormat, LogFormat, TypedJsonFormat};
    match wire {
        Some(Format(format)) if !format.is_empty() => {
            let at = at.field("format");
            let format = SubstitutionFormat::parse_at(&format, &at)?;
            Some(SubstitutionFormatString::text(format))
        }
        Some(JsonFormat(json)) => SubstitutionFormatString::json(&json, &at.field("json_format")),
        Some(TypedJsonFormat(json)) => {
            SubstitutionFormatString::json(&json, &at.field("typed_json_format"))
        }
        Some(LogFormat(format)) => log_format(Some(&format), at),
        Some(Format(_)) | None => Some(SubstitutionFormatString::default_access_log()),
    }
}

/// The field `log_format`.
fn log_format(
    wire: Option<&core::SubstitutionFormatString>,
    at: &At<'_>,
) -> Option<SubstitutionFormatString> {
    match wire.filter(|wire| wire.format.is_some()) {
        Some(wire) => SubstitutionFormatString::from_wire(wire, &at.field("log_format")),
        None => Some(SubstitutionFormatString::default_access_log()),
    }
}

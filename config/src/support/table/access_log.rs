//! Access logs, their filters and formats.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.accesslog.v3.AccessLog",
        supported: "name filter typed_config",
        ..NONE
    },
    Message {
        name: "envoy.config.accesslog.v3.AccessLogFilter",
        supported: "status_code_filter duration_filter not_health_check_filter traceable_filter \
                    runtime_filter and_filter or_filter header_filter response_flag_filter \
                    grpc_status_filter metadata_filter log_type_filter",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.StatusCodeFilter", supported: "comparison", ..NONE },
    Message { name: "envoy.config.accesslog.v3.DurationFilter", supported: "comparison", ..NONE },
    Message { name: "envoy.config.accesslog.v3.ComparisonFilter", supported: "op value", ..NONE },
    Message { name: "envoy.config.accesslog.v3.NotHealthCheckFilter", ..NONE },
    Message { name: "envoy.config.accesslog.v3.TraceableFilter", ..NONE },
    Message {
        name: "envoy.config.accesslog.v3.RuntimeFilter",
        supported: "runtime_key percent_sampled use_independent_randomness",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.AndFilter", supported: "filters", ..NONE },
    Message { name: "envoy.config.accesslog.v3.OrFilter", supported: "filters", ..NONE },
    Message { name: "envoy.config.accesslog.v3.HeaderFilter", supported: "header", ..NONE },
    Message { name: "envoy.config.accesslog.v3.ResponseFlagFilter", supported: "flags", ..NONE },
    Message {
        name: "envoy.config.accesslog.v3.GrpcStatusFilter",
        supported: "statuses exclude",
        ..NONE
    },
    Message {
        name: "envoy.config.accesslog.v3.MetadataFilter",
        supported: "matcher match_if_key_not_found",
        ..NONE
    },
    Message { name: "envoy.config.accesslog.v3.LogTypeFilter", supported: "types exclude", ..NONE },
    Message {
        name: "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        supported: "path format json_format typed_json_format log_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        supported: "log_format",
        ..NONE
    },
    Message {
        name: "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
        supported: "log_format",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.SubstitutionFormatString",
        supported: "text_format text_format_source json_format omit_empty_values formatters \
                    json_format_options",
        harmless: "content_type",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.JsonFormatOptions", harmless: "sort_properties", ..NONE },
    Message { name: "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery", ..NONE },
    Message { name: "envoy.extensions.formatter.metadata.v3.Metadata", ..NONE },
];

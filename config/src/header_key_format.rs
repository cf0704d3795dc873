//! How the names of headers are written to HTTP/1 (`envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat`),
//! to clients as to hosts.

use core::http1_protocol_options::HeaderKeyFormat as Wire;
use core::http1_protocol_options::header_key_format::HeaderFormat;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::http::header_formatters::preserve_case::v3 as preserve_case;
use preserve_case::PreserveCaseFormatterConfig;
use preserve_case::preserve_case_formatter_config::FormatterTypeOnEnvoyHeaders;

use crate::report::{At, Note};
use crate::wire::unpack;

/// `header_key_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderKeyFormat {
    /// Lower case, Envoy's default.
    #[default]
    LowerCase,
    /// `proper_case_words`: `content-type` becomes `Content-Type`.
    ProperCaseWords,
    /// `stateful_formatter` with `PreserveCaseFormatterConfig`: what was received with this format is
    /// written as it came, whatever the format of the other side.
    PreserveCase {
        /// `formatter_type_on_envoy_headers: PROPER_CASE`: names that did not come with the message are
        /// written so, default in lower case.
        others_in_proper_case: bool,
    },
}

impl HeaderKeyFormat {
    pub(crate) fn from_wire(wire: Option<&core::Http1ProtocolOptions>, at: &At<'_>) -> Self {
        let at = at.field("http_protocol_options");
        let format = wire.and_then(|wire| wire.header_key_format.as_ref());
        Self::from_format(format, &at.field("header_key_format"))
    }

    fn from_format(wire: Option<&Wire>, at: &At<'_>) -> Self {
        match wire.and_then(|wire| wire.header_format.as_ref()) {
            None => Self::LowerCase,
            Some(HeaderFormat::ProperCaseWords(_)) => Self::ProperCaseWords,
            Some(HeaderFormat::StatefulFormatter(formatter)) => {
                // The field rules have seen to its presence.
                let Some(any) = &formatter.typed_config else { return Self::LowerCase };
                let Some(config) = unpack::<PreserveCaseFormatterConfig>(any) else {
                    let at = at.field("stateful_formatter");
                    let note = Note::from("this formats no names of headers").help(
                        "use envoy.extensions.http.header_formatters.preserve_case.v3.\
                         PreserveCaseFormatterConfig",
                    );
                    at.field("typed_config").error_at_key(note);
                    return Self::LowerCase;
                };
                let others = config.formatter_type_on_envoy_headers();
                Self::PreserveCase {
                    others_in_proper_case: others == FormatterTypeOnEnvoyHeaders::ProperCase,
                }
            }
        }
    }
}

//! What replies of the proxy's own say
//! (`envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig`).

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as wire;

use crate::access_log::AccessLogFilter;
use crate::data_source;
use crate::header_mutation::HeaderValueOption;
use crate::report::At;
use crate::substitution_format::SubstitutionFormatString;

/// `LocalReplyConfig`.
#[derive(Debug, Clone)]
pub struct LocalReplyConfig {
    /// `mappers`: the first whose filter lets the reply through changes it.
    pub mappers: Vec<ResponseMapper>,
    /// `body_format`, for replies whose mapper has none; absent means the body as it is.
    pub body_format: Option<SubstitutionFormatString>,
}

/// `ResponseMapper`.
#[derive(Debug, Clone)]
pub struct ResponseMapper {
    /// `filter`.
    pub filter: AccessLogFilter,
    /// `status_code`, 200 to 599.
    pub status_code: Option<u16>,
    /// `body`, read at load.
    pub body: Option<Vec<u8>>,
    /// `body_format_override`.
    pub body_format_override: Option<SubstitutionFormatString>,
    /// `headers_to_add`.
    pub headers_to_add: Vec<HeaderValueOption>,
}

impl LocalReplyConfig {
    /// Reads the message that `at` stands for.
    pub(crate) fn from_wire(wire: &wire::LocalReplyConfig, at: &At<'_>) -> Option<Self> {
        let mappers_at = at.field("mappers");
        let mappers = wire.mappers.iter().enumerate();
        Some(Self {
            mappers: mappers
                .map(|(index, wire)| ResponseMapper::from_wire(wire, &mappers_at.index(index)))
                .collect::<Option<_>>()?,
            body_format: match &wire.body_format {
                Some(format) => {
                    Some(SubstitutionFormatString::from_wire(format, &at.field("body_format"))?)
                }
                None => None,
            },
        })
    }
}

impl ResponseMapper {
    fn from_wire(wire: &wire::ResponseMapper, at: &At<'_>) -> Option<Self> {
        let filter = AccessLogFilter::from_wire(wire.filter.as_ref()?, &at.field("filter"));
        let body = match &wire.body {
            Some(source) => Some(data_source::read(source, &at.field("body"))?),
            None => None,
        };
        let body_format_override = match &wire.body_format_override {
            Some(format) => {
                let at = at.field("body_format_override");
                Some(SubstitutionFormatString::from_wire(format, &at)?)
            }
            None => None,
        };
        let headers = at.field("headers_to_add");
        Some(Self {
            filter: filter?,
            // The field rules have seen to its range.
            status_code: wire.status_code.and_then(|status| u16::try_from(status.value).ok()),
            body,
            body_format_override,
            headers_to_add: HeaderValueOption::list_from_wire(&wire.headers_to_add, &headers),
        })
    }
}

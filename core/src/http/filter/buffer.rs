//! `envoy.filters.http.buffer`: has requests wait until all of their body is here, and says its length.

use ringmain_config::http_filter::Buffer as Config;
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::BodyLength;

use super::{FilterView, RouteFilter, Verdict};

/// The filter.
#[derive(Debug)]
pub struct BufferFilter {
    config: Config,
}

impl BufferFilter {
    pub(super) fn new(config: Config) -> Self {
        Self { config }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let of_route = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::Buffer(config) => Some(*config),
            _ => None,
        });
        let Some(config) = of_route.unwrap_or(Some(self.config)) else { return Verdict::Continue };
        let exchange = &mut *view.exchange;
        if exchange.request.body.is_empty() {
            return Verdict::Continue;
        }
        let Some(body) = &exchange.body else {
            return Verdict::Buffer { bytes_max: config.max_request_bytes as usize };
        };
        let length = body.data.len() as u64;
        exchange.request.body = BodyLength::Length(length);
        let headers = &mut exchange.request.headers;
        if !headers.contains(KnownHeader::ContentLength) {
            headers.append_number(KnownHeader::ContentLength, length);
        }
        Verdict::Continue
    }
}

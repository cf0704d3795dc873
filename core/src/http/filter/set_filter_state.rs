//! `envoy.filters.http.set_filter_state`: puts objects on the stream, made of what formats say of it.

use ringmain_config::http_filter::{FilterStateValue, ObjectFactory, SetFilterState as Config};

use super::{FilterView, RouteFilter};
use crate::access_log::{AccessLogType, Evaluator, render};
use crate::http::stream_objects::StreamObject;

/// The filter.
#[derive(Debug)]
pub struct SetFilterStateFilter {
    config: Config,
}

impl SetFilterStateFilter {
    pub(super) fn new(config: &Config) -> Self {
        Self { config: config.clone() }
    }

    /// Puts the filter's own objects, then those of the route's levels, the widest first.
    pub(super) fn on_request(&self, view: &mut FilterView<'_, '_>) {
        let levels = view.levels.iter().rev().filter_map(|level| match &**level {
            RouteFilter::SetFilterState(config) => Some(config),
            _ => None,
        });
        for config in std::iter::once(&self.config).chain(levels) {
            config.on_request_headers.iter().for_each(|value| put(value, view));
        }
    }
}

fn put(value: &FilterStateValue, view: &mut FilterView<'_, '_>) {
    let mut text = Vec::new();
    let compiled = &view.worker.compiled;
    let evaluator = Evaluator::new(view.exchange, view.manager, compiled, AccessLogType::NotSet);
    render(&value.format, &evaluator, &mut text);
    if text.is_empty() && value.skip_if_empty {
        return;
    }
    let is_hashable = value.factory == ObjectFactory::HashableString;
    view.exchange
        .info
        .objects
        .put(&value.object_key, StreamObject { text, is_hashable, is_typed: true });
}

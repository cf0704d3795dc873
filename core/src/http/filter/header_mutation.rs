//! `envoy.filters.http.header_mutation`: changes headers by the filter's mutations, then by those of
//! the route's levels.

use ringmain_config::http_filter::{HeaderMutationFilter as Config, Mutations};

use super::{FilterView, RouteFilter};
use crate::router::{Direction, mutate_headers};

/// The filter.
#[derive(Debug)]
pub struct HeaderMutationFilter {
    config: Config,
}

impl HeaderMutationFilter {
    pub(super) fn new(config: Config) -> Self {
        Self { config }
    }

    pub(super) fn on_request(&self, view: &mut FilterView<'_, '_>) {
        self.mutate(view, Direction::Request);
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        self.mutate(view, Direction::Response);
    }

    fn mutate(&self, view: &mut FilterView<'_, '_>, direction: Direction) {
        apply(&self.config.mutations, direction, view);
        let levels = view.levels.iter().filter_map(|level| match &**level {
            RouteFilter::HeaderMutation(mutations) => Some(mutations),
            _ => None,
        });
        if self.config.most_specific_header_mutations_wins {
            levels.rev().for_each(|mutations| apply(mutations, direction, view));
        } else {
            levels.for_each(|mutations| apply(mutations, direction, view));
        }
    }
}

fn apply(mutations: &Mutations, direction: Direction, view: &mut FilterView<'_, '_>) {
    let list = match direction {
        Direction::Request => &mutations.request_mutations,
        Direction::Response => &mutations.response_mutations,
    };
    mutate_headers(list, view.manager, &view.worker.compiled, direction, view.exchange);
}

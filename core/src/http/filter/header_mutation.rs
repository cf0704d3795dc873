//! `envoy.filters.http.header_mutation`: changes headers by the filter's mutations, then by those of
//! the route's levels.

use ringmain_config::http_filter::{HeaderMutationFilter as Config, Mutation, Mutations};

use super::{FilterView, RouteFilter};
use crate::router::{Direction, add_headers};

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

/// Applies mutations one after the other; each sees what those before it did.
fn apply(mutations: &Mutations, direction: Direction, view: &mut FilterView<'_, '_>) {
    let list = match direction {
        Direction::Request => &mutations.request_mutations,
        Direction::Response => &mutations.response_mutations,
    };
    for mutation in list {
        let headers = match direction {
            Direction::Request => &mut view.exchange.request.headers,
            Direction::Response => &mut view.exchange.response.headers,
        };
        match mutation {
            Mutation::Append(option) => {
                let (manager, compiled) = (view.manager, &view.worker.compiled);
                let option = std::slice::from_ref(option);
                add_headers(option, manager, compiled, direction, view.exchange);
            }
            Mutation::Remove(name) => {
                headers.remove_by_name(name.as_bytes());
            }
            Mutation::RemoveOnMatch(matcher) => {
                let is_pseudo = |name: &[u8]| name.starts_with(b":");
                headers.retain(|header| is_pseudo(header.name) || !matcher.matches(header.name));
            }
        }
    }
}

//! Header additions and removals of weighted cluster, route, virtual host and route configuration.

use ringmain_config::header_mutation::{AppendAction, HeaderMutations, HeaderValueOption};
use ringmain_config::http_filter::Mutation;
use ringmain_config::substitution_format::SubstitutionFormat;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::{RouteRef, Routes};
use crate::access_log::write_header_value;
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::server::Compiled;

/// Which message is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The request, before it goes upstream.
    Request,
    /// The response, before it goes downstream.
    Response,
}

/// Applies the mutations of all levels of `route`, the most specific first, so that the widest has
/// the last word. `most_specific_header_mutations_wins` turns that round, but for the weighted
/// cluster's, which always come first.
pub fn apply_header_mutations(
    manager: &ConnectionManager,
    compiled: &Compiled,
    route: RouteRef,
    direction: Direction,
    exchange: &mut Exchange,
) {
    let table = &manager.routes;
    if let Some(cluster) = exchange.info.weighted_cluster.and_then(|at| table.weighted(route, at)) {
        let level = match direction {
            Direction::Request => &cluster.request_headers,
            Direction::Response => &cluster.response_headers,
        };
        apply(level, manager, compiled, direction, exchange);
        if direction == Direction::Request
            && let Some(host) = &cluster.host_rewrite_literal
        {
            // Here, so that the wider levels see it. Nobody is told what the host was before.
            exchange.request.headers.set(KnownHeader::Authority, host.as_bytes());
        }
    }
    let mut levels = levels(table, route, direction);
    if table.config(route).most_specific_header_mutations_wins {
        levels.reverse();
    }
    for level in levels {
        apply(level, manager, compiled, direction, exchange);
    }
}

/// Applies one level: removals, then additions.
fn apply(
    level: &HeaderMutations,
    manager: &ConnectionManager,
    compiled: &Compiled,
    direction: Direction,
    exchange: &mut Exchange,
) {
    for name in &level.remove {
        headers_of(exchange, direction).remove_by_name(name.as_bytes());
    }
    add_headers(&level.add, manager, compiled, direction, exchange);
}

/// What becomes of one addition, decided while the headers are still as they came.
struct Pending<'a> {
    option: &'a HeaderValueOption,
    value: std::ops::Range<usize>,
    present: bool,
}

/// Adds `options` to a message. As in Envoy, all values are computed before any is put, and
/// replacements come before additions.
pub fn add_headers(
    options: &[HeaderValueOption],
    manager: &ConnectionManager,
    compiled: &Compiled,
    direction: Direction,
    exchange: &mut Exchange,
) {
    put_headers(options, direction, exchange, |format, exchange, value| {
        write_header_value(format, exchange, manager, compiled, value);
    });
}

/// The same with values that `write` makes of their formats.
pub fn put_headers(
    options: &[HeaderValueOption],
    direction: Direction,
    exchange: &mut Exchange,
    write: impl Fn(&SubstitutionFormat, &Exchange, &mut Vec<u8>),
) {
    if options.is_empty() {
        return;
    }
    let mut values = std::mem::take(&mut exchange.scratch);
    values.clear();
    let mut pending: SmallVec<[Pending<'_>; 8]> = SmallVec::new();
    for option in options {
        let start = values.len();
        write(&option.value, exchange, &mut values);
        let headers = headers_of(exchange, direction);
        let present = headers.get_by_name(option.key.as_bytes()).is_some();
        if values.len() > start || option.keep_empty_value {
            pending.push(Pending { option, value: start..values.len(), present });
        }
    }
    let headers = headers_of(exchange, direction);
    for replacing in [true, false] {
        for addition in pending.iter().filter(|addition| addition.replaces() == replacing) {
            addition.put(headers, &values[addition.value.clone()]);
        }
    }
    exchange.scratch = values;
}

/// Applies mutations one after the other; each sees what those before it did.
pub fn mutate_headers(
    mutations: &[Mutation],
    manager: &ConnectionManager,
    compiled: &Compiled,
    direction: Direction,
    exchange: &mut Exchange,
) {
    for mutation in mutations {
        let headers = headers_of(exchange, direction);
        match mutation {
            Mutation::Append(option) => {
                let option = std::slice::from_ref(option);
                add_headers(option, manager, compiled, direction, exchange);
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

impl Pending<'_> {
    fn replaces(&self) -> bool {
        use AppendAction::{OverwriteIfExists, OverwriteIfExistsOrAdd};
        matches!(self.option.append_action, OverwriteIfExists | OverwriteIfExistsOrAdd)
    }

    fn put(&self, headers: &mut HeaderMap, value: &[u8]) {
        let name = self.option.key.as_bytes();
        match self.option.append_action {
            AppendAction::AppendIfExistsOrAdd => headers.append(name, value),
            AppendAction::AddIfAbsent if !self.present => headers.append(name, value),
            AppendAction::OverwriteIfExists if self.present => overwrite(headers, name, value),
            AppendAction::OverwriteIfExistsOrAdd => overwrite(headers, name, value),
            AppendAction::AddIfAbsent | AppendAction::OverwriteIfExists => {}
        }
    }
}

fn levels(table: &Routes, route: RouteRef, direction: Direction) -> [&HeaderMutations; 3] {
    let specific = table.route(route);
    let virtual_host = &table.virtual_host(route).config;
    match direction {
        Direction::Request => [
            &specific.request_headers,
            &virtual_host.request_headers,
            &table.config(route).request_headers,
        ],
        Direction::Response => [
            &specific.response_headers,
            &virtual_host.response_headers,
            &table.config(route).response_headers,
        ],
    }
}

fn headers_of(exchange: &mut Exchange, direction: Direction) -> &mut HeaderMap {
    match direction {
        Direction::Request => &mut exchange.request.headers,
        Direction::Response => &mut exchange.response.headers,
    }
}

/// Envoy takes the old lines away and adds the new one at the end; a pseudo-header has its place.
fn overwrite(headers: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if name.starts_with(b":") {
        headers.set_by_name(name, value);
        return;
    }
    headers.remove_by_name(name);
    headers.append(name, value);
}

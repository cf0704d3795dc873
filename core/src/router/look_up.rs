//! From a request's head to its route: what is refused beforehand, path and authority as they are to
//! be, the header rules, the tables. Needs no connection, so that it can also be asked offline.

use ringmain_config::route::Action;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::cluster_choice::choose_cluster;
use super::hash_policy::{Ends, request_hash};
use super::header_mutation::{Direction, mutate_headers};
use super::{Found, RouteRef, RouteRequest};
use crate::http::ConnectionManager;
use crate::http::authority::normalize_authority;
use crate::http::exchange::Exchange;
use crate::http::header_matching::is_grpc;
use crate::http::local_reply::LocalReply;
use crate::http::path_normalization::{PathOutcome, normalize_path};
use crate::http::request_headers::{prepare_request, refuse_nominated};
use crate::http::request_id::RequestIds;
use crate::server::{ClusterNames, Compiled};

/// Why no route was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `connection` names what it may not.
    Nominated(LocalReply),
    /// The target is no path.
    NotRelative,
    /// The path cannot be made what the connection manager's options want.
    PathRejected,
    /// The client is sent to the path as it is now.
    PathRedirect,
    /// `original_ip_detection_extensions` do not find the client's address.
    Undetected(LocalReply),
}

/// Makes the request's head what the router may see and finds what takes it. `draw` gives the stream's
/// random number.
pub fn look_up(
    manager: &ConnectionManager,
    compiled: &Compiled,
    request_ids: &RequestIds,
    draw: impl Fn() -> u64,
    exchange: &mut Exchange,
) -> Result<Found, Stop> {
    // What follows a redirect was made fit at the first hop.
    let is_first_hop = exchange.redirects.is_empty();
    if is_first_hop && let Some(reply) = refuse_nominated(&exchange.request.headers) {
        return Err(Stop::Nominated(reply));
    }
    let path = exchange.request.headers.get(KnownHeader::Path);
    let is_connect = exchange.request.headers.get(KnownHeader::Method) == Some(b"CONNECT");
    if !is_connect && !path.is_some_and(|path| path.starts_with(b"/")) {
        return Err(Stop::NotRelative);
    }
    normalize(manager, exchange)?;
    if is_first_hop {
        let early = &manager.config.early_header_mutations;
        mutate_headers(early, manager, compiled, Direction::Request, exchange);
    }
    let Exchange { request, info, .. } = exchange;
    if is_first_hop {
        prepare_request(manager, compiled, request, info, request_ids).map_err(Stop::Undetected)?;
    }
    let random = || info.random(&draw);
    let tls = info.downstream_tls.as_deref();
    Ok(manager.routes.find(&RouteRequest { headers: &request.headers, random: &random, tls }))
}

/// Path and authority as the connection manager's options want them.
fn normalize(manager: &ConnectionManager, exchange: &mut Exchange) -> Result<(), Stop> {
    let config = &manager.config;
    let Exchange { request, info, scratch, .. } = exchange;
    let headers = &mut request.headers;
    if headers.contains(KnownHeader::Path) {
        match normalize_path(config, headers, scratch) {
            PathOutcome::Continue => {}
            PathOutcome::Redirect if !is_grpc(headers) => return Err(Stop::PathRedirect),
            PathOutcome::Redirect | PathOutcome::Reject => return Err(Stop::PathRejected),
        }
    }
    normalize_authority(config, headers, info.local.port().unwrap_or(0), scratch);
    Ok(())
}

/// Whether a prepared request has a scheme, without which nothing is routed. The scheme follows
/// `x-forwarded-proto`.
pub fn has_scheme(headers: &HeaderMap) -> bool {
    headers.get(KnownHeader::XForwardedProto) != Some(b"")
}

/// Notes the cluster of those that the route `found` names.
pub fn choose(
    manager: &ConnectionManager,
    names: &ClusterNames,
    draw: impl FnOnce() -> u64,
    exchange: &mut Exchange,
    found: RouteRef,
) {
    let Action::Route(action) = &manager.routes.route(found).action else { return };
    let Exchange { request, info, .. } = exchange;
    let headers = &request.headers;
    let hash = || {
        // The client gets cookies when the hash chooses a host.
        let cookies = &mut Vec::new();
        request_hash(&action.hash_policy, headers, &info.objects, Ends::of(info), cookies)
    };
    let choice = choose_cluster(&action.cluster, headers, names, || info.random(draw), hash);
    info.cluster = choice.cluster;
    info.weighted_cluster = choice.weighted;
}

//! The terminal HTTP filter: finds the route and answers, redirects or forwards.

use std::time::Duration;

use ringmain_config::overload::OverloadActionKind;
use ringmain_config::route::{
    Action, DirectResponse, RedirectAction, RedirectPath, Route, RouteAction, VirtualHost,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::header_mutation::{Direction, apply_header_mutations};
use super::host_rewrite::{AutoHostRewrite, rewrite_host};
use super::internal_redirect::begin_again;
use super::look_up::{Stop, choose, has_scheme, look_up};
use super::mirror::{Mirroring, policies_of};
use super::path_rewrite::rewrite_path;
use super::redirect::redirect_location;
use super::request_group::CountedGroups;
use super::retry::RetryState;
use super::stream_duration::stream_limit;
use super::timeout::{StreamTimeouts, effective_timeouts, set_expectation};
use super::upstream_request::{self, Forwarded, Forwarding};
use super::{Found, RouteRef, upgrade};
use crate::access_log::{AccessLogType, write_header_value};
use crate::http::ConnectionManager;
use crate::http::codec::downstream::{After, Downstream};
use crate::http::exchange::Exchange;
use crate::http::filter_chain;
use crate::http::local_reply::{self, LocalReply, Reply};
use crate::server::Compiled;

/// Serves a request whose head is complete.
pub async fn serve(downstream: &Downstream<'_>, exchange: &mut Exchange) -> After {
    loop {
        match serve_hop(downstream, exchange).await {
            Forwarded::Answered(after) => return after,
            Forwarded::Redirected => begin_again(downstream, exchange),
        }
    }
}

async fn serve_hop(downstream: &Downstream<'_>, exchange: &mut Exchange) -> Forwarded {
    let found = match find_route(downstream, exchange) {
        Ok(found) => found,
        Err(refusal) => return refuse(downstream, exchange, refusal).await.into(),
    };
    if let Some(after) = filter_chain::run(downstream, exchange).await {
        return after.into();
    }
    downstream.stats().rq_total.inc();
    match found {
        Found::Route(found) => take_route(downstream, exchange, found).await,
        Found::Nothing => {
            downstream.stats().no_route.inc();
            downstream.reply(&local_reply::ROUTE_NOT_FOUND, exchange).await.into()
        }
        Found::TlsRedirect => {
            downstream.stats().rq_direct_response.inc();
            write_https_location(exchange);
            let redirect = Refusal::Redirect { status: 301, details: "direct_response" };
            refuse(downstream, exchange, redirect).await.into()
        }
    }
}

async fn take_route(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    found: RouteRef,
) -> Forwarded {
    let route = downstream.manager.routes.route(found);
    match &route.action {
        Action::Route(action) => forward(downstream, exchange, found, route, action).await,
        Action::Redirect(redirect) => {
            redirected(downstream, exchange, redirect, route).await.into()
        }
        Action::DirectResponse(response) => answered(downstream, exchange, response).await.into(),
        Action::NonForwarding => {
            downstream.stats().no_cluster.inc();
            downstream.reply(&local_reply::NON_FORWARDING, exchange).await.into()
        }
    }
}

/// Why a request is not served.
enum Refusal {
    /// A reply, and the route that the request would have taken.
    Reply { reply: LocalReply, route: Option<RouteRef> },
    /// Sends the client to where `Exchange::scratch` says.
    Redirect { status: u16, details: &'static str },
}

impl From<LocalReply> for Refusal {
    fn from(reply: LocalReply) -> Self {
        Self::Reply { reply, route: None }
    }
}

async fn refuse(downstream: &Downstream<'_>, exchange: &mut Exchange, refusal: Refusal) -> After {
    match refusal {
        Refusal::Reply { reply, route } => {
            let after = downstream.reply(&reply, exchange).await;
            // Only now, so that the log knows the route and the reply has none of its headers.
            exchange.info.route = route;
            after
        }
        Refusal::Redirect { status, details } => {
            exchange.info.details = details;
            let location = std::mem::take(&mut exchange.scratch);
            let reply = Reply { status, body: b"", location: Some(&location) };
            let after = downstream.reply_with(&reply, exchange).await;
            exchange.scratch = location;
            after
        }
    }
}

/// What takes the request, noted in its record.
fn find_route(downstream: &Downstream<'_>, exchange: &mut Exchange) -> Result<Found, Refusal> {
    let (manager, worker) = (downstream.manager, downstream.worker);
    if worker.overloaded(OverloadActionKind::StopAcceptingRequests) {
        downstream.stats().downstream_rq_overload_close.inc();
        return Err(local_reply::OVERLOADED.into());
    }
    let draw = || worker.random.next();
    let found = look_up(manager, &worker.compiled, &worker.request_ids, draw, exchange)
        .map_err(|stop| stopped(downstream, exchange, stop))?;
    let has_scheme = has_scheme(&exchange.request.headers);
    let protocol = upgrade::asked_protocol(&exchange.request);
    let is_upgrade = protocol.is_some();
    let is_allowed = protocol.is_some_and(|protocol| upgrade::is_allowed(manager, found, protocol));
    if let Found::Route(route) = found
        && (has_scheme || is_upgrade)
    {
        choose(manager, &worker.compiled.cluster_names, draw, exchange, route);
    }
    log_new_request(downstream, exchange, found);
    if is_allowed {
        begin_upgrade(downstream, exchange);
    }
    let is_refused = is_upgrade && !is_allowed;
    let route = match found {
        Found::Route(route) => route,
        Found::TlsRedirect if is_refused => return Err(upgrade_failed(downstream, exchange, None)),
        Found::TlsRedirect | Found::Nothing => return Ok(found),
    };
    if is_refused {
        return Err(upgrade_failed(downstream, exchange, Some(route)));
    }
    if !has_scheme {
        return Ok(Found::Nothing);
    }
    exchange.info.route = Some(route);
    Ok(found)
}

/// Writes the line that `flush_access_log_on_new_request` asks for.
fn log_new_request(downstream: &Downstream<'_>, exchange: &mut Exchange, found: Found) {
    if !downstream.manager.config.flush_access_log_on_new_request {
        return;
    }
    if let Found::Route(route) = found {
        exchange.info.route = Some(route);
    }
    downstream.log(exchange, AccessLogType::DownstreamStart);
    // What follows has not come so far yet.
    exchange.info.route = None;
}

/// Counts a request that is not looked up.
fn stopped(downstream: &Downstream<'_>, exchange: &mut Exchange, stop: Stop) -> Refusal {
    let stats = downstream.stats();
    match stop {
        Stop::Nominated(reply) => refused(downstream, exchange, reply).into(),
        Stop::NotRelative => {
            stats.downstream_rq_non_relative_path.inc();
            local_reply::ABSOLUTE_PATH_REJECTED.into()
        }
        Stop::Undetected(reply) => {
            stats.downstream_rq_rejected_via_ip_detection.inc();
            reply.into()
        }
        Stop::PathRejected => {
            stats.downstream_rq_failed_path_normalization.inc();
            exchange.request.keep_alive = false;
            local_reply::PATH_NORMALIZATION_FAILED.into()
        }
        Stop::PathRedirect => {
            stats.downstream_rq_redirected_with_normalized_path.inc();
            let Exchange { request, scratch, .. } = exchange;
            scratch.clear();
            scratch.extend_from_slice(request.headers.get(KnownHeader::Path).unwrap_or_default());
            Refusal::Redirect { status: 307, details: "path_normalization_failed" }
        }
    }
}

/// The client may leave HTTP, if whoever answers agrees.
fn begin_upgrade(downstream: &Downstream<'_>, exchange: &mut Exchange) {
    exchange.info.upgrade = true;
    downstream.stats().downstream_cx_upgrades_total.inc();
    downstream.stats().downstream_cx_upgrades_active.inc();
}

/// The client may not leave HTTP: what it sends behind its request is not looked at, as that might
/// pass for another one.
fn upgrade_failed(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    route: Option<RouteRef>,
) -> Refusal {
    downstream.stats().downstream_rq_ws_on_non_ws_route.inc();
    exchange.request.keep_alive = false;
    Refusal::Reply { reply: local_reply::UPGRADE_FAILED, route }
}

/// Writes to `scratch` the same place by https, with the port that `host` names.
pub fn write_https_location(exchange: &mut Exchange) {
    let headers = &exchange.request.headers;
    exchange.scratch.clear();
    exchange.scratch.extend_from_slice(b"https://");
    for part in [KnownHeader::Authority, KnownHeader::Path] {
        exchange.scratch.extend_from_slice(headers.get(part).unwrap_or_default());
    }
}

/// A request that Envoy's codec would not have let in: counted as one, and logged without its head.
fn refused(downstream: &Downstream<'_>, exchange: &mut Exchange, reply: LocalReply) -> LocalReply {
    if reply.flag.is_some() {
        downstream.count_protocol_error();
        exchange.info.request_received = None;
        exchange.info.request_parsed = false;
        exchange.request.clear();
    }
    exchange.request.headers.remove(KnownHeader::Authority);
    exchange.request.keep_alive = false;
    reply
}

async fn redirected(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    redirect: &RedirectAction,
    route: &Route,
) -> After {
    downstream.stats().rq_direct_response.inc();
    exchange.info.details = "direct_response";
    let (manager, compiled) = (downstream.manager, &downstream.worker.compiled);
    write_location(redirect, route, manager, compiled, exchange);
    let location = std::mem::take(&mut exchange.scratch);
    let reply = Reply { status: redirect.status, body: b"", location: Some(&location) };
    let after = downstream.reply_with(&reply, exchange).await;
    exchange.scratch = location;
    after
}

/// Writes to `scratch` where a redirect sends the client. The request may come out with another path.
pub fn write_location(
    redirect: &RedirectAction,
    route: &Route,
    manager: &ConnectionManager,
    compiled: &Compiled,
    exchange: &mut Exchange,
) {
    let mut new_path: SmallVec<[u8; 128]> = SmallVec::new();
    match &redirect.path {
        Some(RedirectPath::Path(path)) => new_path.extend_from_slice(path.as_bytes()),
        Some(RedirectPath::Format(format)) => {
            exchange.scratch.clear();
            let mut value = std::mem::take(&mut exchange.scratch);
            write_header_value(format, exchange, manager, compiled, &mut value);
            new_path.extend_from_slice(&value);
            exchange.scratch = value;
        }
        Some(RedirectPath::Rewrite(rewrite)) => {
            rewrite_path(rewrite, &route.matcher.path, manager, compiled, exchange);
        }
        None => {}
    }
    let Exchange { request, scratch, .. } = exchange;
    scratch.clear();
    redirect_location(redirect, &new_path, &request.headers, scratch);
}

async fn answered(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    response: &DirectResponse,
) -> After {
    downstream.stats().rq_direct_response.inc();
    exchange.info.details = "direct_response";
    write_own_location(response, exchange);
    let location = std::mem::take(&mut exchange.scratch);
    let reply = Reply {
        status: response.status,
        body: &response.body,
        location: Some(&location[..]).filter(|location| !location.is_empty()),
    };
    let after = downstream.reply_with(&reply, exchange).await;
    exchange.scratch = location;
    after
}

/// Writes to `scratch` the `location` of a direct response, which may be empty. Envoy tells where the
/// request went to wherever the status may bring one.
pub fn write_own_location(response: &DirectResponse, exchange: &mut Exchange) {
    let Exchange { request, scratch, .. } = exchange;
    scratch.clear();
    if matches!(response.status, 201 | 300..=399) {
        redirect_location(&RedirectAction::NOWHERE, b"", &request.headers, scratch);
    }
}

/// Envoy's default for `per_connection_buffer_limit_bytes`, which bounds what is kept of a body.
const BUFFER_LIMIT_BYTES: usize = 1024 * 1024;

/// What internal clients may ask of the router; it goes no further.
const CONSUMED: [KnownHeader; 9] = [
    KnownHeader::XEnvoyRetryOn,
    KnownHeader::XEnvoyRetryGrpcOn,
    KnownHeader::XEnvoyMaxRetries,
    KnownHeader::XEnvoyRetriableHeaderNames,
    KnownHeader::XEnvoyRetriableStatusCodes,
    KnownHeader::XEnvoyHedgeOnPerTryTimeout,
    KnownHeader::XEnvoyUpstreamAltStatName,
    KnownHeader::XEnvoyUpstreamRqPerTryTimeoutMs,
    KnownHeader::XEnvoyUpstreamRqTimeoutAltResponse,
];

async fn forward<'a>(
    downstream: &Downstream<'a>,
    exchange: &mut Exchange,
    found: RouteRef,
    route: &'a Route,
    action: &'a RouteAction,
) -> Forwarded {
    let manager = downstream.manager;
    let Some(cluster) = exchange.info.cluster else {
        downstream.stats().no_cluster.inc();
        let reply = local_reply::cluster_not_found(action.cluster_not_found_status);
        return downstream.reply(&reply, exchange).await.into();
    };
    let groups = &manager.request_groups;
    exchange.info.virtual_cluster = groups.virtual_cluster(found, &exchange.request.headers);
    let forwarding = plan(downstream, exchange, found, route, action, cluster);
    address_upstream(downstream, exchange, found, &forwarding);
    upstream_request::forward(downstream, exchange, forwarding).await
}

/// What the route and what the client may ask of it say about the way upstream.
fn plan<'a>(
    downstream: &Downstream<'a>,
    exchange: &mut Exchange,
    found: RouteRef,
    route: &'a Route,
    action: &'a RouteAction,
    cluster: usize,
) -> Forwarding<'a> {
    let manager = downstream.manager;
    let virtual_host = &manager.routes.virtual_host(found).config;
    let policy = action.retry_policy.as_ref().or(virtual_host.retry_policy.as_ref());
    let headers = &mut exchange.request.headers;
    let retry = RetryState::new(policy, headers, &manager.config.router);
    let hedges = hedges(action, virtual_host, headers);
    let timeout_is_no_content = headers.contains(KnownHeader::XEnvoyUpstreamRqTimeoutAltResponse);
    for name in CONSUMED {
        headers.remove(name);
    }
    let mut limits = effective_timeouts(action, policy, headers, exchange.info.internal);
    if hedges && !retry.is_on() {
        // There is nothing that an attempt could make way for.
        limits.per_try = None;
    }
    let max_duration = action.max_stream_duration.as_ref();
    let stream = stream_limit(max_duration, manager.config.max_stream_duration, headers);
    let started = exchange.info.started;
    let timeouts = StreamTimeouts::new(action, &manager.config, limits, stream, started)
        .of_cluster(downstream.worker.cluster(cluster).shared.config.max_stream_duration);
    // An attempt that is hedged has all of the time.
    let hedged = if hedges { limits.per_try.take() } else { None };
    let kept_max = route.request_body_buffer_limit.or(virtual_host.request_body_buffer_limit);
    let kept_max = kept_max.map_or(BUFFER_LIMIT_BYTES, |max| max.try_into().unwrap_or(usize::MAX));
    let virtual_cluster = exchange.info.virtual_cluster;
    let weighted = exchange.info.weighted_cluster.and_then(|at| manager.routes.weighted(found, at));
    let own_criteria = action.metadata_match.as_ref();
    Forwarding {
        cluster,
        groups: CountedGroups {
            groups: manager.request_groups.of(found, virtual_cluster),
            worker: downstream.worker.id,
        },
        priority: action.priority,
        hash_policy: &action.hash_policy,
        criteria: weighted.map_or(own_criteria, |cluster| cluster.metadata_match.as_ref()),
        limits,
        timeouts,
        hedged,
        retry,
        kept_max,
        redirect_policy: action.internal_redirect_policy.as_ref(),
        tells_expectation: !manager.config.router.suppress_envoy_headers,
        tells_attempts: virtual_host.include_request_attempt_count,
        tells_timeouts: virtual_host.include_is_timeout_retry_header,
        timeout_is_no_content,
        mirroring: Mirroring {
            policies: policies_of(&manager.routes, found, &action.request_mirror_policies),
            kept_max,
            timeout: limits.response,
        },
        auto_host: action.auto_host_rewrite.then_some(AutoHostRewrite {
            append_x_forwarded_host: action.append_x_forwarded_host,
            suppress_envoy_headers: manager.config.router.suppress_envoy_headers,
        }),
        terminates_connect: upgrade::terminates_connect(action, &exchange.request),
    }
}

/// Whether an attempt that takes long goes on while another one is made: by the policy, or by what an
/// internal client asks for.
fn hedges(action: &RouteAction, virtual_host: &VirtualHost, headers: &HeaderMap) -> bool {
    match headers.get(KnownHeader::XEnvoyHedgeOnPerTryTimeout) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => {
            let policy = action.hedge_policy.or(virtual_host.hedge_policy);
            policy.is_some_and(|policy| policy.hedge_on_per_try_timeout)
        }
    }
}

/// Makes the headers what the upstream gets: expectations, additions, rewrites, in Envoy's order.
fn address_upstream(
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    found: RouteRef,
    forwarding: &Forwarding<'_>,
) {
    let manager = downstream.manager;
    let headers = &mut exchange.request.headers;
    if forwarding.tells_expectation {
        set_expectation(headers, forwarding.limits.expected_ms(Duration::ZERO));
    }
    if forwarding.tells_attempts {
        headers.set(KnownHeader::XEnvoyAttemptCount, b"1");
    }
    write_upstream_request(manager, &downstream.worker.compiled, found, exchange);
}

/// Applies what the route says about the request's headers: mutations, then rewrites.
pub fn write_upstream_request(
    manager: &ConnectionManager,
    compiled: &Compiled,
    found: RouteRef,
    exchange: &mut Exchange,
) {
    apply_header_mutations(manager, compiled, found, Direction::Request, exchange);
    let route = manager.routes.route(found);
    let Action::Route(action) = &route.action else { return };
    rewrite_host(action, manager, compiled, exchange);
    if let Some(rewrite) = &action.path_rewrite {
        rewrite_path(rewrite, &route.matcher.path, manager, compiled, exchange);
    }
}

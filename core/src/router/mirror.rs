//! Copies of requests for other clusters (`request_mirror_policies`).
//!
//! [`mirror`] makes the copies of a request that is about to go upstream and starts a task for each.
//! The request hands them its body as it comes ([`Mirrors`]) and never learns what becomes of them. A
//! copy that takes its body so slowly that more of it waits than the route would keep is given up.
//! How many there are at once is up to the circuit breakers of their cluster.

mod copied_body;
mod request_copy;

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ringmain_config::route::{MirrorHost, RequestMirrorPolicy};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::cluster_choice::choose_named;
use super::header_mutation::{Direction, mutate_headers};
use super::upstream_request::announce_empty_body;
use super::{RouteRef, Routes};
use crate::cluster::WorkerCluster;
use crate::http::authority::with_suffix;
use crate::http::codec::downstream::Downstream;
use crate::http::exchange::Exchange;
use crate::http::request_headers::append_to_list;
use crate::ip_text::ip_text;
use crate::runtime;
use copied_body::CopiedBody;
use request_copy::RequestCopy;

/// What the copies of a request are made by.
#[derive(Clone, Copy)]
pub struct Mirroring<'a> {
    /// The policies of the most specific level that has any.
    pub policies: &'a [RequestMirrorPolicy],
    /// How much of the body may wait for a copy, in bytes.
    pub kept_max: usize,
    /// The route's timeout, which holds for copies too.
    pub timeout: Option<Duration>,
}

/// The bodies of a request's copies, which grow with its own.
#[derive(Debug, Default)]
pub struct Mirrors(SmallVec<[Rc<CopiedBody>; 1]>);

impl Mirrors {
    /// A piece of the request's body has come.
    pub fn push(&self, piece: &[u8]) {
        self.0.iter().for_each(|body| body.push(piece));
    }

    /// All of the request's body has come.
    pub fn complete(&self, trailers: Option<&HeaderMap>) {
        self.0.iter().for_each(|body| body.complete(trailers));
    }

    /// The rest of the request's body will not come.
    pub fn give_up(&self) {
        self.0.iter().for_each(|body| body.give_up());
    }
}

impl Drop for Mirrors {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// The policies that hold for `route`: those of the route, else of its virtual host, else of the
/// route configuration.
pub fn policies_of<'a>(
    routes: &'a Routes,
    route: RouteRef,
    own: &'a [RequestMirrorPolicy],
) -> &'a [RequestMirrorPolicy] {
    let levels = [
        own,
        &routes.virtual_host(route).config.request_mirror_policies,
        &routes.config(route).request_mirror_policies,
    ];
    levels.into_iter().find(|policies| !policies.is_empty()).unwrap_or_default()
}

/// Sends a copy of the request, whose headers are those that `cluster` gets, to each mirror.
pub fn mirror(
    mirroring: Mirroring<'_>,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
    cluster: &Rc<WorkerCluster>,
) -> Mirrors {
    let worker = downstream.worker;
    let mut mirrors = Mirrors::default();
    // As in Envoy: a request that goes nowhere has no copies. Nor has what leaves HTTP.
    if !cluster.has_hosts() || exchange.info.upgrade {
        return mirrors;
    }
    for policy in mirroring.policies {
        let names = &worker.compiled.cluster_names;
        let target = choose_named(&policy.cluster, &exchange.request.headers, names);
        let draw = || worker.random.next();
        let Some(target) = target else { continue };
        if !policy.runtime_fraction.includes(exchange.info.random(draw)) {
            continue;
        }
        let body = Rc::new(CopiedBody::new(mirroring.kept_max, cluster.clone()));
        let copy = RequestCopy {
            worker: worker.clone(),
            cluster: worker.cluster(target).clone(),
            exchange: copy_head(policy, downstream, exchange),
            body: body.clone(),
            timeout: mirroring.timeout,
        };
        mirrors.0.push(body);
        runtime::spawn(copy.send());
    }
    mirrors
}

/// The head of a copy, as another proxy of ours would pass it on.
fn copy_head(
    policy: &RequestMirrorPolicy,
    downstream: &Downstream<'_>,
    exchange: &mut Exchange,
) -> Box<Exchange> {
    let (manager, compiled) = (downstream.manager, &downstream.worker.compiled);
    let mut copy = downstream.worker.exchanges.take();
    copy.request.headers.clone_from(&exchange.request.headers);
    copy.request.body = exchange.request.body;
    copy.info = exchange.info.of_same_client();
    // What the mutations say of the stream is said of the request's.
    std::mem::swap(&mut exchange.request.headers, &mut copy.request.headers);
    let mutations = &policy.request_headers_mutations;
    mutate_headers(mutations, manager, compiled, Direction::Request, exchange);
    std::mem::swap(&mut exchange.request.headers, &mut copy.request.headers);
    let headers = &mut copy.request.headers;
    set_host(&policy.host, headers);
    headers.set(KnownHeader::XEnvoyInternal, b"true");
    append_own_address(headers, compiled.local_ip);
    announce_empty_body(&mut copy.request);
    copy
}

fn set_host(host: &MirrorHost, headers: &mut HeaderMap) {
    match host {
        MirrorHost::Same => {}
        MirrorHost::Literal(literal) => headers.set(KnownHeader::Authority, literal.as_bytes()),
        MirrorHost::Suffixed => {
            let host = headers.get(KnownHeader::Authority).unwrap_or_default();
            let suffixed = with_suffix(host, b"-shadow");
            headers.set(KnownHeader::Authority, &suffixed);
        }
    }
}

fn append_own_address(headers: &mut HeaderMap, local_ip: IpAddr) {
    append_to_list(headers, KnownHeader::XForwardedFor, b",", &ip_text(local_ip));
}

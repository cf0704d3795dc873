//! A route configuration, compiled.

use ringmain_config::route::{
    Action, ClusterSpecifier, ClusterWeight, Route, RouteConfiguration, TlsRequirement,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::route_conditions::Unmet;
use super::route_match::{RouteMatcher, RouteRequest};
use super::virtual_host::{CompiledVirtualHost, DomainTrie};
use crate::http::authority::without_port;

/// Finds virtual hosts and routes.
#[derive(Debug)]
pub struct RouteTable {
    /// As written, without the virtual hosts, which are in `virtual_hosts`.
    pub config: RouteConfiguration,
    virtual_hosts: Vec<CompiledVirtualHost>,
    domains: DomainTrie,
}

/// A route that matched: indices, so that it outlives any borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteRef {
    pub(super) table: u32,
    pub(super) virtual_host: u32,
    route: u32,
}

impl RouteRef {
    /// The route at these places, each from 0.
    pub fn new(table: u32, virtual_host: u32, route: u32) -> Self {
        Self { table, virtual_host, route }
    }

    /// The route's place in its virtual host, from 0.
    pub fn index(self) -> u32 {
        self.route
    }
}

/// What takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A route.
    Route(RouteRef),
    /// The virtual host's `require_tls`: the client is sent to https.
    TlsRedirect,
    /// No virtual host or route.
    Nothing,
}

impl RouteTable {
    /// Compiles `config`.
    pub fn new(mut config: RouteConfiguration) -> Self {
        let domains = DomainTrie::new(&config.virtual_hosts);
        let virtual_hosts = std::mem::take(&mut config.virtual_hosts)
            .into_iter()
            .map(|config| CompiledVirtualHost {
                matcher: RouteMatcher::new(&config.routes),
                config,
            })
            .collect();
        Self { config, virtual_hosts, domains }
    }

    /// What takes `request`; `table` is the number that routes of this table carry.
    pub fn find(&self, table: u32, request: &RouteRequest<'_>) -> Found {
        let Some(virtual_host) = self.find_virtual_host(request.headers) else {
            return Found::Nothing;
        };
        let host = &self.virtual_hosts[virtual_host as usize];
        if redirects_to_tls(host.config.require_tls, request.headers) {
            return Found::TlsRedirect;
        }
        match self.find_in(host, request, |_, _| {}) {
            Some(route) => Found::Route(RouteRef { table, virtual_host, route }),
            None => Found::Nothing,
        }
    }

    /// The index of the first of the host's routes that takes `request`; `passed_over` is told of those
    /// before it whose path would do.
    pub fn find_in(
        &self,
        host: &CompiledVirtualHost,
        request: &RouteRequest<'_>,
        passed_over: impl FnMut(u32, Unmet),
    ) -> Option<u32> {
        let path = path_of(request.target());
        match self.config.ignore_path_parameters_in_path_matching {
            true => host.matcher.find(&without_parameters(path), request, passed_over),
            false => host.matcher.find(path, request, passed_over),
        }
    }

    /// The virtual host that serves a request of `headers`.
    pub fn find_virtual_host(&self, headers: &HeaderMap) -> Option<u32> {
        self.domains.find(self.host_name(headers)?)
    }

    /// What of `headers` is held against the domains.
    pub fn host_name<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let name = match &self.config.vhost_header {
            None => headers.get(KnownHeader::Authority).unwrap_or_default(),
            Some(header) => headers.get_by_name(header.as_bytes())?,
        };
        Some(match self.config.ignore_port_in_host_matching {
            true => without_port(name),
            false => name,
        })
    }

    /// The virtual host of a route.
    pub fn virtual_host(&self, route: RouteRef) -> &CompiledVirtualHost {
        &self.virtual_hosts[route.virtual_host as usize]
    }

    /// The route itself.
    pub fn route(&self, route: RouteRef) -> &Route {
        &self.virtual_host(route).config.routes[route.route as usize]
    }

    /// The entry `at` of the route's `weighted_clusters`.
    pub fn weighted(&self, route: RouteRef, at: u32) -> Option<&ClusterWeight> {
        let Action::Route(action) = &self.route(route).action else { return None };
        let ClusterSpecifier::Weighted(clusters) = &action.cluster else { return None };
        clusters.clusters.get(at as usize)
    }

    /// All virtual hosts, in file order.
    pub fn virtual_hosts(&self) -> &[CompiledVirtualHost] {
        &self.virtual_hosts
    }
}

/// Whether `require_tls` sends a request of `headers` to https. What it came by is what
/// `x-forwarded-proto` says.
fn redirects_to_tls(requirement: TlsRequirement, headers: &HeaderMap) -> bool {
    let is_https = || headers.get(KnownHeader::XForwardedProto) == Some(b"https");
    let is_internal = || headers.get(KnownHeader::XEnvoyInternal) == Some(b"true");
    match requirement {
        TlsRequirement::None => false,
        TlsRequirement::ExternalOnly => !is_https() && !is_internal(),
        TlsRequirement::All => !is_https(),
    }
}

/// A path whose segments end before their first `;` (RFC 3986 §3.3).
fn without_parameters(path: &[u8]) -> SmallVec<[u8; 256]> {
    let mut within = false;
    let kept = path.iter().copied().filter(|byte| {
        within = *byte == b';' || within && *byte != b'/';
        !within
    });
    kept.collect()
}

/// The part of a request target before the query.
pub fn path_of(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    &target[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_end_with_their_segment() {
        for (path, expected) in
            [("/a;x=1", "/a"), ("/a;x/b", "/a/b"), ("/a;x;y/b;z", "/a/b"), ("/a/b", "/a/b")]
        {
            assert_eq!(&without_parameters(path.as_bytes())[..], expected.as_bytes());
        }
    }
}

//! A route configuration, compiled.

use ringmain_config::route::{Action, ClusterSpecifier, ClusterWeight, Route, RouteConfiguration};
use ringmain_proto_codec::KnownHeader;

use super::route_match::{RouteMatcher, RouteRequest};
use super::virtual_host::{CompiledVirtualHost, DomainTrie};

/// Finds virtual hosts and routes.
#[derive(Debug)]
pub struct RouteTable {
    /// As written, without the virtual hosts, which are in `virtual_hosts`.
    pub config: RouteConfiguration,
    virtual_hosts: Vec<CompiledVirtualHost>,
    domains: DomainTrie,
}

/// A route that matched: indices, so that it outlives any borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRef {
    virtual_host: usize,
    route: usize,
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

    /// The route of `request`.
    pub fn find(&self, request: &RouteRequest<'_>) -> Option<RouteRef> {
        let authority = request.headers.get(KnownHeader::Authority).unwrap_or_default();
        let virtual_host = self.domains.find(authority)?;
        let path = path_of(request.target());
        let route = self.virtual_hosts[virtual_host].matcher.find(path, request)?;
        Some(RouteRef { virtual_host, route })
    }

    /// The virtual host of a route.
    pub fn virtual_host(&self, route: RouteRef) -> &CompiledVirtualHost {
        &self.virtual_hosts[route.virtual_host]
    }

    /// The route itself.
    pub fn route(&self, route: RouteRef) -> &Route {
        &self.virtual_host(route).config.routes[route.route]
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

/// The part of a request target before the query.
pub fn path_of(target: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    &target[..end]
}

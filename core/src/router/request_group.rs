//! Requests that are counted together beside their cluster: those of a virtual cluster
//! (`vhost.<name>.vcluster.<name>.`) and those of routes with a `stat_prefix`
//! (`vhost.<name>.route.<stat_prefix>.`).

use std::collections::HashMap;

use ringmain_config::route::VirtualHost;
use ringmain_proto_codec::HeaderMap;

use super::{RouteRef, Routes};
use crate::http::header_matching::{CompiledHeaderMatcher, all_match};
use crate::stats::scopes::RequestGroupStats;
use crate::stats::{HistogramId, HistogramTable, PerWorker, ResponseCodes, Scope, WorkerId};

/// One group and its counters.
#[derive(Debug)]
pub struct RequestGroup {
    /// Where its stats stand.
    pub scope: Scope,
    /// What its requests met.
    pub stats: PerWorker<RequestGroupStats>,
    /// `upstream_rq_<code>`.
    pub response_codes: PerWorker<ResponseCodes>,
    /// `upstream_rq_time`, in milliseconds.
    pub upstream_rq_time: HistogramId,
}

/// All groups of a connection manager. Most have none, and then a look-up is next to nothing.
#[derive(Debug, Default)]
pub struct RequestGroups {
    /// By the indices of table and virtual host.
    hosts: HashMap<(u32, u32), HostGroups>,
}

/// The groups of one virtual host.
#[derive(Debug)]
struct HostGroups {
    virtual_clusters: Vec<VirtualCluster>,
    /// By the route's index.
    routes: HashMap<u32, RequestGroup>,
}

/// The last one is `other`, which takes all that is left and has no name in logs.
#[derive(Debug)]
struct VirtualCluster {
    name: Option<String>,
    headers: Box<[CompiledHeaderMatcher]>,
    group: RequestGroup,
}

/// Where requests count that match no virtual cluster of a virtual host that has some.
const OTHER: &str = "other";

impl RequestGroups {
    /// Compiles the groups of `routes` for `workers` workers and adds their histograms to `table`.
    pub fn new(routes: &Routes, workers: usize, table: &mut HistogramTable) -> Self {
        let mut hosts = HashMap::new();
        for (table_index, routes) in (0..).zip(routes.tables()) {
            for (host_index, host) in (0..).zip(routes.virtual_hosts()) {
                if let Some(groups) = HostGroups::new(&host.config, workers, table) {
                    hosts.insert((table_index, host_index), groups);
                }
            }
        }
        Self { hosts }
    }

    /// Which virtual cluster of its virtual host a request of `headers` counts in.
    pub fn virtual_cluster(&self, route: RouteRef, headers: &HeaderMap) -> Option<u32> {
        let clusters = &self.host(route)?.virtual_clusters;
        let at = clusters.iter().position(|cluster| all_match(&cluster.headers, headers))?;
        u32::try_from(at).ok()
    }

    /// The name of the virtual cluster `at`.
    pub fn virtual_cluster_name(&self, route: RouteRef, at: u32) -> Option<&str> {
        let clusters = &self.host(route)?.virtual_clusters;
        clusters.get(at as usize)?.name.as_deref()
    }

    /// The groups that a request of `route` counts in.
    pub fn of(&self, route: RouteRef, virtual_cluster: Option<u32>) -> [Option<&RequestGroup>; 2] {
        let Some(host) = self.host(route) else { return [None; 2] };
        let clusters = &host.virtual_clusters;
        let cluster = virtual_cluster.and_then(|at| clusters.get(at as usize));
        [cluster.map(|cluster| &cluster.group), host.routes.get(&route.index())]
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = &RequestGroup> {
        self.hosts.values().flat_map(|host| {
            host.virtual_clusters.iter().map(|cluster| &cluster.group).chain(host.routes.values())
        })
    }

    fn host(&self, route: RouteRef) -> Option<&HostGroups> {
        if self.hosts.is_empty() {
            return None;
        }
        self.hosts.get(&(route.table, route.virtual_host))
    }
}

impl HostGroups {
    fn new(host: &VirtualHost, workers: usize, table: &mut HistogramTable) -> Option<Self> {
        let mut group = |scope| RequestGroup::new(scope, workers, table);
        let routes = (0..).zip(&host.routes);
        let routes: HashMap<u32, RequestGroup> = routes
            .filter_map(|(index, route)| {
                let prefix = route.stat_prefix.as_deref()?;
                Some((index, group(Scope::virtual_host_route(&host.name, prefix))))
            })
            .collect();
        let mut virtual_clusters = Vec::new();
        if !host.virtual_clusters.is_empty() {
            virtual_clusters.extend(host.virtual_clusters.iter().map(|cluster| VirtualCluster {
                name: Some(cluster.name.clone()),
                headers: CompiledHeaderMatcher::list(&cluster.headers),
                group: group(Scope::virtual_cluster(&host.name, &cluster.name)),
            }));
            virtual_clusters.push(VirtualCluster {
                name: None,
                headers: Box::default(),
                group: group(Scope::virtual_cluster(&host.name, OTHER)),
            });
        }
        let is_empty = routes.is_empty() && virtual_clusters.is_empty();
        (!is_empty).then_some(Self { virtual_clusters, routes })
    }
}

impl RequestGroup {
    fn new(scope: Scope, workers: usize, table: &mut HistogramTable) -> Self {
        Self {
            stats: PerWorker::new(workers),
            response_codes: PerWorker::new(workers),
            upstream_rq_time: table.add_on_first_use(&scope, "upstream_rq_time"),
            scope,
        }
    }
}

/// The groups of one request, as one worker counts in them.
#[derive(Debug, Clone, Copy)]
pub struct CountedGroups<'a> {
    pub(super) groups: [Option<&'a RequestGroup>; 2],
    pub(super) worker: WorkerId,
}

impl<'a> CountedGroups<'a> {
    /// Calls `count` with the stats of each group.
    pub fn count(&self, count: impl Fn(&RequestGroupStats)) {
        self.each().for_each(|group| count(group.stats.of(self.worker)));
    }

    /// Counts a response.
    pub fn count_response(&self, status: u16) {
        self.each().for_each(|group| group.response_codes.of(self.worker).count(status));
    }

    /// Where the time of the whole request is recorded.
    pub fn upstream_rq_time(&self) -> impl Iterator<Item = HistogramId> + use<'a> {
        self.each().map(|group| group.upstream_rq_time)
    }

    fn each(&self) -> impl Iterator<Item = &'a RequestGroup> + use<'a> {
        self.groups.into_iter().flatten()
    }
}

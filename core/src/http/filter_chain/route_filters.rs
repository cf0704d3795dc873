//! What each route's configuration says to the filters: worked out at load, found by index.

use std::collections::HashMap;
use std::sync::Arc;

use ringmain_config::http_filter::{HttpFilter, PerFilterConfig, PerFilterConfigs};
use ringmain_config::route::{Action, ClusterSpecifier, ClusterWeight, Route};

use crate::http::filter::RouteFilter;
use crate::router::{RouteRef, RouteTable, Routes};
use crate::stats::Stat;

/// For each route a row that says which filters serve it and how. Routes that say nothing of their
/// own share the row of their virtual host, and so on.
#[derive(Debug)]
pub struct RouteFilters {
    rows: Vec<Row>,
    /// Every configuration that some level has, once.
    own: Vec<Arc<RouteFilter>>,
    /// By route; empty where no level of any route says anything: then all have the first row.
    routes: HashMap<RouteRef, RowOfRoute>,
}

#[derive(Debug, Clone, Copy)]
struct RowOfRoute {
    row: u32,
    /// Whether each of the route's weighted clusters has a row, behind the route's, in order.
    weighted: bool,
}

/// By filter: its configurations of the levels, the most specific first; none where it is disabled.
#[derive(Debug, Clone)]
pub struct Row(Box<[Option<Levels>]>);

type Levels = Arc<[Arc<RouteFilter>]>;

impl Row {
    /// What the levels say to the filter at `at`; `None` where it does not serve the route.
    pub fn levels(&self, at: usize) -> Option<&[Arc<RouteFilter>]> {
        self.0[at].as_deref()
    }
}

impl RouteFilters {
    /// Works out what `routes` say to `filters`.
    pub fn new(filters: &[HttpFilter], routes: &Routes, workers: usize) -> Self {
        let (mut rows, first) = Rows::new(filters, workers);
        let mut of_routes = HashMap::new();
        for (table, routes) in (0..).zip(routes.tables()) {
            rows.table(table, routes, &first, &mut of_routes);
        }
        Self { rows: rows.rows, own: rows.own, routes: of_routes }
    }

    /// Appends the stats that levels count apart.
    pub fn stats(&self, stats: &mut Vec<Stat>) {
        self.own.iter().for_each(|own| own.stats(stats));
    }

    /// The row of a route, or of one of its weighted clusters; the first where there is no route.
    pub fn index_of(&self, route: Option<RouteRef>, weighted_cluster: Option<u32>) -> u32 {
        let Some(found) = route.and_then(|route| self.routes.get(&route)) else { return 0 };
        match weighted_cluster {
            Some(at) if found.weighted => found.row + 1 + at,
            _ => found.row,
        }
    }

    /// The row of that index.
    pub fn row(&self, index: u32) -> &Row {
        &self.rows[index as usize]
    }
}

/// Rows in the making.
struct Rows<'a> {
    filters: &'a [HttpFilter],
    workers: usize,
    rows: Vec<Row>,
    own: Vec<Arc<RouteFilter>>,
}

/// What the levels up to some level say: whether each filter serves, and how.
#[derive(Clone)]
struct Stage {
    filters: Vec<(bool, Levels)>,
    /// Its row.
    row: u32,
}

impl Stage {
    fn new(filters: &[HttpFilter]) -> Self {
        let none = Levels::from([]);
        let filters = filters.iter().map(|filter| (!filter.disabled, none.clone()));
        Self { filters: filters.collect(), row: 0 }
    }

    fn to_row(&self) -> Row {
        let filters = self.filters.iter();
        Row(filters.map(|(serves, levels)| serves.then(|| levels.clone())).collect())
    }
}

impl Rows<'_> {
    fn new(filters: &[HttpFilter], workers: usize) -> (Rows<'_>, Stage) {
        let first = Stage::new(filters);
        (Rows { filters, workers, rows: vec![first.to_row()], own: Vec::new() }, first)
    }

    fn push(&mut self, mut stage: Stage) -> Stage {
        stage.row = u32::try_from(self.rows.len()).expect("there are fewer routes than that");
        self.rows.push(stage.to_row());
        stage
    }

    /// The stage of a level that says `configs`, below `above`.
    fn below(&mut self, above: &Stage, configs: &PerFilterConfigs) -> Stage {
        if configs.is_empty() {
            return above.clone();
        }
        let refined = self.refined(above, configs);
        self.push(refined)
    }

    fn refined(&mut self, above: &Stage, configs: &PerFilterConfigs) -> Stage {
        let mut stage = above.clone();
        for (name, config) in configs {
            let own = match config {
                PerFilterConfig::Own(own) => Some(Arc::new(RouteFilter::new(own, self.workers))),
                PerFilterConfig::Disabled | PerFilterConfig::Enabled => None,
            };
            self.own.extend(own.clone());
            let named = self.filters.iter().zip(&mut stage.filters);
            for (_, (serves, levels)) in named.filter(|(filter, _)| filter.name == *name) {
                *serves = !matches!(config, PerFilterConfig::Disabled);
                *levels = own.iter().chain(levels.iter()).cloned().collect();
            }
        }
        stage
    }

    fn table(
        &mut self,
        table: u32,
        routes: &RouteTable,
        first: &Stage,
        of_routes: &mut HashMap<RouteRef, RowOfRoute>,
    ) {
        let of_table = self.below(first, &routes.config.per_filter_configs);
        for (host_index, host) in (0..).zip(routes.virtual_hosts()) {
            let of_host = self.below(&of_table, &host.config.per_filter_configs);
            for (index, route) in (0..).zip(&host.config.routes) {
                let row = self.route(&of_host, route);
                if row.row > 0 {
                    of_routes.insert(RouteRef::new(table, host_index, index), row);
                }
            }
        }
    }

    fn route(&mut self, of_host: &Stage, route: &Route) -> RowOfRoute {
        let of_route = self.below(of_host, &route.per_filter_configs);
        let clusters = weighted_clusters(route);
        let weighted = clusters.iter().any(|cluster| !cluster.per_filter_configs.is_empty());
        if !weighted {
            return RowOfRoute { row: of_route.row, weighted };
        }
        let row = self.push(of_route.clone()).row;
        for cluster in clusters {
            let of_cluster = self.refined(&of_route, &cluster.per_filter_configs);
            self.push(of_cluster);
        }
        RowOfRoute { row, weighted }
    }
}

fn weighted_clusters(route: &Route) -> &[ClusterWeight] {
    let Action::Route(action) = &route.action else { return &[] };
    let ClusterSpecifier::Weighted(weighted) = &action.cluster else { return &[] };
    &weighted.clusters
}

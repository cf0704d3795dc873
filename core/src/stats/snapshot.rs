//! All counters and gauges at one moment, with Envoy's names and Prometheus tags.

use super::{Kind, PerWorker, Reading, ResponseCodes, StatsBlock};
use crate::cluster::Cluster;
use crate::listener::{Listener, NetworkFilter};
use crate::server::Control;

/// One stat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// `cluster.b.upstream_rq_200`.
    pub name: String,
    /// `cluster.upstream_rq`: the name with the tags cut out.
    pub tag_extracted_name: String,
    /// Prometheus tags, without their `envoy_` prefix.
    pub tags: Vec<(&'static str, String)>,
    /// What it is.
    pub kind: Kind,
    /// Its value.
    pub value: i64,
    /// Whether it was ever written.
    pub used: bool,
}

/// Reads everything; sorted by name.
pub fn snapshot(control: &Control) -> Vec<Stat> {
    let mut stats = Vec::new();
    for (index, cluster) in control.compiled.clusters.iter().enumerate() {
        cluster_stats(control, index, cluster, &mut stats);
    }
    for listener in &control.compiled.listeners {
        listener_stats(listener, &mut stats);
    }
    server_stats(control, &mut stats);
    stats.sort_by(|one, other| one.name.cmp(&other.name));
    // Connection managers may share a `stat_prefix`: Envoy counts them together.
    stats.dedup_by(|later, kept| {
        let same = later.name == kept.name;
        if same {
            kept.value += later.value;
            kept.used |= later.used;
        }
        same
    });
    stats
}

/// A prefix of names and the tags cut out of it.
#[derive(Debug, Clone)]
struct Scope {
    prefix: String,
    extracted: String,
    tags: Vec<(&'static str, String)>,
}

impl Scope {
    fn new(kind: &str, tag: &'static str, value: &str) -> Self {
        Self {
            prefix: format!("{kind}.{value}"),
            extracted: kind.to_owned(),
            tags: vec![(tag, value.to_owned())],
        }
    }

    fn plain(name: &str) -> Self {
        Self { prefix: name.to_owned(), extracted: name.to_owned(), tags: Vec::new() }
    }

    fn within(&self, name: &str) -> Self {
        Self {
            prefix: format!("{}.{name}", self.prefix),
            extracted: format!("{}.{name}", self.extracted),
            tags: self.tags.clone(),
        }
    }

    /// A scope inside whose part `value` becomes a tag; inner tags stand first, as in Envoy.
    fn tagged(&self, name: &str, tag: &'static str, value: &str) -> Self {
        let mut tags = vec![(tag, value.to_owned())];
        tags.extend(self.tags.iter().cloned());
        Self {
            prefix: format!("{}.{name}{value}", self.prefix),
            extracted: format!("{}.{}", self.extracted, name.trim_end_matches(['.', '_'])),
            tags,
        }
    }

    fn stat(&self, reading: Reading) -> Stat {
        match response_class(reading.name) {
            Some((stem, class)) => {
                let mut tags = vec![("response_code_class", class.to_owned())];
                tags.extend(self.tags.iter().cloned());
                Stat {
                    name: format!("{}.{}", self.prefix, reading.name),
                    tag_extracted_name: format!("{}.{stem}_xx", self.extracted),
                    tags,
                    kind: reading.kind,
                    value: reading.value,
                    used: reading.used,
                }
            }
            None => Stat {
                name: format!("{}.{}", self.prefix, reading.name),
                tag_extracted_name: format!("{}.{}", self.extracted, reading.name),
                tags: self.tags.clone(),
                kind: reading.kind,
                value: reading.value,
                used: reading.used,
            },
        }
    }

    fn block<T: StatsBlock>(&self, block: &PerWorker<T>, stats: &mut Vec<Stat>) {
        stats.extend(block.totals().into_iter().map(|reading| self.stat(reading)));
    }

    fn gauge(&self, name: &'static str, value: usize, stats: &mut Vec<Stat>) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        stats.push(self.stat(Reading { name, kind: Kind::Gauge, value, used: true }));
    }

    fn counter(&self, name: &'static str, value: i64, stats: &mut Vec<Stat>) {
        stats.push(self.stat(Reading { name, kind: Kind::Counter, value, used: value > 0 }));
    }
}

/// `downstream_rq_2xx` as `downstream_rq` and `2`.
fn response_class(name: &str) -> Option<(&str, &str)> {
    let stem = name.strip_suffix("xx")?;
    let (stem, class) = stem.split_at(stem.len().checked_sub(1)?);
    let is_class = class.bytes().all(|byte| byte.is_ascii_digit());
    Some((stem.strip_suffix('_')?, class)).filter(|_| is_class)
}

fn cluster_stats(control: &Control, index: usize, cluster: &Cluster, stats: &mut Vec<Stat>) {
    let scope = Scope::new("cluster", "cluster_name", cluster.stat_name());
    scope.block(&cluster.stats, stats);
    cluster.discovery.visit(&mut |reading| stats.push(scope.stat(reading)));
    let hosts = control.hosts(index);
    let healthy = hosts.hosts.iter().filter(|host| host.is_healthy()).count();
    scope.gauge("membership_total", hosts.hosts.len(), stats);
    scope.gauge("membership_healthy", healthy, stats);
    scope.gauge("membership_degraded", 0, stats);
    scope.gauge("membership_excluded", 0, stats);
    response_codes(&scope, &cluster.response_codes, stats);
    let external = scope.within("external");
    response_codes(&external, &cluster.external_response_codes, stats);
    let internal = scope.within("internal");
    response_codes(&internal, &cluster.internal_response_codes, stats);
    let retry = scope.within("retry");
    response_codes(&retry, &cluster.retry_response_codes, stats);
}

/// The codes and classes that were seen, and `upstream_rq_completed` of the origin's scope.
fn response_codes(scope: &Scope, codes: &PerWorker<ResponseCodes>, stats: &mut Vec<Stat>) {
    let mut totals = [0; 600];
    for worker in codes.iter() {
        worker.add_to(&mut totals);
    }
    let mut completed = 0;
    for class in 1..=5_usize {
        let mut in_class = 0;
        for (code, count) in totals.iter().enumerate().skip(class * 100).take(100) {
            if *count > 0 {
                stats.push(code_stat(scope, &code.to_string(), *count));
                in_class += count;
            }
        }
        if in_class > 0 {
            stats.push(class_stat(scope, class, in_class));
            completed += in_class;
        }
    }
    if completed > 0 && scope.extracted != "cluster" {
        scope.counter("upstream_rq_completed", completed.cast_signed(), stats);
    }
}

fn code_stat(scope: &Scope, code: &str, count: u64) -> Stat {
    let scope = scope.tagged("upstream_rq_", "response_code", code);
    counter_of(scope.prefix, scope.extracted, scope.tags, count)
}

fn class_stat(scope: &Scope, class: usize, count: u64) -> Stat {
    let mut tags = vec![("response_code_class", class.to_string())];
    tags.extend(scope.tags.iter().cloned());
    let name = format!("{}.upstream_rq_{class}xx", scope.prefix);
    counter_of(name, format!("{}.upstream_rq_xx", scope.extracted), tags, count)
}

fn counter_of(
    name: String,
    tag_extracted_name: String,
    tags: Vec<(&'static str, String)>,
    count: u64,
) -> Stat {
    Stat {
        name,
        tag_extracted_name,
        tags,
        kind: Kind::Counter,
        value: count.cast_signed(),
        used: count > 0,
    }
}

fn listener_stats(listener: &Listener, stats: &mut Vec<Stat>) {
    let scope = Scope::new("listener", "listener_address", &listener.stat_name);
    scope.block(&listener.stats, stats);
    for (worker, block) in listener.stats.iter().enumerate() {
        let scope = Scope {
            prefix: format!("{}.worker_{worker}", scope.prefix),
            extracted: format!("{}.worker", scope.extracted),
            tags: [vec![("worker_id", worker.to_string())], scope.tags.clone()].concat(),
        };
        block.visit(&mut |reading| {
            if matches!(reading.name, "downstream_cx_total" | "downstream_cx_active") {
                stats.push(scope.stat(reading));
            }
        });
    }
    let NetworkFilter::Http(manager) = &listener.filter;
    let prefix = &manager.config.stat_prefix;
    let http = Scope::new("http", "http_conn_manager_prefix", prefix);
    http.block(&manager.stats, stats);
    let of_listener = scope.tagged("http.", "http_conn_manager_prefix", prefix);
    of_listener.block(&manager.listener_stats, stats);
}

fn server_stats(control: &Control, stats: &mut Vec<Stat>) {
    let compiled = &control.compiled;
    let server = Scope::plain("server");
    let uptime = usize::try_from(control.started.elapsed().as_secs()).unwrap_or(usize::MAX);
    server.gauge("concurrency", compiled.workers, stats);
    server.gauge("uptime", uptime, stats);
    server.gauge("state", control.state() as usize, stats);
    let live = control.state() == crate::server::ServerState::Live;
    server.gauge("live", usize::from(live), stats);
    server.gauge("total_connections", control.active_connections() as usize, stats);
    server.gauge("hot_restart_epoch", 0, stats);
    server.gauge("memory_physical_size", resident_bytes(), stats);
    server.block(&compiled.worker_stats, stats);
    let clusters = Scope::plain("cluster_manager");
    clusters.gauge("active_clusters", compiled.clusters.len(), stats);
    clusters.gauge("warming_clusters", 0, stats);
    clusters.counter("cluster_added", compiled.clusters.len() as i64, stats);
    let listeners = Scope::plain("listener_manager");
    listeners.gauge("total_listeners_active", compiled.listeners.len(), stats);
    listeners.gauge("workers_started", 1, stats);
    listeners.counter("listener_added", compiled.listeners.len() as i64, stats);
}

/// Resident memory of the process; 0 where the system does not say.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_cut_out_of_names() {
        assert_eq!(response_class("downstream_rq_2xx"), Some(("downstream_rq", "2")));
        assert_eq!(response_class("downstream_rq_total"), None);
    }

    #[test]
    fn codes_become_tags() {
        let scope = Scope::new("cluster", "cluster_name", "b");
        let stat = code_stat(&scope, "200", 3);
        assert_eq!(stat.name, "cluster.b.upstream_rq_200");
        assert_eq!(stat.tag_extracted_name, "cluster.upstream_rq");
        let tags: Vec<_> = stat.tags.iter().map(|(tag, value)| (*tag, value.as_str())).collect();
        assert_eq!(tags, [("response_code", "200"), ("cluster_name", "b")]);
    }
}

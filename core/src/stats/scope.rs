//! Where a stat stands: the prefix of its name, and the tags that Prometheus shows instead of parts
//! of it.

use super::{Kind, PerWorker, Reading, Stat, StatsBlock};

/// A full name, the name without its tags, and the tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatName {
    /// `cluster.b.upstream_rq_time`.
    pub name: String,
    /// `cluster.upstream_rq_time`.
    pub tag_extracted_name: String,
    /// Tags without their `envoy_` prefix, the innermost first.
    pub tags: Vec<(&'static str, String)>,
}

/// A prefix of names and the tags cut out of it.
#[derive(Debug, Clone)]
pub struct Scope {
    prefix: String,
    extracted: String,
    tags: Vec<(&'static str, String)>,
}

impl Scope {
    /// A scope without tags, such as `server`.
    pub fn plain(name: &str) -> Self {
        Self { prefix: name.to_owned(), extracted: name.to_owned(), tags: Vec::new() }
    }

    /// `cluster.<name>`.
    pub fn cluster(name: &str) -> Self {
        Self::plain("cluster").tagged("cluster_name", &printable(name))
    }

    /// `vhost.<virtual host>.vcluster.<name>`.
    pub fn virtual_cluster(virtual_host: &str, name: &str) -> Self {
        Self::part_of_virtual_host(virtual_host, "vcluster", "virtual_cluster", name)
    }

    /// `vhost.<virtual host>.route.<stat_prefix>`.
    pub fn virtual_host_route(virtual_host: &str, stat_prefix: &str) -> Self {
        let mut scope = Self::part_of_virtual_host(virtual_host, "route", "route", stat_prefix);
        // Envoy names the virtual host first here.
        scope.tags.reverse();
        scope
    }

    fn part_of_virtual_host(host: &str, kind: &str, tag: &'static str, name: &str) -> Self {
        let (host, name) = (printable(host), printable(name));
        let scope = Self::plain("vhost").tagged("virtual_host", &host).within(kind);
        // Envoy looks for the tag in its place, counted by dots.
        if host.contains('.') { scope.within(&name) } else { scope.tagged(tag, &name) }
    }

    /// Whether there may be thousands of such scopes: of clusters, and of parts of virtual hosts.
    pub fn is_one_of_many(&self) -> bool {
        self.tags.iter().any(|(name, _)| matches!(*name, "cluster_name" | "virtual_host"))
    }

    /// `http.<stat_prefix>`.
    pub fn http(stat_prefix: &str) -> Self {
        Self::plain("http").http_prefix(stat_prefix)
    }

    /// `connection_limit.<stat_prefix>`.
    pub fn connection_limit(stat_prefix: &str) -> Self {
        Self::plain("connection_limit").tagged("connection_limit_prefix", &printable(stat_prefix))
    }

    /// `local_rate_limit.<stat_prefix>`, of network filters.
    pub fn local_rate_limit(stat_prefix: &str) -> Self {
        Self::plain("local_rate_limit")
            .tagged("local_network_ratelimit_prefix", &printable(stat_prefix))
    }

    /// `tcp.<stat_prefix>`.
    pub fn tcp(stat_prefix: &str) -> Self {
        Self::plain("tcp").tagged("tcp_prefix", &printable(stat_prefix))
    }

    /// `<stat_prefix>.http_local_rate_limit`.
    pub fn local_http_rate_limit(stat_prefix: &str) -> Self {
        Self::behind_prefix("local_http_ratelimit_prefix", stat_prefix, "http_local_rate_limit")
    }

    /// `<stat_prefix>.rbac`, of network filters.
    pub fn network_rbac(stat_prefix: &str) -> Self {
        Self::behind_prefix("rbac_prefix", stat_prefix.trim_end_matches('.'), "rbac")
    }

    /// A scope whose prefix is a tag.
    fn behind_prefix(tag: &'static str, prefix: &str, name: &str) -> Self {
        let prefix = printable(prefix);
        Self {
            prefix: format!("{prefix}.{name}"),
            extracted: name.to_owned(),
            tags: vec![(tag, prefix)],
        }
    }

    /// `listener.<address or stat_prefix>`.
    pub fn listener(stat_name: &str) -> Self {
        let name = printable(stat_name);
        let is_address = |byte: u8| byte.is_ascii_hexdigit() || b"_.[]".contains(&byte);
        match name.bytes().all(is_address) {
            true => Self::plain("listener").whole_tag("listener_address", &name),
            false => Self::plain("listener").tagged("listener_address", &name),
        }
    }

    /// `<this>.<stat_prefix>` of a connection manager.
    pub fn http_prefix(&self, stat_prefix: &str) -> Self {
        self.tagged("http_conn_manager_prefix", &printable(stat_prefix))
    }

    /// `<this>.<service>.<method>` of gRPC.
    pub fn grpc_method(&self, service: &str, method: &str) -> Self {
        self.within(&printable(service)).within(&printable(method))
    }

    /// `<this>.worker_<n>`.
    pub fn worker(&self, worker: usize) -> Self {
        let mut scope = self.within("worker");
        scope.prefix = format!("{}_{worker}", scope.prefix);
        scope.tags.insert(0, ("worker_id", worker.to_string()));
        scope
    }

    /// `<this>.<name>`, no tag.
    pub fn within(&self, name: &str) -> Self {
        Self {
            prefix: format!("{}.{name}", self.prefix),
            extracted: format!("{}.{name}", self.extracted),
            tags: self.tags.clone(),
        }
    }

    /// `<this>.<value>`: Envoy's tag reaches to the first dot of the value, the rest stays a name.
    fn tagged(&self, tag: &'static str, value: &str) -> Self {
        match value.split_once('.') {
            Some((first, rest)) => self.whole_tag(tag, first).within(rest),
            None => self.whole_tag(tag, value),
        }
    }

    fn whole_tag(&self, tag: &'static str, value: &str) -> Self {
        let mut tags = vec![(tag, value.to_owned())];
        tags.extend(self.tags.iter().cloned());
        Self { prefix: format!("{}.{value}", self.prefix), extracted: self.extracted.clone(), tags }
    }

    /// The name of a stat of this scope; `2xx` at its end becomes a tag.
    pub fn name(&self, leaf: &str) -> StatName {
        let name = format!("{}.{leaf}", self.prefix);
        match response_class(leaf) {
            Some((stem, class)) => {
                let mut tags = vec![("response_code_class", class.to_owned())];
                tags.extend(self.tags.iter().cloned());
                let tag_extracted_name = format!("{}.{stem}_xx", self.extracted);
                StatName { name, tag_extracted_name, tags }
            }
            None => StatName {
                name,
                tag_extracted_name: format!("{}.{leaf}", self.extracted),
                tags: self.tags.clone(),
            },
        }
    }

    /// `upstream_rq_<code>`, whose code becomes a tag.
    pub fn code(&self, code: usize) -> StatName {
        let mut tags = vec![("response_code", code.to_string())];
        tags.extend(self.tags.iter().cloned());
        StatName {
            name: format!("{}.upstream_rq_{code}", self.prefix),
            tag_extracted_name: format!("{}.upstream_rq", self.extracted),
            tags,
        }
    }

    /// Appends a reading.
    pub fn push(&self, reading: Reading, stats: &mut Vec<Stat>) {
        stats.push(Stat::new(self.name(reading.name), reading));
    }

    /// Appends every cell of a block, summed over the workers.
    pub fn block<T: StatsBlock>(&self, block: &PerWorker<T>, stats: &mut Vec<Stat>) {
        stats.extend(block.totals().into_iter().map(|reading| self.stat(reading)));
    }

    /// Appends every cell of a block that one thread writes.
    pub fn single<T: StatsBlock>(&self, block: &T, stats: &mut Vec<Stat>) {
        block.visit(&mut |reading| self.push(reading, stats));
    }

    fn stat(&self, reading: Reading) -> Stat {
        Stat::new(self.name(reading.name), reading)
    }

    /// Appends a gauge that is computed.
    pub fn gauge(&self, name: &'static str, value: usize, stats: &mut Vec<Stat>) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.push(Reading { name, kind: Kind::Gauge, value, used: true }, stats);
    }

    /// Appends a counter that is computed.
    pub fn counter(&self, name: &'static str, value: usize, stats: &mut Vec<Stat>) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.push(Reading { name, kind: Kind::Counter, value, used: value > 0 }, stats);
    }

    /// Appends Envoy's stats of what cannot happen here.
    pub fn zeros(&self, names: &super::always_zero::Names, stats: &mut Vec<Stat>) {
        for (list, kind) in [(names.counters, Kind::Counter), (names.gauges, Kind::Gauge)] {
            for name in list.split_whitespace() {
                let used = super::always_zero::is_written(name);
                self.push(Reading { name, kind, value: 0, used }, stats);
            }
        }
    }
}

/// A name as Envoy writes it into stats: no colon.
fn printable(name: &str) -> String {
    name.replace(':', "_")
}

/// `downstream_rq_2xx` as `downstream_rq` and `2`.
fn response_class(name: &str) -> Option<(&str, &str)> {
    let stem = name.strip_suffix("xx")?;
    let (stem, class) = stem.split_at(stem.len().checked_sub(1)?);
    let is_class = class.bytes().all(|byte| byte.is_ascii_digit());
    Some((stem.strip_suffix('_')?, class)).filter(|_| is_class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &StatName) -> (&str, &str, Vec<(&str, &str)>) {
        let tags = name.tags.iter().map(|(tag, value)| (*tag, value.as_str())).collect();
        (&name.name, &name.tag_extracted_name, tags)
    }

    #[test]
    fn classes_are_cut_out_of_names() {
        assert_eq!(response_class("downstream_rq_2xx"), Some(("downstream_rq", "2")));
        assert_eq!(response_class("downstream_rq_total"), None);
    }

    #[test]
    fn codes_become_tags() {
        assert_eq!(
            parts(&Scope::cluster("b").code(200)),
            (
                "cluster.b.upstream_rq_200",
                "cluster.upstream_rq",
                vec![("response_code", "200"), ("cluster_name", "b")]
            )
        );
    }

    /// As a real Envoy 1.40 shows such names.
    #[test]
    fn a_tag_ends_at_the_first_dot() {
        assert_eq!(
            parts(&Scope::cluster("a.b:c").name("cx_total")),
            ("cluster.a.b_c.cx_total", "cluster.b_c.cx_total", vec![("cluster_name", "a")])
        );
        assert_eq!(
            parts(&Scope::listener("127.0.0.1_80").within("http").http_prefix("in").name("x")),
            (
                "listener.127.0.0.1_80.http.in.x",
                "listener.http.x",
                vec![("http_conn_manager_prefix", "in"), ("listener_address", "127.0.0.1_80")]
            )
        );
    }
}

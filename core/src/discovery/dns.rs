//! `STRICT_DNS`, where every address that the names resolve to is a host, and `LOGICAL_DNS`, where the
//! first one is.
//!
//! A task for each name looks it up again and again (`name.rs`); this one keeps the last good answers
//! and tells the workers what changes. A name that is gone for a moment must not take a service down:
//! an answer without addresses is like none.

mod name;
mod pace;
mod resolver;
mod sample;

use std::sync::Arc;

use ringmain_config::address::EndpointAddress;
use ringmain_config::cluster::{DnsOptions, LbEndpoint};
use ringmain_config::locality::Locality;
use tokio::sync::mpsc;

use self::name::{Answer, Found, Looked, Name};
use self::sample::Samples;
use crate::cluster::{Cluster, HostDescription};
use crate::server::Control;

/// Resolves the names of the cluster at `index` again and again, for ever. `first` is let go when each
/// was looked up once.
pub async fn run(
    control: Arc<Control>,
    index: usize,
    options: DnsOptions,
    first: mpsc::Sender<()>,
) {
    let cluster = control.compiled.clusters[index].clone();
    let mut first = cluster.config.wait_for_warm_on_init.then_some(first);
    let options = Arc::new(options);
    let resolver = loop {
        match resolver::resolver(&options) {
            Ok(resolver) => break resolver,
            Err(error) => {
                let cluster = &cluster.config.name;
                tracing::error!(cluster, %error, "cannot read the system's DNS configuration");
            }
        }
        drop(first.take());
        tokio::time::sleep(options.dns_refresh_rate).await;
    };
    let mut table = NameTable::new(&cluster, options.is_logical);
    let (answers, mut answered) = mpsc::channel(1);
    for (at, name) in table.names() {
        let (resolver, options) = (resolver.clone(), options.clone());
        tokio::spawn(name::look_up_for_ever(
            at,
            name,
            resolver,
            options,
            cluster.clone(),
            answers.clone(),
        ));
    }
    drop(answers);
    if table.entries.iter().any(|entry| entry.is_answered) {
        // Addresses in the file need no answer.
        table.publish(&control, index).await;
    }
    loop {
        if table.is_answered() {
            // Whoever waits for the first look does not mind whether it found anything.
            drop(first.take());
        }
        let Some((at, answer)) = answered.recv().await else { return };
        if table.take(at, answer, &cluster) {
            table.publish(&control, index).await;
        }
    }
}

/// The cluster's endpoints and the last good answer for each.
struct NameTable {
    entries: Vec<Entry>,
    is_logical: bool,
}

struct Entry {
    endpoint: LbEndpoint,
    priority: u32,
    locality: Locality,
    found: Samples,
    is_answered: bool,
    /// The last look brought nothing.
    is_stale: bool,
}

impl NameTable {
    fn new(cluster: &Cluster, is_logical: bool) -> Self {
        let groups = cluster.config.load_assignment.endpoints.iter();
        let entries = groups.flat_map(|group| {
            group.lb_endpoints.iter().map(move |endpoint| Entry {
                endpoint: endpoint.clone(),
                // Where there is but one host there is nothing to be asked before it.
                priority: if is_logical { 0 } else { group.priority },
                locality: group.locality.clone(),
                found: Samples::default(),
                is_answered: matches!(endpoint.address, EndpointAddress::Socket(_)),
                is_stale: false,
            })
        });
        Self { entries: entries.collect(), is_logical }
    }

    /// The names to look up, each with its place.
    fn names(&self) -> impl Iterator<Item = (usize, Name)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| match &entry.endpoint.address {
            EndpointAddress::Name { host, port } => {
                Some((at, Name { host: host.clone(), port: *port }))
            }
            EndpointAddress::Socket(_) | EndpointAddress::Pipe(_) => None,
        })
    }

    /// Whether every name was looked up.
    fn is_answered(&self) -> bool {
        self.entries.iter().all(|entry| entry.is_answered)
    }

    /// Takes an answer in; whether it brought addresses.
    fn take(&mut self, at: usize, answer: Answer, cluster: &Cluster) -> bool {
        let stats = &cluster.discovery;
        let entry = &mut self.entries[at];
        entry.is_answered = true;
        let has_found = matches!(answer, Answer::Found(_));
        entry.is_stale = !has_found;
        match answer {
            Answer::Found(Looked { mut found, failed, .. }) => {
                stats.update_success.inc();
                if let Some(failed) = failed {
                    // Nothing is known of its addresses; the last ones stay.
                    entry.is_stale = true;
                    found.extend(entry.found.all().filter(|known| failed.has(known)).cloned());
                }
                match self.is_logical {
                    true => entry.found.replace(found),
                    false => entry.found.add(found),
                }
            }
            Answer::Empty if !self.is_logical => stats.update_empty.inc(),
            Answer::Empty | Answer::Failed => stats.update_failure.inc(),
        }
        let stale = self.entries.iter().filter(|entry| entry.is_stale).count();
        cluster.dns.stale_names.set(stale as u64);
        has_found
    }

    /// Tells the workers what has changed.
    async fn publish(&self, control: &Control, index: usize) {
        let cluster = &control.compiled.clusters[index];
        let stats = &cluster.discovery;
        match control.hosts(index).updated(self.hosts(), control.compiled.workers) {
            Some(hosts) => {
                tracing::info!(
                    cluster = cluster.config.name,
                    hosts = hosts.hosts.len(),
                    "DNS names other hosts"
                );
                stats.membership_change.inc();
                control.set_hosts(index, Arc::new(hosts)).await;
            }
            None => stats.update_no_rebuild.inc(),
        }
    }

    fn hosts(&self) -> Vec<HostDescription> {
        let mut hosts = Vec::new();
        for entry in &self.entries {
            match &entry.endpoint.address {
                EndpointAddress::Socket(address) => {
                    hosts.push(entry.host(&Found::at(*address), &address.ip().to_string()));
                }
                // A checked configuration has none in a DNS cluster.
                EndpointAddress::Pipe(_) => {}
                EndpointAddress::Name { host: name, .. } => {
                    let most = if self.is_logical { 1 } else { usize::MAX };
                    let found = entry.found.all().take(most);
                    hosts.extend(found.map(|found| entry.host(found, name)));
                }
            }
        }
        hosts
    }
}

impl Entry {
    /// The host at `found`, which is known as `name` where the endpoint has no name of its own.
    fn host(&self, found: &Found, name: &str) -> HostDescription {
        let hostname = match self.endpoint.hostname.as_str() {
            "" => name,
            own => own,
        };
        HostDescription {
            hostname: hostname.to_owned(),
            weight: found.weight.unwrap_or(self.endpoint.load_balancing_weight),
            health_status: self.endpoint.health_status,
            priority: self.priority + found.rank,
            locality: self.locality.clone(),
            metadata: self.endpoint.metadata.clone(),
            socket_labels: self.endpoint.socket_labels.clone(),
            health_check_config: self.endpoint.health_check_config.clone(),
            ..HostDescription::new(found.address)
        }
    }
}

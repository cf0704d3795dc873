//! `STRICT_DNS`: every address that the names resolve to is a host.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use ringmain_config::address::EndpointAddress;
use ringmain_config::bootstrap::Locality;
use ringmain_config::cluster::{DnsLookupFamily, DnsOptions, LbEndpoint};
use tokio::sync::mpsc;

use crate::cluster::{Cluster, HostDescription};
use crate::server::Control;

/// One look-up may take this long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// With `respect_dns_ttl`, no look-up follows another sooner than this.
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// Resolves the names of the cluster at `index` again and again, for ever.
pub async fn run(
    control: Arc<Control>,
    index: usize,
    options: DnsOptions,
    first: mpsc::Sender<()>,
) {
    let mut first = Some(first);
    let resolver = resolver(options.dns_lookup_family);
    let mut names = NameTable::new(&control.compiled.clusters[index]);
    loop {
        let refresh = match &resolver {
            Ok(resolver) => names.resolve_all(&control, index, resolver, options).await,
            Err(error) => {
                tracing::error!(%error, "cannot read the system's DNS configuration");
                options.dns_refresh_rate
            }
        };
        // Whoever waits for the first look does not mind whether it found anything.
        drop(first.take());
        tokio::time::sleep(refresh).await;
    }
}

fn resolver(family: DnsLookupFamily) -> Result<TokioResolver, hickory_resolver::ResolveError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.timeout = LOOKUP_TIMEOUT;
    // The refresh rate is the cache.
    options.cache_size = 0;
    options.ip_strategy = match family {
        DnsLookupFamily::Auto => LookupIpStrategy::Ipv6thenIpv4,
        DnsLookupFamily::V4Only => LookupIpStrategy::Ipv4Only,
        DnsLookupFamily::V6Only => LookupIpStrategy::Ipv6Only,
        DnsLookupFamily::V4Preferred => LookupIpStrategy::Ipv4thenIpv6,
        DnsLookupFamily::All => LookupIpStrategy::Ipv4AndIpv6,
    };
    Ok(builder.build())
}

/// The cluster's endpoints and the last good answer for each.
struct NameTable {
    entries: Vec<Entry>,
}

struct Entry {
    endpoint: LbEndpoint,
    priority: u32,
    locality: Locality,
    addresses: Vec<IpAddr>,
}

/// What one look-up came to.
enum Answer {
    Addresses(Vec<IpAddr>, Duration),
    /// The name does not exist or has no address.
    Empty,
    Failed,
}

impl NameTable {
    fn new(cluster: &Cluster) -> Self {
        let groups = cluster.config.load_assignment.endpoints.iter();
        let entries = groups.flat_map(|group| {
            group.lb_endpoints.iter().map(|endpoint| Entry {
                endpoint: endpoint.clone(),
                priority: group.priority,
                locality: group.locality.clone(),
                addresses: Vec::new(),
            })
        });
        Self { entries: entries.collect() }
    }

    /// Looks every name up and tells the workers what changed; says when to look again.
    async fn resolve_all(
        &mut self,
        control: &Control,
        index: usize,
        resolver: &TokioResolver,
        options: DnsOptions,
    ) -> Duration {
        let cluster = &control.compiled.clusters[index];
        let stats = &cluster.discovery;
        let mut refresh = options.dns_refresh_rate;
        for entry in &mut self.entries {
            stats.update_attempt.inc();
            match entry.look_up(resolver).await {
                Answer::Addresses(addresses, ttl) => {
                    stats.update_success.inc();
                    entry.addresses = addresses;
                    if options.respect_dns_ttl {
                        refresh = refresh.min(ttl.max(REFRESH_MIN));
                    }
                }
                // The last good answer stays: a name that is gone for a moment must not take a
                // service down.
                Answer::Empty => stats.update_empty.inc(),
                Answer::Failed => stats.update_failure.inc(),
            }
        }
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
        refresh
    }

    fn hosts(&self) -> Vec<HostDescription> {
        let mut hosts = Vec::new();
        for entry in &self.entries {
            let EndpointAddress::Name { host: name, port } = &entry.endpoint.address else {
                if let EndpointAddress::Socket(address) = entry.endpoint.address {
                    let mut host = entry.host(address);
                    if host.hostname.is_empty() {
                        host.hostname = address.ip().to_string();
                    }
                    hosts.push(host);
                }
                continue;
            };
            for ip in &entry.addresses {
                let mut host = entry.host(SocketAddr::new(*ip, *port));
                if host.hostname.is_empty() {
                    host.hostname.clone_from(name);
                }
                hosts.push(host);
            }
        }
        hosts
    }
}

impl Entry {
    async fn look_up(&self, resolver: &TokioResolver) -> Answer {
        let EndpointAddress::Name { host, .. } = &self.endpoint.address else {
            return Answer::Addresses(Vec::new(), Duration::MAX);
        };
        match resolver.lookup_ip(host.as_str()).await {
            Ok(found) => {
                let ttl = found.valid_until().saturating_duration_since(std::time::Instant::now());
                let mut addresses: Vec<IpAddr> = found.iter().collect();
                // Answers come in any order; the same addresses are the same hosts.
                addresses.sort_unstable();
                addresses.dedup();
                Answer::Addresses(addresses, ttl)
            }
            Err(error) if error.is_no_records_found() => {
                tracing::warn!(name = host, "DNS has no address for the name; its last hosts stay");
                Answer::Empty
            }
            Err(error) => {
                tracing::warn!(name = host, %error, "DNS look-up failed; its last hosts stay");
                Answer::Failed
            }
        }
    }

    fn host(&self, address: SocketAddr) -> HostDescription {
        HostDescription {
            hostname: self.endpoint.hostname.clone(),
            weight: self.endpoint.load_balancing_weight,
            health_status: self.endpoint.health_status,
            priority: self.priority,
            locality: self.locality.clone(),
            metadata: self.endpoint.metadata.clone(),
            ..HostDescription::new(address)
        }
    }
}

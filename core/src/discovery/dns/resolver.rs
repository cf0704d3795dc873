//! The resolver that a cluster's options ask for.

use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::proto::xfer::Protocol;
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{ResolveError, TokioResolver};
use ringmain_config::cluster::{DnsLookupFamily, DnsOptions, DnsResolver};

/// What looks names up.
#[derive(Clone)]
pub(super) struct Resolver {
    /// For everything; of addresses for those of IPv4 alone, where there is another for IPv6.
    pub(super) main: TokioResolver,
    /// Addresses of IPv6, where both families are asked for: each is looked up by itself, so that one may
    /// fail.
    pub(super) v6: Option<TokioResolver>,
}

/// A resolver by `options`. It fails where the system's own configuration is needed and cannot be read.
pub(super) fn resolver(options: &DnsOptions) -> Result<Resolver, ResolveError> {
    let own = &options.resolver;
    let (config, mut opts) = match read_system_conf() {
        Ok(system) => system,
        Err(error) if own.resolvers.is_empty() => return Err(error),
        Err(_) => (ResolverConfig::new(), ResolverOpts::default()),
    };
    let config = with_own_servers(&config, own);
    opts.timeout = own.query_timeout;
    // The first try is not counted.
    opts.attempts = own.query_tries.saturating_sub(1) as usize;
    if own.rotate_nameservers {
        opts.server_ordering_strategy = ServerOrderingStrategy::RoundRobin;
    } else if !own.resolvers.is_empty() {
        opts.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    }
    // The refresh rate is the cache.
    opts.cache_size = 0;
    let by = |ip_strategy| {
        let mut opts = opts.clone();
        opts.ip_strategy = ip_strategy;
        let provider = TokioConnectionProvider::default();
        let builder = TokioResolver::builder_with_config(config.clone(), provider);
        builder.with_options(opts).build()
    };
    let main = match options.dns_lookup_family {
        DnsLookupFamily::Auto => LookupIpStrategy::Ipv6thenIpv4,
        DnsLookupFamily::V6Only => LookupIpStrategy::Ipv6Only,
        DnsLookupFamily::V4Preferred => LookupIpStrategy::Ipv4thenIpv6,
        DnsLookupFamily::V4Only | DnsLookupFamily::All => LookupIpStrategy::Ipv4Only,
    };
    let is_both = options.dns_lookup_family == DnsLookupFamily::All;
    Ok(Resolver { main: by(main), v6: is_both.then(|| by(LookupIpStrategy::Ipv6Only)) })
}

/// `system` with the servers and search domains that `own` says.
fn with_own_servers(system: &ResolverConfig, own: &DnsResolver) -> ResolverConfig {
    let keeps_servers = own.resolvers.is_empty()
        || own.use_resolvers_as_fallback && !system.name_servers().is_empty();
    let (domain, search) = match own.no_default_search_domain {
        true => (None, Vec::new()),
        false => (system.domain().cloned(), system.search().to_vec()),
    };
    let protocols = [Protocol::Udp, Protocol::Tcp].into_iter();
    let protocols =
        protocols.filter(|protocol| *protocol == Protocol::Tcp || !own.use_tcp_for_dns_lookups);
    let mut servers: Vec<NameServerConfig> = Vec::new();
    if keeps_servers {
        let system = system.name_servers().iter();
        let wanted = system.filter(|server| protocols.clone().any(|one| one == server.protocol));
        servers.extend(wanted.cloned());
    } else {
        for (address, protocol) in
            own.resolvers.iter().flat_map(|one| protocols.clone().map(move |by| (*one, by)))
        {
            // What these servers say of a name that does not exist is the last word.
            let trust_negative_responses = true;
            servers.push(NameServerConfig {
                trust_negative_responses,
                ..NameServerConfig::new(address, protocol)
            });
        }
    }
    ResolverConfig::from_parts(domain, search, servers)
}

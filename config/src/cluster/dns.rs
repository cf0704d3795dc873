//! How hosts are found by DNS: `type: STRICT_DNS` or `LOGICAL_DNS` with the cluster's own fields, or
//! `cluster_type` with `envoy.extensions.clusters.dns.v3.DnsCluster`.

use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily as WireFamily;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::DnsCluster;
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::google::protobuf::Duration as WireDuration;
use wire::cluster::DnsLookupFamily as WireLegacyFamily;

use crate::address::socket_address;
use crate::duration;
use crate::report::{At, Note};
use crate::wire::unpack;

const DNS_REFRESH_RATE: Duration = Duration::from_secs(5);
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);
const QUERY_TRIES: u32 = 4;
/// `max_interval` is this many times `base_interval` where it is not given.
const FAILURE_MAX_FACTOR: u32 = 10;

/// What there is to say of names and their addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsOptions {
    /// `LOGICAL_DNS` or `all_addresses_in_single_endpoint`: only the first address counts.
    pub is_logical: bool,
    /// `dns_refresh_rate`, default 5 s.
    pub dns_refresh_rate: Duration,
    /// `dns_failure_refresh_rate`, default `dns_refresh_rate` each time.
    pub dns_failure_refresh_rate: Option<FailureRefreshRate>,
    /// `dns_jitter`, default none: up to so much is added to each refresh rate.
    pub dns_jitter: Duration,
    /// `respect_dns_ttl`, default false: the TTL of the answer takes the place of the refresh rate.
    pub respect_dns_ttl: bool,
    /// `dns_min_refresh_rate`: the least that a TTL counts for.
    pub dns_min_refresh_rate: Duration,
    /// `dns_lookup_family`.
    pub dns_lookup_family: DnsLookupFamily,
    /// `typed_dns_resolver_config` and the deprecated fields of before.
    pub resolver: DnsResolver,
}

/// `dns_failure_refresh_rate`: random waits that double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRefreshRate {
    /// `base_interval`: the first wait is shorter than this.
    pub base: Duration,
    /// `max_interval`, default ten times `base_interval`.
    pub max: Duration,
}

/// `CaresDnsResolverConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsResolver {
    /// `resolvers`; empty means those of the system.
    pub resolvers: Vec<SocketAddr>,
    /// `use_resolvers_as_fallback`: only where the system has none.
    pub use_resolvers_as_fallback: bool,
    /// `use_tcp_for_dns_lookups`.
    pub use_tcp_for_dns_lookups: bool,
    /// `no_default_search_domain`.
    pub no_default_search_domain: bool,
    /// `query_timeout_seconds`, default 5 s.
    pub query_timeout: Duration,
    /// `query_tries`, default 4.
    pub query_tries: u32,
    /// `rotate_nameservers`, default false: the first that answers.
    pub rotate_nameservers: bool,
}

/// `envoy.config.cluster.v3.Cluster.DnsLookupFamily`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsLookupFamily {
    /// `AUTO`: IPv6, and IPv4 where there is none.
    Auto,
    /// `V4_ONLY`.
    V4Only,
    /// `V6_ONLY`.
    V6Only,
    /// `V4_PREFERRED`.
    V4Preferred,
    /// `ALL`.
    All,
}

impl Default for DnsResolver {
    fn default() -> Self {
        Self {
            resolvers: Vec::new(),
            use_resolvers_as_fallback: false,
            use_tcp_for_dns_lookups: false,
            no_default_search_domain: false,
            query_timeout: QUERY_TIMEOUT,
            query_tries: QUERY_TRIES,
            rotate_nameservers: false,
        }
    }
}

impl DnsOptions {
    /// Reads the cluster's own fields.
    #[allow(deprecated, reason = "common in files")]
    pub(super) fn from_legacy(wire: &wire::Cluster, is_logical: bool, at: &At<'_>) -> Self {
        let failure = wire.dns_failure_refresh_rate.as_ref();
        let failure = failure.map(|rate| (rate.base_interval.as_ref(), rate.max_interval.as_ref()));
        Self {
            is_logical,
            dns_refresh_rate: refresh_rate(wire.dns_refresh_rate.as_ref(), at),
            dns_failure_refresh_rate: failure
                .map(|(base, max)| FailureRefreshRate::from_wire(base, max, at)),
            dns_jitter: jitter(wire.dns_jitter.as_ref(), at),
            respect_dns_ttl: wire.respect_dns_ttl,
            dns_min_refresh_rate: Duration::ZERO,
            dns_lookup_family: match wire.dns_lookup_family() {
                WireLegacyFamily::Auto => DnsLookupFamily::Auto,
                WireLegacyFamily::V4Only => DnsLookupFamily::V4Only,
                WireLegacyFamily::V6Only => DnsLookupFamily::V6Only,
                WireLegacyFamily::V4Preferred => DnsLookupFamily::V4Preferred,
                WireLegacyFamily::All => DnsLookupFamily::All,
            },
            resolver: DnsResolver::from_legacy(wire, at),
        }
    }

    /// Reads the extension.
    pub(super) fn from_wire(wire: &DnsCluster, at: &At<'_>) -> Self {
        let failure = wire.dns_failure_refresh_rate.as_ref();
        let failure = failure.map(|rate| (rate.base_interval.as_ref(), rate.max_interval.as_ref()));
        let least = wire.dns_min_refresh_rate.as_ref();
        let typed = wire.typed_dns_resolver_config.as_ref();
        Self {
            is_logical: wire.all_addresses_in_single_endpoint,
            dns_refresh_rate: refresh_rate(wire.dns_refresh_rate.as_ref(), at),
            dns_failure_refresh_rate: failure
                .map(|(base, max)| FailureRefreshRate::from_wire(base, max, at)),
            dns_jitter: jitter(wire.dns_jitter.as_ref(), at),
            respect_dns_ttl: wire.respect_dns_ttl,
            dns_min_refresh_rate: duration::or(least, Duration::ZERO, at, "dns_min_refresh_rate"),
            dns_lookup_family: match wire.dns_lookup_family() {
                WireFamily::Unspecified | WireFamily::Auto => DnsLookupFamily::Auto,
                WireFamily::V4Only => DnsLookupFamily::V4Only,
                WireFamily::V6Only => DnsLookupFamily::V6Only,
                WireFamily::V4Preferred => DnsLookupFamily::V4Preferred,
                WireFamily::All => DnsLookupFamily::All,
            },
            resolver: typed.map_or_else(DnsResolver::default, |typed| {
                DnsResolver::from_typed(typed, &at.field("typed_dns_resolver_config"))
            }),
        }
    }
}

fn refresh_rate(wire: Option<&WireDuration>, at: &At<'_>) -> Duration {
    duration::or(wire, DNS_REFRESH_RATE, at, "dns_refresh_rate")
}

fn jitter(wire: Option<&WireDuration>, at: &At<'_>) -> Duration {
    duration::or(wire, Duration::ZERO, at, "dns_jitter")
}

impl FailureRefreshRate {
    fn from_wire(base: Option<&WireDuration>, max: Option<&WireDuration>, at: &At<'_>) -> Self {
        let at = at.field("dns_failure_refresh_rate");
        // The field rules want it.
        let base = duration::or(base, DNS_REFRESH_RATE, &at, "base_interval");
        let max = duration::or(max, base * FAILURE_MAX_FACTOR, &at, "max_interval");
        if max < base {
            at.field("max_interval").error("'max_interval' must not be less than 'base_interval'");
        }
        Self { base, max }
    }
}

impl DnsResolver {
    /// The newest of the fields that say it counts, as in Envoy.
    #[allow(deprecated, reason = "common in files")]
    fn from_legacy(wire: &wire::Cluster, at: &At<'_>) -> Self {
        if let Some(typed) = &wire.typed_dns_resolver_config {
            return Self::from_typed(typed, &at.field("typed_dns_resolver_config"));
        }
        if let Some(config) = &wire.dns_resolution_config {
            let at = at.field("dns_resolution_config");
            let resolvers = addresses(&config.resolvers, &at.field("resolvers"));
            return Self { resolvers, ..Self::default() }
                .with_options(config.dns_resolver_options.as_ref());
        }
        Self {
            resolvers: addresses(&wire.dns_resolvers, &at.field("dns_resolvers")),
            use_tcp_for_dns_lookups: wire.use_tcp_for_dns_lookups,
            ..Self::default()
        }
    }

    /// Of the resolvers, the support gate lets only that with c-ares pass.
    fn from_typed(wire: &core::TypedExtensionConfig, at: &At<'_>) -> Self {
        let at = at.field("typed_config");
        let Some(typed_config) = &wire.typed_config else {
            at.error_at_key(Note::typed_config_required());
            return Self::default();
        };
        let Some(config) = unpack::<CaresDnsResolverConfig>(typed_config) else {
            at.error(
                Note::from("it is no DNS resolver").help(
                    "use envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                ),
            );
            return Self::default();
        };
        let default = Self::default();
        let timeout = config.query_timeout_seconds.map(|timeout| timeout.value);
        let this = Self {
            resolvers: addresses(&config.resolvers, &at.field("resolvers")),
            use_resolvers_as_fallback: config.use_resolvers_as_fallback,
            query_timeout: timeout.map_or(default.query_timeout, Duration::from_secs),
            query_tries: config.query_tries.map_or(default.query_tries, |tries| tries.value),
            rotate_nameservers: config.rotate_nameservers,
            ..default
        };
        this.with_options(config.dns_resolver_options.as_ref())
    }

    fn with_options(self, wire: Option<&core::DnsResolverOptions>) -> Self {
        let wire = wire.copied().unwrap_or_default();
        Self {
            use_tcp_for_dns_lookups: wire.use_tcp_for_dns_lookups,
            no_default_search_domain: wire.no_default_search_domain,
            ..self
        }
    }
}

fn addresses(wire: &[core::Address], at: &At<'_>) -> Vec<SocketAddr> {
    let address = |(index, one)| socket_address(Some(one), &at.index(index));
    wire.iter().enumerate().filter_map(address).collect()
}

//! Zone-aware routing: requests stay in the zone of this proxy as far as its upstream hosts suffice
//! there, given how many proxies are in each zone (`zone_aware_lb_config`).

use ringmain_config::cluster::ZoneAwareLbConfig;
use ringmain_config::locality::Locality;

use super::LbStats;
use super::priority_load::LevelCounts;

/// The proxies of `local_cluster_name`, as far as zone-aware routing asks about them.
#[derive(Debug, Clone, Default)]
pub struct LocalCluster {
    /// For each locality: how many proxies there are, and how many of them are healthy.
    pub localities: Vec<(Locality, u32, u32)>,
    /// Where this proxy is.
    pub here: Option<Locality>,
    /// All of them.
    pub counts: LevelCounts,
}

impl LocalCluster {
    fn has_proxies_here(&self) -> bool {
        self.localities.iter().any(|(at, hosts, _)| Some(at) == self.here.as_ref() && *hosts > 0)
    }

    fn healthy(&self, locality: &Locality) -> u64 {
        let found = self.localities.iter().find(|(at, ..)| at == locality);
        found.map_or(0, |(.., healthy)| u64::from(*healthy))
    }
}

/// How the requests of a priority are shared among its localities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneRouting {
    /// All of them stay here.
    Direct,
    /// Some stay here, the others go where there is capacity left.
    Residual {
        /// How many of 10,000 stay.
        local: u64,
        /// What is left in the localities up to each, of 10,000.
        residual: Box<[u64]>,
    },
}

/// The whole, in which shares are counted.
const WHOLE: u64 = 10_000;

impl ZoneRouting {
    /// For `localities`, each with its healthy hosts; `is_local` says whether the first is this
    /// proxy's. `None` where localities do not matter, of which `stats` are told.
    pub fn new(
        localities: &[(&Locality, u32)],
        is_local: bool,
        local: &LocalCluster,
        config: &ZoneAwareLbConfig,
        stats: &LbStats,
    ) -> Option<Self> {
        stats.lb_recalculate_zone_structures.inc();
        let forced = config.force_locality_direct_routing;
        if localities.len() < 2 || local.localities.len() < 2 && !forced {
            return None;
        }
        if !local.has_proxies_here() {
            stats.lb_local_cluster_not_ok.inc();
            return None;
        }
        let healthy: u64 = localities.iter().map(|(_, hosts)| u64::from(*hosts)).sum();
        if healthy < config.min_cluster_size {
            stats.lb_zone_cluster_too_small.inc();
            return None;
        }
        let proxies: u64 = local.localities.iter().map(|(.., healthy)| u64::from(*healthy)).sum();
        let shares = localities.iter().map(|(locality, hosts)| match *hosts {
            0 => (0, 0),
            hosts => (share(u64::from(hosts), healthy), share(local.healthy(locality), proxies)),
        });
        Some(Self::by_shares(&shares.collect::<Vec<_>>(), is_local, forced))
    }

    /// By the share of the upstream hosts and of the proxies in each locality.
    fn by_shares(shares: &[(u64, u64)], is_local: bool, forced: bool) -> Self {
        let (upstream, proxies) = shares[0];
        if is_local && (forced || upstream > 0 && upstream >= proxies) {
            return Self::Direct;
        }
        let local = match is_local {
            true => (upstream * WHOLE).checked_div(proxies).unwrap_or(0),
            false => 0,
        };
        let mut sum = 0;
        let residual = shares.iter().enumerate().map(|(index, (upstream, proxies))| {
            if index > 0 || !is_local {
                sum += upstream.saturating_sub(*proxies);
            }
            sum
        });
        Self::Residual { local, residual: residual.collect() }
    }

    /// The index of the locality for a request.
    pub fn choose(&self, random: impl Fn() -> u64, stats: &LbStats) -> usize {
        let Self::Residual { local, residual } = self else {
            stats.lb_zone_routing_all_directly.inc();
            return 0;
        };
        if random() % WHOLE < *local {
            stats.lb_zone_routing_sampled.inc();
            return 0;
        }
        stats.lb_zone_routing_cross_zone.inc();
        let all = residual.last().copied().unwrap_or(0);
        let Some(at) = random().checked_rem(all) else {
            stats.lb_zone_no_capacity_left.inc();
            return (random() % residual.len() as u64) as usize;
        };
        residual.partition_point(|up_to_here| *up_to_here <= at)
    }
}

fn share(part: u64, whole: u64) -> u64 {
    (WHOLE * part).checked_div(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use rand::rngs::SmallRng;
    use rand::{RngCore, SeedableRng};

    use super::*;

    fn zone(zone: &str) -> Locality {
        Locality { zone: zone.to_owned(), ..Locality::default() }
    }

    fn proxies(zones: &[(&str, u32)]) -> LocalCluster {
        LocalCluster {
            localities: zones.iter().map(|(name, count)| (zone(name), *count, *count)).collect(),
            here: Some(zone("a")),
            counts: LevelCounts::default(),
        }
    }

    fn routing(upstream: &[(&str, u32)], local: &[(&str, u32)]) -> Option<ZoneRouting> {
        let upstream: Vec<(Locality, u32)> =
            upstream.iter().map(|(name, count)| (zone(name), *count)).collect();
        let localities: Vec<(&Locality, u32)> =
            upstream.iter().map(|(locality, count)| (locality, *count)).collect();
        let config = ZoneAwareLbConfig::default();
        let is_local = localities[0].0.zone == "a";
        ZoneRouting::new(&localities, is_local, &proxies(local), &config, &LbStats::default())
    }

    #[test]
    fn where_the_zone_has_its_share_of_hosts_nothing_leaves_it() {
        let proxies = &[("a", 1), ("b", 1)];
        assert_eq!(routing(&[("a", 3), ("b", 3)], proxies), Some(ZoneRouting::Direct));
        assert_eq!(routing(&[("a", 4), ("b", 2)], proxies), Some(ZoneRouting::Direct));
    }

    #[test]
    fn what_the_zone_cannot_take_goes_where_capacity_is_left() {
        let routing = routing(&[("a", 2), ("b", 4), ("c", 4)], &[("a", 2), ("b", 1), ("c", 1)]);
        let residual = Box::new([0, 1500, 3000]);
        assert_eq!(routing, Some(ZoneRouting::Residual { local: 4000, residual }));
    }

    #[test]
    fn too_few_hosts_or_zones_are_not_told_apart() {
        let proxies = &[("a", 1), ("b", 1)];
        assert_eq!(routing(&[("a", 2), ("b", 3)], proxies), None);
        assert_eq!(routing(&[("a", 9)], proxies), None);
        assert_eq!(routing(&[("a", 3), ("b", 3)], &[("a", 1)]), None);
        assert_eq!(routing(&[("a", 3), ("b", 3)], &[("b", 1), ("c", 1)]), None);
    }

    #[test]
    fn choices_follow_the_shares() {
        let routing = ZoneRouting::Residual { local: 4000, residual: Box::new([0, 1000, 4000]) };
        let drawn = RefCell::new(SmallRng::seed_from_u64(1));
        let random = || drawn.borrow_mut().next_u64();
        let stats = LbStats::default();
        let mut counts = [0_u32; 3];
        for _ in 0..10_000 {
            counts[routing.choose(random, &stats)] += 1;
        }
        assert!(counts[0].abs_diff(4000) < 200, "{counts:?}");
        assert!(counts[1].abs_diff(1500) < 200, "{counts:?}");
        assert!(counts[2].abs_diff(4500) < 200, "{counts:?}");
        assert_eq!(stats.lb_zone_routing_cross_zone.value(), u64::from(counts[1] + counts[2]));
    }
}

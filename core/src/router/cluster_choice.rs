//! Which cluster a request goes to, of those that its route names.

use ringmain_config::route::{ClusterReference, ClusterSpecifier, RandomValue, WeightedClusters};
use ringmain_proto_codec::HeaderMap;

use crate::server::ClusterNames;

/// The cluster chosen for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterChoice {
    /// Its index; `None` where there is no cluster of that name.
    pub cluster: Option<usize>,
    /// Which of the route's `weighted_clusters` it is.
    pub weighted: Option<u32>,
}

/// Chooses for the request of `headers`; `random` is the stream's random number, `hash` the hash by the
/// route's `hash_policy`.
pub fn choose_cluster(
    specifier: &ClusterSpecifier,
    headers: &HeaderMap,
    names: &ClusterNames,
    random: impl FnOnce() -> u64,
    hash: impl FnOnce() -> Option<u64>,
) -> ClusterChoice {
    match specifier {
        ClusterSpecifier::Cluster(name) => ClusterChoice { cluster: name.index, weighted: None },
        ClusterSpecifier::Header(header) => {
            ClusterChoice { cluster: named_by(header, headers, names), weighted: None }
        }
        ClusterSpecifier::Weighted(clusters) => {
            let value = match &clusters.random_value {
                RandomValue::Stream => None,
                RandomValue::Header(header) => number_in(header, headers),
                RandomValue::HashPolicy => hash(),
            };
            let index = pick(clusters, value.unwrap_or_else(random));
            let cluster = choose_named(&clusters.clusters[index].cluster, headers, names);
            ClusterChoice { cluster, weighted: u32::try_from(index).ok() }
        }
    }
}

/// The index of the cluster that `reference` names, if there is one.
pub fn choose_named(
    reference: &ClusterReference,
    headers: &HeaderMap,
    names: &ClusterNames,
) -> Option<usize> {
    match reference {
        ClusterReference::Cluster(name) => name.index,
        ClusterReference::Header(header) => named_by(header, headers, names),
    }
}

fn named_by(header: &str, headers: &HeaderMap, names: &ClusterNames) -> Option<usize> {
    names.get(headers.get_by_name(header.as_bytes())?).copied()
}

/// The number in the one field of that name. With several there is no telling which one counts.
fn number_in(header: &str, headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all_by_name(header.as_bytes());
    let value = values.next().filter(|_| values.next().is_none())?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// Weights lie one behind the other in `0..total_weight`: the index of the one that `value` falls on.
fn pick(clusters: &WeightedClusters, value: u64) -> usize {
    let mut left = value % u64::from(clusters.total_weight);
    let chosen = clusters.clusters.iter().position(|cluster| {
        let weight = u64::from(cluster.weight);
        let is_inside = left < weight;
        left = left.wrapping_sub(weight);
        is_inside
    });
    chosen.expect("the weights add up to the total")
}

#[cfg(test)]
mod tests {
    use ringmain_config::route::{ClusterName, ClusterWeight};

    use super::*;

    fn name(index: usize) -> ClusterName {
        ClusterName { name: format!("c{index}"), index: Some(index) }
    }

    fn weighted(weights: &[u32], random_value: RandomValue) -> ClusterSpecifier {
        let cluster = |(index, weight): (usize, &u32)| ClusterWeight {
            cluster: ClusterReference::Cluster(name(index)),
            weight: *weight,
            metadata_match: None,
            request_headers: Default::default(),
            response_headers: Default::default(),
            host_rewrite_literal: None,
            per_filter_configs: Default::default(),
        };
        ClusterSpecifier::Weighted(Box::new(WeightedClusters {
            clusters: weights.iter().enumerate().map(cluster).collect(),
            total_weight: weights.iter().sum(),
            random_value,
        }))
    }

    fn choose(
        specifier: &ClusterSpecifier,
        headers: &[(&str, &str)],
        random: u64,
    ) -> ClusterChoice {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.as_bytes(), value.as_bytes());
        }
        let names = (0..4).map(|index| (format!("c{index}").into_bytes().into(), index)).collect();
        choose_cluster(specifier, &map, &names, || random, || None)
    }

    fn index(specifier: &ClusterSpecifier, headers: &[(&str, &str)], random: u64) -> Option<usize> {
        choose(specifier, headers, random).cluster
    }

    #[test]
    fn the_header_names_the_cluster() {
        let by_header = ClusterSpecifier::Header("x-cluster".into());
        assert_eq!(index(&by_header, &[("x-cluster", "c2")], 0), Some(2));
        assert_eq!(index(&by_header, &[("x-cluster", "c1"), ("x-cluster", "c2")], 0), Some(1));
        assert_eq!(index(&by_header, &[("x-cluster", "C2")], 0), None);
        assert_eq!(index(&by_header, &[], 0), None);
    }

    #[test]
    fn weights_lie_one_behind_the_other() {
        let clusters = weighted(&[2, 0, 1], RandomValue::Stream);
        let chosen: Vec<_> = (0..6).map(|random| index(&clusters, &[], random)).collect();
        assert_eq!(chosen, [0, 0, 2, 0, 0, 2].map(Some));
        assert_eq!(choose(&clusters, &[], 2).weighted, Some(2));
    }

    #[test]
    fn a_number_in_the_header_goes_before_the_streams_own() {
        let clusters = weighted(&[1, 1], RandomValue::Header("x-random".into()));
        assert_eq!(index(&clusters, &[("x-random", "1")], 0), Some(1));
        assert_eq!(index(&clusters, &[("x-random", "18446744073709551615")], 0), Some(1));
        for unusable in [&[("x-random", "-1")][..], &[("x-random", "1"), ("x-random", "1")], &[]] {
            assert_eq!(index(&clusters, unusable, 0), Some(0), "{unusable:?}");
        }
    }

    #[test]
    fn a_hash_goes_before_the_streams_own_number() {
        let clusters = weighted(&[1, 1], RandomValue::HashPolicy);
        let chosen = |hash| {
            let names = ClusterNames::default();
            choose_cluster(&clusters, &HeaderMap::new(), &names, || 0, || hash).weighted
        };
        assert_eq!((chosen(Some(3)), chosen(None)), (Some(1), Some(0)));
    }
}

//! `RING_HASH`: hosts own points on a ring, as in ketama; a hash goes to the next point.

use ringmain_config::cluster::{HashFunction, RingHash};
use xxhash_rust::xxh64::xxh64;

use super::hash_table::WeightedHost;
use super::murmur_hash::murmur_hash2;

/// The points in order, each with its host.
#[derive(Debug)]
pub struct Ring {
    hashes: Box<[u64]>,
    hosts: Box<[u32]>,
    /// The fewest and the most points of a host.
    pub(super) hashes_per_host: (u64, u64),
}

impl Ring {
    /// A ring for `hosts`, whose weights add up to 1. The lightest gets a whole number of points and
    /// all of them `minimum_ring_size` or somewhat more, unless `maximum_ring_size` forbids it.
    pub fn new(hosts: &[WeightedHost<'_>], config: &RingHash) -> Self {
        let lightest = hosts.iter().map(|host| host.weight).fold(1.0, f64::min);
        // Sizes are far below 2^53.
        let scale = ((lightest * config.minimum_ring_size as f64).ceil() / lightest)
            .min(config.maximum_ring_size as f64);
        let size = scale.ceil() as u64;
        let mut points: Vec<(u64, u32)> = Vec::with_capacity(size as usize);
        let mut hashes_per_host = (size, 0);
        let mut key = String::new();
        let (mut made, mut wanted) = (0.0, 0.0);
        for host in hosts {
            wanted += scale * host.weight;
            let mut of_host = 0;
            while made < wanted {
                write_key(&mut key, host.hash_key, of_host);
                points.push((hash(config.hash_function, key.as_bytes()), host.index));
                of_host += 1;
                made += 1.0;
            }
            hashes_per_host = (hashes_per_host.0.min(of_host), hashes_per_host.1.max(of_host));
        }
        points.sort_unstable_by_key(|(hash, _)| *hash);
        let (hashes, hosts): (Vec<u64>, Vec<u32>) = points.into_iter().unzip();
        Self { hashes: hashes.into(), hosts: hosts.into(), hashes_per_host }
    }

    /// Points on the ring.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The host of the first point not before `hash`, or of the `attempt`-th after that.
    pub fn choose(&self, hash: u64, attempt: u32) -> Option<u32> {
        let first = self.hashes.partition_point(|point| *point < hash);
        let point = (first + attempt as usize).checked_rem(self.hashes.len())?;
        Some(self.hosts[point])
    }
}

fn write_key(key: &mut String, host: &str, number: u64) {
    use std::fmt::Write;

    key.clear();
    write!(key, "{host}_{number}").expect("writing to memory does not fail");
}

fn hash(function: HashFunction, key: &[u8]) -> u64 {
    match function {
        HashFunction::XxHash => xxh64(key, 0),
        HashFunction::MurmurHash2 => murmur_hash2(key),
    }
}

//! `MAGLEV`: a table in which each host owns places by its weight (Eisenbud et al., NSDI 2016, §3.4).

use ringmain_config::cluster::Maglev;
use xxhash_rust::xxh64::xxh64;

use super::hash_table::WeightedHost;

/// A host for each place.
#[derive(Debug)]
pub struct MaglevTable {
    places: Box<[u32]>,
    /// The fewest and the most places of a host.
    pub(super) entries_per_host: (u64, u64),
}

/// A host on its walk through the table.
struct Walk {
    host: u32,
    weight: f64,
    /// How much weight it must have gathered for its next place.
    due: f64,
    next: u64,
    step: u64,
    places: u64,
}

const FREE: u32 = u32::MAX;

impl MaglevTable {
    /// A table for `hosts`, of which there is one at least.
    pub fn new(hosts: &[WeightedHost<'_>], config: &Maglev) -> Self {
        let size = config.table_size;
        // The order in which hosts take places matters, so it must not depend on discovery's.
        let mut sorted: Vec<&WeightedHost<'_>> = hosts.iter().collect();
        sorted.sort_by_key(|host| host.hash_key);
        let mut walks: Vec<Walk> = sorted.into_iter().map(|host| Walk::new(host, size)).collect();
        let heaviest = hosts.iter().map(|host| host.weight).fold(0.0, f64::max);
        let mut places = vec![FREE; size as usize].into_boxed_slice();
        let mut left = size;
        let mut round = 0.0;
        while left > 0 {
            round += 1.0;
            for walk in &mut walks {
                // The heaviest takes a place in every round, one of half its weight in every other.
                if left == 0 || round * walk.weight < walk.due {
                    continue;
                }
                walk.due += heaviest;
                walk.take_place(&mut places);
                left -= 1;
            }
        }
        let counts = walks.iter().map(|walk| walk.places);
        let entries_per_host = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
        Self { places, entries_per_host }
    }

    /// Places in the table.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The host at the place of `hash`; another place for each further `attempt`.
    pub fn choose(&self, hash: u64, attempt: u32) -> u32 {
        let hash = hash ^ 0_u64.wrapping_sub(u64::from(attempt));
        self.places[(hash % self.places.len() as u64) as usize]
    }
}

impl Walk {
    fn new(host: &WeightedHost<'_>, size: u64) -> Self {
        let key = host.hash_key.as_bytes();
        Self {
            host: host.index,
            weight: host.weight,
            due: 0.0,
            next: xxh64(key, 0) % size,
            step: xxh64(key, 1) % (size - 1).max(1) + 1,
            places: 0,
        }
    }

    fn take_place(&mut self, places: &mut [u32]) {
        loop {
            let place = self.next as usize;
            // The size is prime: the walk comes to every place.
            self.next = (self.next + self.step) % places.len() as u64;
            if places[place] == FREE {
                places[place] = self.host;
                self.places += 1;
                return;
            }
        }
    }
}

//! Uniting the answers for a name that has more addresses than one of them tells. Pure.

use std::collections::BTreeMap;

use super::name::Found;

/// Route 53 names eight of a multivalue name's addresses, drawn at random.
const SAMPLE: usize = 8;
/// An address is gone when so many different samples did not name it.
const MISSES_MAX: u32 = 5;

/// The addresses of a name.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// In the order of the answer where that is whole, else of the addresses.
    found: Vec<Found>,
    /// The last answer, sorted.
    last: Vec<Found>,
    /// How many samples in a row have not named an address.
    misses: BTreeMap<Found, u32>,
}

impl Samples {
    /// Takes a whole answer in the place of what there was.
    pub(super) fn replace(&mut self, found: Vec<Found>) {
        self.found = found;
    }

    /// Takes an answer in, whatever its order. One of just so many addresses as make a sample takes
    /// none away at once.
    pub(super) fn add(&mut self, mut answer: Vec<Found>) {
        answer.sort_unstable();
        answer.dedup();
        if answer.len() == SAMPLE && answer == self.last {
            // A cache in between tells the same again.
            return;
        }
        let is_sample = answer.len() == SAMPLE;
        self.misses.retain(|found, misses| {
            *misses += 1;
            is_sample && *misses < MISSES_MAX && answer.binary_search(found).is_err()
        });
        self.misses.extend(answer.iter().map(|found| (found.clone(), 0)));
        self.found = self.misses.keys().cloned().collect();
        self.last = answer;
    }

    /// All that are not gone.
    pub(super) fn all(&self) -> impl Iterator<Item = &Found> {
        self.found.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hosts: &[u8]) -> Vec<Found> {
        hosts.iter().map(|host| Found::at(([10, 0, 0, *host], 80).into())).collect()
    }

    fn hosts(samples: &Samples) -> Vec<u16> {
        let ip = |found: &Found| match found.address.ip() {
            std::net::IpAddr::V4(ip) => u16::from(ip.octets()[3]),
            std::net::IpAddr::V6(_) => u16::MAX,
        };
        samples.all().map(ip).collect()
    }

    #[test]
    fn a_whole_answer_is_what_there_is() {
        let mut samples = Samples::default();
        samples.add(answer(&[3, 1, 1, 2]));
        assert_eq!(hosts(&samples), [1, 2, 3]);
        samples.add(answer(&[2]));
        assert_eq!(hosts(&samples), [2]);
    }

    #[test]
    fn samples_are_united_until_too_many_miss_an_address() {
        let mut samples = Samples::default();
        samples.add(answer(&[1, 2, 3, 4, 5, 6, 7, 8]));
        for other in 10..14 {
            let sample = answer(&[2, 3, 4, 5, 6, 7, 8, other]);
            samples.add(sample.clone());
            // A cache's copy is not another sample.
            samples.add(sample);
            assert!(hosts(&samples).contains(&1), "{other}");
        }
        samples.add(answer(&[2, 3, 4, 5, 6, 7, 8, 14]));
        assert_eq!(hosts(&samples), [2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14]);
        samples.add(answer(&[2, 3]));
        assert_eq!(hosts(&samples), [2, 3]);
    }
}

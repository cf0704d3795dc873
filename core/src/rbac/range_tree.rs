//! CIDR ranges with values: those that hold an address are found by one bisection, the most specific first.

use std::cmp::Reverse;
use std::net::IpAddr;

use ringmain_config::address::CidrRange;

use super::cidr_set::{Ends, ends};

/// Ranges, each with a value. An IPv4 range holds no IPv6 address.
#[derive(Debug)]
pub struct RangeTree<V> {
    v4: Family<u32, V>,
    v6: Family<u128, V>,
}

/// Ranges in the order of their first addresses; where one lies within another, it stands behind that.
#[derive(Debug)]
struct Family<N, V>(Box<[Entry<N, V>]>);

#[derive(Debug)]
struct Entry<N, V> {
    first: N,
    last: N,
    /// The narrowest of the ranges that this one lies in.
    within: Option<u32>,
    value: V,
}

impl<V> RangeTree<V> {
    /// Of equally specific ranges that hold an address, the first of `ranges` is found first.
    pub fn new(ranges: impl IntoIterator<Item = (CidrRange, V)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (range, value) in ranges {
            match ends(range) {
                Ends::V4(first, last) => v4.push((first, last, value)),
                Ends::V6(first, last) => v6.push((first, last, value)),
            }
        }
        Self { v4: Family::new(v4), v6: Family::new(v6) }
    }

    /// The values of the ranges that hold `address`, the most specific first.
    pub fn holding(&self, address: IpAddr) -> impl Iterator<Item = &V> {
        let (v4, v6) = match address {
            IpAddr::V4(address) => (Some(self.v4.holding(address.into())), None),
            IpAddr::V6(address) => (None, Some(self.v6.holding(address.into()))),
        };
        v4.into_iter().flatten().chain(v6.into_iter().flatten())
    }
}

impl<N: Ord + Copy, V> Family<N, V> {
    fn new(mut ranges: Vec<(N, N, V)>) -> Self {
        // The sort is stable: of the same ranges the first has to stand last.
        ranges.reverse();
        ranges.sort_by_key(|(first, last, _)| (*first, Reverse(*last)));
        let mut entries: Vec<Entry<N, V>> = Vec::with_capacity(ranges.len());
        for (first, last, value) in ranges {
            let mut within = entries.len().checked_sub(1);
            while let Some(at) = within
                && entries[at].last < last
            {
                within = entries[at].within();
            }
            let within =
                within.map(|at| u32::try_from(at).expect("there are fewer ranges than that"));
            entries.push(Entry { first, last, within, value });
        }
        Self(entries.into())
    }

    fn holding(&self, number: N) -> impl Iterator<Item = &V> {
        let after = self.0.partition_point(|entry| entry.first <= number);
        let mut at = after.checked_sub(1);
        // What the last one lies in begins before it; the others do not reach so far.
        while let Some(here) = at
            && self.0[here].last < number
        {
            at = self.0[here].within();
        }
        std::iter::successors(at, |at| self.0[*at].within()).map(|at| &self.0[at].value)
    }
}

impl<N, V> Entry<N, V> {
    fn within(&self) -> Option<usize> {
        self.within.map(|at| at as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> CidrRange {
        let (address, len) = text.split_once('/').unwrap();
        CidrRange { address_prefix: address.parse().unwrap(), prefix_len: len.parse().unwrap() }
    }

    #[test]
    fn ranges_come_from_the_most_specific_to_the_widest() {
        let texts =
            ["10.0.0.0/8", "0.0.0.0/0", "10.1.0.0/16", "10.1.0.0/16", "10.1.2.0/24", "::/0"];
        let tree = RangeTree::new(texts.map(range).into_iter().zip(0..));
        for (address, expected) in [
            ("10.1.2.3", &[4, 2, 3, 0, 1][..]),
            ("10.1.3.0", &[2, 3, 0, 1]),
            ("10.2.0.0", &[0, 1]),
            ("11.0.0.0", &[1]),
            ("::ffff:10.1.2.3", &[5]),
        ] {
            let found: Vec<i32> = tree.holding(address.parse().unwrap()).copied().collect();
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn a_tree_without_ranges_holds_nothing() {
        let tree = RangeTree::<()>::new([]);
        assert_eq!(tree.holding("10.0.0.1".parse().unwrap()).count(), 0);
    }
}

//! Sets of addresses made of CIDR ranges: disjoint intervals in order, found by bisection, so that a
//! look-up among thousands of ranges costs a dozen comparisons.

use std::net::IpAddr;

use ringmain_config::address::CidrRange;

/// The union of ranges. An IPv4 range holds no IPv6 address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CidrSet {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl CidrSet {
    /// The set of all that `ranges` hold.
    pub fn new(ranges: impl IntoIterator<Item = CidrRange>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match range.address_prefix {
                IpAddr::V4(first) => {
                    let host_bits = u32::MAX.checked_shr(range.prefix_len.into()).unwrap_or(0);
                    v4.push((u32::from(first), u32::from(first) | host_bits));
                }
                IpAddr::V6(first) => {
                    let host_bits = u128::MAX.checked_shr(range.prefix_len.into()).unwrap_or(0);
                    v6.push((u128::from(first), u128::from(first) | host_bits));
                }
            }
        }
        Self { v4: Intervals::new(v4), v6: Intervals::new(v6) }
    }

    /// Whether one of the ranges holds `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.into()),
            IpAddr::V6(address) => self.v6.contains(address.into()),
        }
    }
}

/// Intervals with both ends included, in order, none touching another's inside.
#[derive(Debug, PartialEq, Eq)]
struct Intervals<N>(Box<[(N, N)]>);

impl<N> Default for Intervals<N> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<N: Ord + Copy> Intervals<N> {
    fn new(mut all: Vec<(N, N)>) -> Self {
        all.sort_unstable();
        // CIDR ranges are either apart or one within the other, which then comes later.
        let mut kept: Vec<(N, N)> = Vec::with_capacity(all.len());
        for (first, last) in all {
            match kept.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => kept.push((first, last)),
            }
        }
        Self(kept.into())
    }

    fn contains(&self, number: N) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).is_some_and(|at| number <= self.0[at].1)
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
    fn ranges_hold_their_ends_and_nothing_beyond() {
        let set = CidrSet::new(["10.1.0.0/16", "10.1.2.0/24", "192.0.2.1/32"].map(range));
        for (address, expected) in [
            ("10.1.0.0", true),
            ("10.1.2.3", true),
            ("10.1.255.255", true),
            ("10.0.255.255", false),
            ("10.2.0.0", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:10.1.0.0", false),
        ] {
            assert_eq!(set.contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_whole_of_a_family_is_that_family() {
        let set = CidrSet::new([range("0.0.0.0/0")]);
        assert!(set.contains("255.255.255.255".parse().unwrap()));
        assert!(!set.contains("::1".parse().unwrap()));
        assert!(CidrSet::new([range("::/0")]).contains("::1".parse().unwrap()));
        assert!(!CidrSet::default().contains("::1".parse().unwrap()));
    }
}

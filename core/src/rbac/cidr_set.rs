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
            match ends(range) {
                Ends::V4(first, last) => v4.push((first, last)),
                Ends::V6(first, last) => v6.push((first, last)),
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

/// The first and the last address of a range, as numbers.
pub(super) enum Ends {
    V4(u32, u32),
    V6(u128, u128),
}

pub(super) fn ends(range: CidrRange) -> Ends {
    let len = range.prefix_len.into();
    match range.address_prefix {
        IpAddr::V4(first) => {
            let first = u32::from(first);
            Ends::V4(first, first | u32::MAX.checked_shr(len).unwrap_or(0))
        }
        IpAddr::V6(first) => {
            let first = u128::from(first);
            Ends::V6(first, first | u128::MAX.checked_shr(len).unwrap_or(0))
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
    use std::cell::Cell;
    use std::cmp::Ordering;

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

    /// A number that counts how often it is compared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Counted(u32);

    thread_local! {
        static COMPARISONS: Cell<u32> = const { Cell::new(0) };
    }

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    #[test]
    fn a_look_up_among_thousands_costs_a_dozen_comparisons() {
        let ranges = (0..10_000).map(|at| (Counted(at * 100), Counted(at * 100 + 50)));
        let intervals = Intervals::new(ranges.collect());
        let mut most = 0;
        for number in (0..1_000_100).step_by(37) {
            COMPARISONS.set(0);
            assert_eq!(
                intervals.contains(Counted(number)),
                number % 100 <= 50 && number < 1_000_000
            );
            most = most.max(COMPARISONS.get());
        }
        assert!(most <= 16, "{most} comparisons");
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

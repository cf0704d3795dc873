//! Weights that change by and by: what a deployment gets of the traffic grows in steps over a poll
//! interval, rather than at once on hosts that had next to nothing to do.
//!
//! Pure: time is handed in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::cluster::HostDescription;

/// In so many steps.
const STEPS: u32 = 5;
/// The weight of a host that gets everything.
const WHOLE: f64 = 100_000.0;

/// What each host gets of the whole, by identity.
type Shares = HashMap<String, f64>;

/// A change of weights under way.
#[derive(Debug)]
pub struct Ramp {
    from: Shares,
    to: Shares,
    begun: Instant,
    over: Duration,
    step: u32,
}

impl Ramp {
    /// From the weights that hosts have `before` to those of `next`. `None` where there was nobody before, or
    /// all are to be alike.
    pub fn new<'a>(
        before: impl Iterator<Item = (&'a str, u32)>,
        next: &[HostDescription],
        now: Instant,
        over: Duration,
    ) -> Option<Self> {
        let to = shares_of(next);
        let from = shares(before.filter(|(identity, _)| to.contains_key(*identity)));
        let are_alike = next.windows(2).all(|two| two[0].weight == two[1].weight);
        let is_change = !from.is_empty() && !are_alike && !are_same(&from, &to);
        is_change.then_some(Self { from, to, begun: now, over, step: 1 })
    }

    /// Whether its end are the weights of `next`.
    pub fn leads_to(&self, next: &[HostDescription]) -> bool {
        are_same(&self.to, &shares_of(next))
    }

    /// Whether a step more is due at `now`.
    pub fn advance(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.begun).div_duration_f64(self.over);
        // Between 1 and STEPS.
        let step = 1 + (passed * f64::from(STEPS)).min(f64::from(STEPS - 1)) as u32;
        step > std::mem::replace(&mut self.step, step)
    }

    /// Whether all have the weights that they are to have.
    pub fn is_over(&self) -> bool {
        self.step == STEPS
    }

    /// Gives `hosts` the weights of the step.
    pub fn weigh(&self, hosts: &mut [HostDescription]) {
        if self.is_over() {
            return;
        }
        let done = f64::from(self.step) / f64::from(STEPS);
        let share = |shares: &Shares, host: &HostDescription| {
            shares.get(&host.identity).copied().unwrap_or_default()
        };
        for host in hosts {
            let now = (1.0 - done) * share(&self.from, host) + done * share(&self.to, host);
            // A part of WHOLE.
            host.weight = ((WHOLE * now).round() as u32).max(1);
        }
    }
}

fn shares_of(hosts: &[HostDescription]) -> Shares {
    shares(hosts.iter().map(|host| (host.identity.as_str(), host.weight)))
}

fn shares<'a>(weights: impl Iterator<Item = (&'a str, u32)>) -> Shares {
    let mut shares: Shares =
        weights.map(|(identity, weight)| (identity.to_owned(), weight.into())).collect();
    let whole: f64 = shares.values().sum();
    shares.values_mut().for_each(|share| *share /= whole);
    shares
}

/// But for rounding.
fn are_same(one: &Shares, other: &Shares) -> bool {
    let is_same = |(identity, share): (&String, &f64)| {
        other.get(identity).is_some_and(|other| (share - other).abs() < 0.001)
    };
    one.len() == other.len() && one.iter().all(is_same)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OVER: Duration = Duration::from_secs(10);

    fn hosts(weights: &[(&str, u32)]) -> Vec<HostDescription> {
        let host = |(identity, weight): &(&str, u32)| HostDescription {
            identity: (*identity).to_owned(),
            weight: *weight,
            ..HostDescription::new(std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 80)))
        };
        weights.iter().map(host).collect()
    }

    fn ramp(before: &[(&str, u32)], next: &[HostDescription], now: Instant) -> Option<Ramp> {
        Ramp::new(before.iter().copied(), next, now, OVER)
    }

    #[test]
    fn shares_change_in_steps_over_the_interval() {
        let (next, begun) = (hosts(&[("old", 40_000), ("new", 60_000)]), Instant::now());
        let mut ramp = ramp(&[("gone", 7), ("old", 1)], &next, begun).expect("a change");
        let mut told = Vec::new();
        for second in 0..=10 {
            let due = ramp.advance(begun + Duration::from_secs(second));
            let mut hosts = next.clone();
            ramp.weigh(&mut hosts);
            if due || second == 0 {
                told.push((second, hosts[0].weight, hosts[1].weight));
            }
        }
        let expected = [
            (0, 88_000, 12_000),
            (2, 76_000, 24_000),
            (4, 64_000, 36_000),
            (6, 52_000, 48_000),
            (8, 40_000, 60_000),
        ];
        assert_eq!((&told[..], ramp.is_over()), (&expected[..], true));
        assert!(ramp.leads_to(&next));
    }

    #[test]
    fn what_does_not_change_is_no_ramp() {
        let next = hosts(&[("a", 40_000), ("b", 60_000)]);
        let now = Instant::now();
        assert!(ramp(&[("a", 4), ("b", 6)], &next, now).is_none());
        assert!(ramp(&[], &next, now).is_none());
        assert!(ramp(&[("c", 1)], &next, now).is_none());
        let alike = hosts(&[("a", 1), ("b", 1)]);
        assert!(ramp(&[("a", 4), ("b", 6)], &alike, now).is_none());
    }
}

//! When a name is looked up again. Pure: chance is handed in.

use std::time::Duration;

use ringmain_config::cluster::DnsOptions;

/// The waits between the look-ups of a name.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    options: &'a DnsOptions,
    /// What the next wait after a failure is at most.
    failure_max: Option<Duration>,
}

impl<'a> Pace<'a> {
    pub(super) fn new(options: &'a DnsOptions) -> Self {
        let failure_max = options.dns_failure_refresh_rate.map(|rate| rate.base);
        Self { options, failure_max }
    }

    /// How long to wait after an answer that holds for `ttl`, zero where it does not say, or after
    /// none; `chance` is in `0.0..1.0`.
    pub(super) fn after(&mut self, ttl: Option<Duration>, chance: f64) -> Duration {
        let options = self.options;
        let Some(ttl) = ttl else { return self.after_failure(chance) };
        self.failure_max = options.dns_failure_refresh_rate.map(|rate| rate.base);
        let rate = match options.respect_dns_ttl && !ttl.is_zero() {
            true => ttl.max(options.dns_min_refresh_rate),
            false => options.dns_refresh_rate,
        };
        rate + options.dns_jitter.mul_f64(chance)
    }

    fn after_failure(&mut self, chance: f64) -> Duration {
        let rate = self.options.dns_failure_refresh_rate.zip(self.failure_max);
        let Some((rate, max)) = rate else { return self.options.dns_refresh_rate };
        self.failure_max = Some((max * 2).min(rate.max));
        max.mul_f64(chance)
    }
}

#[cfg(test)]
mod tests {
    use ringmain_config::cluster::{DnsLookupFamily, DnsResolver, FailureRefreshRate};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn options() -> DnsOptions {
        DnsOptions {
            is_logical: false,
            dns_refresh_rate: 5 * SECOND,
            dns_failure_refresh_rate: None,
            dns_jitter: Duration::ZERO,
            respect_dns_ttl: false,
            dns_min_refresh_rate: Duration::ZERO,
            dns_lookup_family: DnsLookupFamily::Auto,
            resolver: DnsResolver::default(),
        }
    }

    #[test]
    fn the_rate_holds_whatever_comes() {
        let options = options();
        let mut pace = Pace::new(&options);
        for ttl in [Some(60 * SECOND), Some(Duration::ZERO), None] {
            assert_eq!(pace.after(ttl, 0.5), 5 * SECOND);
        }
    }

    #[test]
    fn a_ttl_takes_its_place() {
        let options = DnsOptions {
            respect_dns_ttl: true,
            dns_min_refresh_rate: 2 * SECOND,
            dns_jitter: 10 * SECOND,
            ..options()
        };
        let mut pace = Pace::new(&options);
        assert_eq!(pace.after(Some(60 * SECOND), 0.0), 60 * SECOND);
        assert_eq!(pace.after(Some(SECOND), 0.0), 2 * SECOND);
        assert_eq!(pace.after(Some(Duration::ZERO), 0.5), 10 * SECOND);
        assert_eq!(pace.after(None, 0.5), 5 * SECOND);
    }

    #[test]
    fn failures_wait_longer_and_longer() {
        let rate = FailureRefreshRate { base: SECOND, max: 3 * SECOND };
        let options = DnsOptions { dns_failure_refresh_rate: Some(rate), ..options() };
        let mut pace = Pace::new(&options);
        let waits = [(); 4].map(|()| pace.after(None, 0.5).as_millis());
        assert_eq!(waits, [500, 1000, 1500, 1500]);
        assert_eq!(pace.after(Some(Duration::ZERO), 0.5), 5 * SECOND);
        assert_eq!(pace.after(None, 0.0), Duration::ZERO);
        assert_eq!(pace.after(None, 0.5), SECOND);
    }
}

//! One measurement of a running proxy, by the scenario's kind of load.

use std::time::{Duration, Instant};

use crate::check;
use crate::cpu::{self, Cores};
use crate::idle;
use crate::metric::Metric;
use crate::open_loop;
use crate::proxy::Proxy;
use crate::scenario::{Load, Scenario};
use crate::summary::Sample;
use crate::upstream_process::UpstreamProcess;
use crate::wrk::Wrk;

/// Fills the proxy's connection pool and buffers before the measurement.
pub const WARM_UP_SECONDS: u32 = 1;

/// What every measurement of a run has in common.
#[derive(Debug)]
pub struct Stand<'a> {
    pub cores: Cores,
    pub wrk: &'a Wrk,
    pub upstream: &'a UpstreamProcess,
    /// Length of one measurement.
    pub seconds: u32,
    /// Requests per second of the open loop, or why it has no rate.
    pub rate: Result<u32, String>,
}

/// What the proxy used while a load ran.
struct Cost {
    cpu: Duration,
    others_percent: f64,
}

impl Stand<'_> {
    /// Measures `proxy` in `scenario`; the error says why there is no valid figure.
    pub fn measure(&self, proxy: &Proxy, scenario: &Scenario) -> Result<Sample, String> {
        check::exchange(proxy.port, scenario)?;
        match scenario.load {
            Load::Closed => self.closed_loop(proxy, scenario),
            Load::Open => self.open_loop(proxy, scenario),
            Load::Idle => idle::measure(proxy, scenario),
            Load::Start => Ok(Sample::from([
                (Metric::StartMs, proxy.start_time.as_secs_f64() * 1e3),
                (Metric::StartCpuMs, proxy.start_cpu.as_secs_f64() * 1e3),
                (Metric::RssStartMib, mib(proxy.rss_start_kib)),
            ])),
        }
    }

    fn closed_loop(&self, proxy: &Proxy, scenario: &Scenario) -> Result<Sample, String> {
        self.wrk.run(proxy.port, scenario, WARM_UP_SECONDS)?;
        let run = || self.wrk.run(proxy.port, scenario, self.seconds);
        let (load, cost) = self.watched(proxy, scenario, run, |load| load.requests)?;
        if scenario.setup.access_log && !proxy.has_logged() {
            return Err("wrote no access log".into());
        }
        let mut sample = Self::sample(proxy, load.requests, &cost);
        sample.extend([
            (Metric::RequestsPerS, load.requests_per_s()),
            (Metric::P50Us, load.p50_us as f64),
            (Metric::P99Us, load.p99_us as f64),
        ]);
        Ok(sample)
    }

    fn open_loop(&self, proxy: &Proxy, scenario: &Scenario) -> Result<Sample, String> {
        let rate = self.rate.clone()?;
        let run = |seconds| open_loop::run(self.cores.load, proxy.port, scenario, rate, seconds);
        run(WARM_UP_SECONDS)?;
        let (load, cost) =
            self.watched(proxy, scenario, || run(self.seconds), |load| load.requests)?;
        let mut sample = Self::sample(proxy, load.requests, &cost);
        sample.extend([
            (Metric::RequestsPerS, load.requests_per_s),
            (Metric::P50Us, load.p50_us as f64),
            (Metric::P90Us, load.p90_us as f64),
            (Metric::P99Us, load.p99_us as f64),
            (Metric::P999Us, load.p999_us as f64),
        ]);
        Ok(sample)
    }

    /// What both loops have.
    fn sample(proxy: &Proxy, requests: u64, cost: &Cost) -> Sample {
        Sample::from([
            (Metric::CpuUs, cost.cpu.as_secs_f64() * 1e6 / requests as f64),
            (Metric::OthersPercent, cost.others_percent),
            (Metric::StartMs, proxy.start_time.as_secs_f64() * 1e3),
            (Metric::RssStartMib, mib(proxy.rss_start_kib)),
            (Metric::RssAfterMib, mib(proxy.rss_kib())),
        ])
    }

    /// Runs `load` and reads the clocks around it. Upstream connections must be reused.
    fn watched<T>(
        &self,
        proxy: &Proxy,
        scenario: &Scenario,
        load: impl FnOnce() -> Result<T, String>,
        requests: impl FnOnce(&T) -> u64,
    ) -> Result<(T, Cost), String> {
        let connections = self.upstream.connections().ok_or("the upstream is gone")?;
        let (started, core_before) = (Instant::now(), cpu::core_busy(self.cores.proxy));
        let before = proxy.cpu_time()?;
        let load = load()?;
        let used = proxy.cpu_time()?.saturating_sub(before);
        let (elapsed, core_after) = (started.elapsed(), cpu::core_busy(self.cores.proxy));
        let core_used = core_after.zip(core_before).ok_or("/proc/stat does not tell")?;
        let by_others = core_used.0.saturating_sub(core_used.1).saturating_sub(used);
        let opened = self.upstream.connections().ok_or("the upstream is gone")? - connections;
        let requests = requests(&load);
        // Each look at the upstream is a connection, too: the one before the load is among these.
        if opened.saturating_sub(1) > requests / 10 + u64::from(scenario.connections) {
            return Err(format!("opened {opened} upstream connections for {requests} requests"));
        }
        let others_percent = 100.0 * by_others.as_secs_f64() / elapsed.as_secs_f64();
        Ok((load, Cost { cpu: used, others_percent }))
    }
}

/// Mebibytes of `kib`.
pub fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

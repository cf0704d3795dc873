//! One measurement of a running proxy, by the scenario's kind of load.

use std::time::{Duration, Instant};

use crate::check;
use crate::cpu::{self, Cores};
use crate::loaded::Loaded;
use crate::metric::{Metric, mib};
use crate::proxy::Proxy;
use crate::scenario::{Load, Protocol, Scenario};
use crate::summary::Sample;
use crate::tls::Credentials;
use crate::upstream_process::UpstreamProcess;
use crate::wrk::Wrk;
use crate::{h2load, handshakes, idle, open_loop};

/// Fills the proxy's connection pool and buffers before the measurement.
pub const WARM_UP_SECONDS: u32 = 1;

/// What every measurement of a run has in common.
#[derive(Debug)]
pub struct Stand<'a> {
    pub cores: Cores,
    pub wrk: &'a Wrk,
    pub upstream: &'a UpstreamProcess,
    pub credentials: &'a Credentials,
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
        check::exchange(proxy.port, scenario, self.credentials)?;
        match scenario.load {
            Load::Closed | Load::Open { .. } | Load::Handshakes { .. } => {
                self.under_load(proxy, scenario)
            }
            Load::Idle => idle::measure(proxy, scenario, self.credentials),
            Load::Start => Ok(Sample::from([
                (Metric::StartMs, proxy.start_time.as_secs_f64() * 1e3),
                (Metric::StartCpuMs, proxy.start_cpu.as_secs_f64() * 1e3),
                (Metric::RssStartMib, mib(proxy.rss_start_kib)),
            ])),
        }
    }

    fn under_load(&self, proxy: &Proxy, scenario: &Scenario) -> Result<Sample, String> {
        self.load(proxy.port, scenario, WARM_UP_SECONDS)?;
        let (loaded, cost) = self.watched_load(proxy, scenario)?;
        if scenario.setup.access_log && !proxy.has_logged() {
            return Err("wrote no access log".into());
        }
        let cpu_us = cost.cpu.as_secs_f64() * 1e6 / loaded.requests as f64;
        let mut sample = Sample::from([(Metric::CpuUs, cpu_us)]);
        // A second worker shares its core with the load, which makes every other figure of time the load's.
        if scenario.setup.workers == 1 {
            sample.extend(loaded.figures);
            sample.insert(Metric::OthersPercent, cost.others_percent);
        }
        sample.extend([
            (Metric::StartMs, proxy.start_time.as_secs_f64() * 1e3),
            (Metric::RssStartMib, mib(proxy.rss_start_kib)),
            (Metric::RssAfterMib, mib(proxy.rss_kib())),
        ]);
        Ok(sample)
    }

    /// Sends the scenario's load to `port` for `seconds`.
    fn load(&self, port: u16, scenario: &Scenario, seconds: u32) -> Result<Loaded, String> {
        let core = self.cores.load;
        match (scenario.load, scenario.protocol) {
            (Load::Open { part }, _) => {
                open_loop::run(core, port, scenario, self.rate.clone()? / part, seconds)
            }
            (Load::Handshakes { resumed }, _) => {
                handshakes::run(core, port, scenario, self.credentials, resumed, seconds)
            }
            (_, Protocol::Http1) => self.wrk.run(port, scenario, seconds),
            (_, Protocol::Http2) => h2load::run(core, port, scenario, seconds),
        }
    }

    /// Loads `proxy` and reads the clocks around it. Upstream connections must be reused.
    fn watched_load(&self, proxy: &Proxy, scenario: &Scenario) -> Result<(Loaded, Cost), String> {
        let connections = self.upstream.connections().ok_or("the upstream is gone")?;
        let (started, core_before) = (Instant::now(), cpu::core_busy(self.cores.proxy));
        let before = proxy.cpu_time()?;
        let loaded = self.load(proxy.port, scenario, self.seconds)?;
        let used = proxy.cpu_time()?.saturating_sub(before);
        let (elapsed, core_after) = (started.elapsed(), cpu::core_busy(self.cores.proxy));
        let core_used = core_after.zip(core_before).ok_or("/proc/stat does not tell")?;
        let by_others = core_used.0.saturating_sub(core_used.1).saturating_sub(used);
        let opened = self.upstream.connections().ok_or("the upstream is gone")? - connections;
        // Each look at the upstream is a connection, too: the one before the load is among these.
        if opened.saturating_sub(1) > loaded.requests / 10 + u64::from(scenario.concurrency()) {
            return Err(format!(
                "opened {opened} upstream connections for {} requests",
                loaded.requests
            ));
        }
        let others_percent = 100.0 * by_others.as_secs_f64() / elapsed.as_secs_f64();
        Ok((loaded, Cost { cpu: used, others_percent }))
    }
}

//! The run: which sides there are, and the rounds in which they take turns. A round starts every
//! side afresh and runs every scenario on it; the order moves on by one side each round, so that a
//! slow drift of the machine falls on all alike.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::check;
use crate::cpu::{self, Cores};
use crate::error::Error;
use crate::machine::Machine;
use crate::proxy::Proxy;
use crate::report::{Results, Skipped};
use crate::scenario::{self, Scenario};
use crate::side::{Installed, Side};
use crate::summary::{Row, Sample};
use crate::upstream_process::UpstreamProcess;
use crate::workspace;
use crate::wrk::Wrk;

/// Fills the proxy's connection pool and buffers before the measurement.
const WARM_UP_SECONDS: u32 = 1;

/// Measures what `arguments` ask for.
pub fn run(arguments: &Arguments) -> Result<Results, Error> {
    let scenarios = scenario::by_names(&arguments.scenario)?;
    let cores = Cores::choose()?;
    let wrk = Wrk::find(cores.load)?;
    let (installed, skipped) = install(&sides(arguments)?);
    let upstream = UpstreamProcess::start(cores.load)?;
    let scratch = workspace::scratch()?;
    let bench = Bench {
        arguments,
        scenarios: &scenarios,
        cores,
        wrk: &wrk,
        upstream: &upstream,
        scratch: &scratch,
    };
    let outcomes = bench.all_rounds(&installed);
    Ok(Results {
        machine: Machine::here(),
        wrk: wrk.release(),
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        skipped,
        rows: rows(&scenarios, &installed, &outcomes),
    })
}

fn sides(arguments: &Arguments) -> Result<Vec<Side>, Error> {
    let mut sides =
        arguments.side.iter().map(|name| Side::by_name(name)).collect::<Result<Vec<_>, _>>()?;
    if arguments.relay && !sides.contains(&Side::Relay) {
        sides.push(Side::Relay);
    }
    Ok(sides)
}

fn install(sides: &[Side]) -> (Vec<Installed>, Vec<Skipped>) {
    let (mut installed, mut skipped) = (Vec::new(), Vec::new());
    for side in sides {
        match side.install() {
            Ok(found) => installed.push(found),
            Err(reason) => {
                eprintln!("{} is skipped: {reason}", side.title());
                skipped.push(Skipped { side: side.name(), reason });
            }
        }
    }
    (installed, skipped)
}

/// What one side did in one scenario of one round.
struct Outcome {
    side: Side,
    scenario: &'static str,
    sample: Result<Sample, String>,
}

struct Bench<'a> {
    arguments: &'a Arguments,
    scenarios: &'a [&'static Scenario],
    cores: Cores,
    wrk: &'a Wrk,
    upstream: &'a UpstreamProcess,
    scratch: &'a Path,
}

impl Bench<'_> {
    fn all_rounds(&self, installed: &[Installed]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for round in 0..self.arguments.rounds {
            let first = round as usize % installed.len().max(1);
            for side in installed[first..].iter().chain(&installed[..first]) {
                eprintln!(
                    "round {} of {}: {}",
                    round + 1,
                    self.arguments.rounds,
                    side.side.title()
                );
                self.turn(side, &mut outcomes);
            }
        }
        outcomes
    }

    /// One side's turn in a round.
    fn turn(&self, installed: &Installed, outcomes: &mut Vec<Outcome>) {
        let scenarios: Vec<_> =
            self.scenarios.iter().filter(|scenario| fits(installed.side, scenario)).collect();
        let Some(first) = scenarios.first() else { return };
        let proxy =
            Proxy::start(installed, self.cores.proxy, self.upstream.port, first, self.scratch);
        for scenario in scenarios {
            let sample = proxy
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|proxy| self.measure(proxy, scenario));
            match &sample {
                Ok(Sample { cpu_us, others_percent, .. }) => eprintln!(
                    "  {}: {cpu_us:.1} CPU us/request, others on its core {others_percent:.0} %",
                    scenario.title
                ),
                Err(reason) => eprintln!("  {}: {reason}", scenario.title),
            }
            outcomes.push(Outcome { side: installed.side, scenario: scenario.name, sample });
        }
    }

    fn measure(&self, proxy: &Proxy, scenario: &Scenario) -> Result<Sample, String> {
        check::exchange(proxy.port, scenario)?;
        self.wrk.run(proxy.port, scenario, WARM_UP_SECONDS)?;
        let connections = self.upstream.connections().ok_or("the upstream is gone")?;
        let (started, core_before) = (Instant::now(), cpu::core_busy(self.cores.proxy));
        let before = proxy.cpu_time()?;
        let load = self.wrk.run(proxy.port, scenario, self.arguments.seconds)?;
        let used = proxy.cpu_time()?.saturating_sub(before);
        let (elapsed, core_after) = (started.elapsed(), cpu::core_busy(self.cores.proxy));
        let core_used = core_after.zip(core_before).ok_or("/proc/stat does not tell")?;
        let by_others = core_used.0.saturating_sub(core_used.1).saturating_sub(used);
        let opened = self.upstream.connections().ok_or("the upstream is gone")? - connections;
        // Each look at the upstream is a connection, too: the one before the load is among these.
        if opened.saturating_sub(1) > load.requests / 10 + u64::from(scenario.connections) {
            return Err(format!(
                "opened {opened} upstream connections for {} requests",
                load.requests
            ));
        }
        let requests = load.requests as f64;
        Ok(Sample {
            cpu_us: used.as_secs_f64() * 1e6 / requests,
            others_percent: 100.0 * by_others.as_secs_f64() / elapsed.as_secs_f64(),
            requests_per_s: requests / Duration::from_micros(load.duration_us).as_secs_f64(),
            p50_us: load.p50_us as f64,
            p99_us: load.p99_us as f64,
            rss_start_mib: proxy.rss_start_kib as f64 / 1024.0,
            rss_after_mib: proxy.rss_kib() as f64 / 1024.0,
            start_ms: proxy.start_time.as_secs_f64() * 1e3,
        })
    }
}

/// A relay has one upstream connection per client connection, so it cannot be compared where clients
/// open one per request.
fn fits(side: Side, scenario: &Scenario) -> bool {
    side != Side::Relay || !scenario.new_connection
}

fn rows(
    scenarios: &[&'static Scenario],
    installed: &[Installed],
    outcomes: &[Outcome],
) -> Vec<Row> {
    let of = |scenario: &'static Scenario, found: &Installed| {
        let samples: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.side == found.side && outcome.scenario == scenario.name)
            .map(|outcome| outcome.sample.clone())
            .collect();
        (!samples.is_empty()).then(|| Row::new(scenario, found, &samples))
    };
    scenarios
        .iter()
        .flat_map(|scenario| installed.iter().filter_map(|found| of(scenario, found)))
        .collect()
}

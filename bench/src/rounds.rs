//! The run: which sides there are, and the rounds in which they take turns. A round starts every
//! side afresh and runs every scenario on it; the order moves on by one side each round, so that a
//! slow drift of the machine falls on all alike.

use std::path::Path;

use crate::arguments::Arguments;
use crate::cpu::Cores;
use crate::error::Error;
use crate::idle;
use crate::machine::Machine;
use crate::measure::{Stand, WARM_UP_SECONDS};
use crate::metric::Column;
use crate::proxy::Proxy;
use crate::report::{Results, Skipped};
use crate::scenario::{self, Load, Scenario};
use crate::setup::Setup;
use crate::side::{Installed, Side};
use crate::summary::{Row, Sample};
use crate::tls::Credentials;
use crate::upstream_process::UpstreamProcess;
use crate::wrk::Wrk;
use crate::{h2load, workspace};

/// Length of the look at how much Envoy can take.
const PROBE_SECONDS: u32 = 2;

/// Measures what `arguments` ask for.
pub fn run(arguments: &Arguments) -> Result<Results, Error> {
    let scenarios = scenario::by_names(&arguments.scenario)?;
    let cores = Cores::choose()?;
    let wrk = Wrk::find(cores.load)?;
    idle::raise_file_limit()?;
    let (installed, mut skipped) = install(arguments, &sides(arguments)?);
    skipped.extend(unfit(&installed, &scenarios));
    let scratch = workspace::scratch()?;
    let credentials = Credentials::create(&scratch)?;
    let upstream = UpstreamProcess::start(cores.load, &credentials)?;
    let mut bench = Bench {
        rounds: arguments.rounds,
        scenarios: &scenarios,
        scratch: &scratch,
        stand: Stand {
            cores,
            wrk: &wrk,
            upstream: &upstream,
            credentials: &credentials,
            seconds: arguments.seconds,
            rate: arguments.rate.ok_or_else(String::new),
        },
    };
    bench.find_rate();
    let outcomes = bench.all_rounds(&installed);
    Ok(Results {
        machine: Machine::here(),
        wrk: wrk.release(),
        h2load: h2load::release(),
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

fn install(arguments: &Arguments, sides: &[Side]) -> (Vec<Installed>, Vec<Skipped>) {
    let (mut installed, mut skipped) = (Vec::new(), Vec::new());
    for side in sides {
        match side.install(arguments.ringmain.as_deref()) {
            Ok(found) => installed.push(found),
            Err(reason) => {
                eprintln!("{} is skipped: {reason}", side.title());
                skipped.push(Skipped { side: side.name(), scenario: None, reason });
            }
        }
    }
    (installed, skipped)
}

/// The scenarios that a side which is there cannot take part in.
fn unfit(installed: &[Installed], scenarios: &[&'static Scenario]) -> Vec<Skipped> {
    let pairs = scenarios
        .iter()
        .flat_map(|scenario| installed.iter().map(move |found| (found.side, *scenario)));
    pairs
        .filter_map(|(side, scenario)| {
            let reason = side.cannot(scenario)?.to_owned();
            Some(Skipped { side: side.name(), scenario: Some(scenario.name), reason })
        })
        .collect()
}

/// What one side did in one scenario of one round.
struct Outcome {
    side: Side,
    scenario: &'static str,
    sample: Result<Sample, String>,
}

struct Bench<'a> {
    rounds: u32,
    scenarios: &'a [&'static Scenario],
    scratch: &'a Path,
    stand: Stand<'a>,
}

impl Bench<'_> {
    /// Without a rate of the user's, the open loop runs at half of what Envoy can take.
    fn find_rate(&mut self) {
        let open = self.scenarios.iter().find(|scenario| scenario.load == Load::Open);
        let (Some(scenario), Err(_)) = (open, &self.stand.rate) else { return };
        self.stand.rate = self
            .probe(scenario)
            .map_err(|reason| format!("no rate: probing Envoy failed, give --rate: {reason}"));
        match &self.stand.rate {
            Ok(rate) => eprintln!("open loop: {rate} requests/s, half of what Envoy reaches"),
            Err(reason) => eprintln!("open loop: {reason}"),
        }
    }

    fn probe(&self, scenario: &Scenario) -> Result<u32, String> {
        let envoy = Side::Envoy.install(None)?;
        let proxy = self.start(&envoy, scenario)?;
        let wrk = self.stand.wrk;
        wrk.run(proxy.port, scenario, WARM_UP_SECONDS)?;
        let loaded = wrk.run(proxy.port, scenario, PROBE_SECONDS)?;
        let per_s = loaded.requests / u64::from(PROBE_SECONDS);
        u32::try_from(per_s / 2).map_err(|error| error.to_string())
    }

    fn all_rounds(&self, installed: &[Installed]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for round in 0..self.rounds {
            let first = round as usize % installed.len().max(1);
            for side in installed[first..].iter().chain(&installed[..first]) {
                eprintln!("round {} of {}: {}", round + 1, self.rounds, side.side.title());
                self.turn(side, &mut outcomes);
            }
        }
        outcomes
    }

    /// One side's turn in a round. The next scenario goes on with the process of the one before if
    /// that is set up rightly.
    fn turn(&self, installed: &Installed, outcomes: &mut Vec<Outcome>) {
        let mut running: Option<(Setup, Result<Proxy, String>)> = None;
        let fits = |scenario: &&&Scenario| installed.side.cannot(scenario).is_none();
        for scenario in self.scenarios.iter().filter(fits) {
            running = running
                .filter(|(setup, _)| *setup == scenario.setup && !scenario.needs_fresh_process());
            let (_, proxy) =
                running.get_or_insert_with(|| (scenario.setup, self.start(installed, scenario)));
            let sample = match proxy {
                Ok(proxy) => self.stand.measure(proxy, scenario),
                Err(reason) => Err(reason.clone()),
            };
            tell(scenario, &sample);
            outcomes.push(Outcome { side: installed.side, scenario: scenario.name, sample });
            running = running.filter(|_| !scenario.needs_fresh_process());
        }
    }

    fn start(&self, installed: &Installed, first: &Scenario) -> Result<Proxy, String> {
        let Stand { cores, upstream, credentials, .. } = self.stand;
        Proxy::start(installed, cores.proxy, upstream.port, credentials, first, self.scratch)
    }
}

fn tell(scenario: &Scenario, sample: &Result<Sample, String>) {
    let text = match sample {
        Ok(sample) => {
            let figures = sample.iter().map(|(metric, value)| {
                let Column { title, decimals, .. } = metric.column();
                format!("{title} {value:.decimals$}")
            });
            figures.collect::<Vec<_>>().join(", ")
        }
        Err(reason) => reason.clone(),
    };
    eprintln!("  {}: {text}", scenario.name);
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

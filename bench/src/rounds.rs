//! The run: which sides there are, and the rounds in which they take turns. A round starts every
//! side afresh and goes through the scenarios, in each from side to side, so that what is held against
//! each other is measured within seconds; who comes first moves on by one side each round.

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

/// A side in a round, with its process of the last scenario.
struct Turn<'a> {
    installed: &'a Installed,
    running: Option<(Setup, Proxy)>,
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
        let open =
            self.scenarios.iter().find(|scenario| matches!(scenario.load, Load::Open { .. }));
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
            let order: Vec<_> = installed[first..].iter().chain(&installed[..first]).collect();
            self.round(round, &order, &mut outcomes);
        }
        outcomes
    }

    fn round(&self, round: u32, order: &[&Installed], outcomes: &mut Vec<Outcome>) {
        let mut turns: Vec<_> =
            order.iter().map(|installed| Turn { installed, running: None }).collect();
        for scenario in self.scenarios {
            eprintln!("round {} of {}: {}", round + 1, self.rounds, scenario.heading());
            let able = |turn: &&mut Turn| turn.installed.side.cannot(scenario).is_none();
            for turn in turns.iter_mut().filter(able) {
                let sample = self.take(turn, scenario);
                tell(turn.installed.side, &sample);
                outcomes.push(Outcome {
                    side: turn.installed.side,
                    scenario: scenario.name,
                    sample,
                });
            }
        }
    }

    /// One side's turn in a scenario. It goes on with the process of the scenario before if that is set
    /// up rightly.
    fn take(&self, turn: &mut Turn, scenario: &Scenario) -> Result<Sample, String> {
        let fits =
            |(setup, _): &(Setup, _)| *setup == scenario.setup && !scenario.needs_fresh_process();
        if !turn.running.as_ref().is_some_and(fits) {
            // The process of before ends before another one begins.
            turn.running = None;
            turn.running = Some((scenario.setup, self.start(turn.installed, scenario)?));
        }
        let (_, proxy) = turn.running.as_ref().ok_or("is not running")?;
        let sample = self.stand.measure(proxy, scenario);
        if scenario.needs_fresh_process() {
            turn.running = None;
        }
        sample
    }

    fn start(&self, installed: &Installed, first: &Scenario) -> Result<Proxy, String> {
        let Stand { cores, upstream, credentials, .. } = self.stand;
        Proxy::start(installed, cores, upstream.port, credentials, first, self.scratch)
    }
}

fn tell(side: Side, sample: &Result<Sample, String>) {
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
    eprintln!("  {}: {text}", side.title());
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

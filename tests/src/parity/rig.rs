//! Runs cases through proxies.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use super::bootstrap::bootstrap;
use super::stats::chosen;
use super::{Case, Observation};
use crate::admin::Stats;
use crate::client::{Transcript, play};
use crate::normalize;
use crate::port::{RefusingPort, SilentPort};
use crate::proxy::{Program, Proxy};
use crate::template::Values;
use crate::upstream::Upstream;
use crate::wait::{PATIENCE, poll_for};

/// How long Envoy's counters and log lines are waited for: no longer, as some cases have none. What Envoy has shown is waited
/// for as anything is.
const SETTLING_PATIENCE: Duration = Duration::from_secs(2);
/// How long a log stands still until no further line is expected; some flush intervals.
const STANDSTILL: Duration = Duration::from_millis(400);

/// How long a copy of a request may take to come where nothing tells how many will.
const MIRROR_PAUSE: Duration = Duration::from_millis(200);

/// Runs every case through Envoy and through ringmain on each engine; fails with all differences.
#[track_caller]
pub fn compare(cases: Vec<Case>) {
    let cases = selected(cases);
    let expected = observe(Program::Envoy, &cases, &[]);
    let mut failures = unmet_expectations(&cases, &expected);
    if std::env::var_os("PARITY_SHOW").is_some() {
        for (case, observation) in cases.iter().zip(&expected) {
            eprintln!("=== {}\n{observation}", case.name);
        }
    } else {
        for program in Program::ringmains() {
            let observed = observe(program, &cases, &expected);
            failures += &differences(program, &cases, &expected, &observed);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Runs every case through `program`. Stats are polled until they are those of `expected`, where
/// that is given, since a proxy may publish them a little later than it answers.
#[track_caller]
pub fn observe(program: Program, cases: &[Case], expected: &[Observation]) -> Vec<Observation> {
    assert_unique(cases);
    let rig = Rig::start(program, cases);
    cases
        .iter()
        .enumerate()
        .map(|(index, case)| rig.observe(index, case, expected.get(index)))
        .collect()
}

fn selected(cases: Vec<Case>) -> Vec<Case> {
    match std::env::var("PARITY_CASE") {
        Ok(name) => cases.into_iter().filter(|case| case.name == name).collect(),
        Err(_) => cases,
    }
}

fn assert_unique(cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "every case of a list has a name of its own");
}

/// A case whose reference run does not show what the case is about proves nothing.
fn unmet_expectations(cases: &[Case], expected: &[Observation]) -> String {
    let mut text = String::new();
    for (case, observation) in cases.iter().zip(expected) {
        let whole = observation.to_string();
        let missing = case.shown.iter().filter(|shown| !whole.contains(**shown));
        let present = case.absent.iter().filter(|absent| whole.contains(**absent));
        for expectation in missing.chain(present) {
            let _ = writeln!(
                text,
                "=== {}: `{expectation}` is not as expected in envoy's\n{whole}",
                case.name
            );
        }
    }
    text
}

fn differences(
    program: Program,
    cases: &[Case],
    expected: &[Observation],
    observed: &[Observation],
) -> String {
    let mut text = String::new();
    for (case, (expected, observed)) in cases.iter().zip(expected.iter().zip(observed)) {
        if let Some(difference) = expected.difference(observed) {
            let _ = write!(text, "=== {} through {program}\n{difference}", case.name);
        }
    }
    text
}

/// A proxy with all cases loaded, and their upstreams.
struct Rig {
    proxy: Proxy,
    upstreams: Vec<Upstream>,
    mirrors: Vec<Upstream>,
    refusing: RefusingPort,
    silent: SilentPort,
}

impl Rig {
    #[track_caller]
    fn start(program: Program, cases: &[Case]) -> Self {
        let upstreams: Vec<Upstream> =
            cases.iter().map(|case| Upstream::start(case.script())).collect();
        let mirrors: Vec<Upstream> =
            cases.iter().map(|case| Upstream::start(case.mirror_script())).collect();
        let (refusing, silent) = (RefusingPort::bind(), SilentPort::bind());
        let mut values = Values::from([
            ("refused_port".into(), refusing.address().port().to_string()),
            ("silent_port".into(), silent.address().port().to_string()),
        ]);
        for ((case, upstream), mirror) in cases.iter().zip(&upstreams).zip(&mirrors) {
            values.insert(format!("upstream_{}", case.name), upstream.address().port().to_string());
            values.insert(format!("mirror_{}", case.name), mirror.address().port().to_string());
        }
        let proxy = Proxy::start(program, &bootstrap(cases), &values);
        Self { proxy, upstreams, mirrors, refusing, silent }
    }

    fn observe(&self, index: usize, case: &Case, expected: Option<&Observation>) -> Observation {
        let (upstream, mirror) = (&self.upstreams[index], &self.mirrors[index]);
        let transcript = play(self.proxy.port(&format!("listener_{}", case.name)), &case.steps);
        upstream.settle();
        if let Some(expected) = expected {
            // A copy goes its own way, so nothing else tells when it has come.
            let arrived = || (lines_of(mirror) >= expected.mirror.lines().count()).then_some(());
            let _compared_anyway = poll_for(PATIENCE, arrived);
        } else if case.uses_mirror() {
            std::thread::sleep(MIRROR_PAUSE);
        }
        mirror.settle();
        self.wait_until_idle(case, transcript.local_ports.len() as u64);
        self.wait_for_ends(case, upstream);
        let ports = self.port_names(index, case, &transcript);
        let normal = |text: &str| normalize::ports(text, &ports);
        let expected_lines =
            |of: fn(&Observation) -> &str| expected.map(|expected| of(expected).lines().count());
        let log = self.log_lines(case, "log", expected_lines(|expected| &expected.log));
        let details = self.log_lines(case, "details", expected_lines(|expected| &expected.details));
        let observation = Observation {
            client: normalize::headers(&normal(&transcript.text)),
            upstream: normalize::headers(&normal(&upstream.transcript())),
            mirror: normalize::headers(&normal(&mirror.transcript())),
            log: log.lines().map(|line| log_line(case, &normal(line))).collect(),
            details: normal(&details),
            own_logs: normal(&self.own_logs(case, expected)),
            stats: self.settled_stats(case, expected),
        };
        assert!(
            !observation.to_string().contains("TIMED OUT"),
            "{}: a peer waited in vain\n{observation}",
            case.name
        );
        observation
    }

    /// The client has closed its connections: waits until the proxy has noticed. One that is still in the listener's backlog
    /// is not active, but none is gone before it was counted.
    fn wait_until_idle(&self, case: &Case, connections: u64) {
        let idle = poll_for(PATIENCE, || {
            let accepted = self.stat(case, "downstream_cx_total") >= connections;
            (accepted && self.stat(case, "downstream_cx_active") == 0).then_some(())
        });
        assert!(
            idle.is_some(),
            "{}: the proxy keeps a connection that its client closed",
            case.name
        );
    }

    /// Waits until the proxy has noticed which connections its upstream has ended.
    fn wait_for_ends(&self, case: &Case, upstream: &Upstream) {
        let active = format!("cluster.{}_cluster.upstream_cx_active", case.name);
        let noticed = poll_for(PATIENCE, || {
            let connections = upstream.connections();
            let open = connections.iter().filter(|connection| connection.end.is_none()).count();
            (self.proxy.admin().stat(&active) <= open as u64).then_some(())
        });
        let name = case.name;
        assert!(noticed.is_some(), "{name}: the proxy keeps a connection that its upstream closed");
    }

    fn stat(&self, case: &Case, leaf: &str) -> u64 {
        self.proxy.admin().stat(&format!("http.{}.{leaf}", case.name))
    }

    fn stats(&self, case: &Case) -> Stats {
        chosen(case.name, self.proxy.admin().stats(case.name))
    }

    /// The stats once they are the expected ones, or, with nothing to expect, stand still.
    fn settled_stats(&self, case: &Case, expected: Option<&Observation>) -> Stats {
        let mut last = self.stats(case);
        let settled = poll_for(patience(expected), || {
            let previous = std::mem::replace(&mut last, self.stats(case));
            let settled = expected.map_or(last == previous, |expected| last == expected.stats);
            settled.then(|| last.clone())
        });
        settled.unwrap_or(last)
    }

    /// What the case's own logs hold once they hold as many lines as expected. Without an
    /// expectation, once they stand still: a filter may leave out any line.
    fn own_logs(&self, case: &Case, expected: Option<&Observation>) -> String {
        if case.access_logs.is_empty() {
            return String::new();
        }
        let read = || ["text", "json"].map(|end| self.proxy.file(&format!("{}.{end}", case.name)));
        let mut last = read().concat();
        let mut changed = Instant::now();
        let settled = poll_for(patience(expected), || {
            let previous = std::mem::replace(&mut last, read().concat());
            if last != previous {
                changed = Instant::now();
            }
            let lines = last.lines().count();
            let wanted = expected.map(|expected| expected.own_logs.lines().count());
            // The two files are flushed one after the other.
            let stands_still = changed.elapsed() >= STANDSTILL;
            let settled = wanted.map_or(stands_still, |wanted| lines >= wanted);
            settled.then(|| last.clone())
        });
        settled.unwrap_or(last)
    }

    /// A log file once it holds as many lines as expected, or, with nothing to expect, one for each request; what it holds
    /// when that never comes.
    fn log_lines(&self, case: &Case, end: &str, expected: Option<usize>) -> String {
        let requests = || self.stat(case, "downstream_rq_total") * case.lines_per_request();
        let count = expected.map_or_else(requests, |count| count as u64);
        let file = format!("{}.{end}", case.name);
        let complete = poll_for(patience(expected), || {
            let text = self.proxy.file(&file);
            (text.lines().count() as u64 >= count).then_some(text)
        });
        complete.unwrap_or_else(|| self.proxy.file(&file))
    }

    fn port_names<'a>(
        &self,
        index: usize,
        case: &Case,
        transcript: &Transcript,
    ) -> Vec<(u16, &'a str)> {
        let mut names = vec![
            (self.proxy.port(&format!("listener_{}", case.name)), "listener"),
            (self.upstreams[index].address().port(), "upstream"),
            (self.mirrors[index].address().port(), "mirror"),
            (self.refusing.address().port(), "refused"),
            (self.silent.address().port(), "silent"),
        ];
        names.extend(transcript.local_ports.iter().map(|port| (*port, "client")));
        names
    }
}

fn patience<T>(expected: Option<T>) -> Duration {
    if expected.is_some() { PATIENCE } else { SETTLING_PATIENCE }
}

fn log_line(case: &Case, line: &str) -> String {
    let line = normalize::log_line(line) + "\n";
    if case.any_size { normalize::bytes_sent(&line) } else { line }
}

fn lines_of(upstream: &Upstream) -> usize {
    upstream.transcript().lines().count()
}

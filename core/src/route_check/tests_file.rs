//! `--tests`: a table of requests and what is expected of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use super::answer::{Answer, answer};
use super::question::{CLIENT, Question};
use super::tables::Tables;
use super::{CheckError, Outcome};

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    /// Said when it fails; default: method and URL.
    name: Option<String>,
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    listener: Option<String>,
    #[serde(default = "client")]
    client: IpAddr,
    #[serde(default)]
    random: u64,
    expect: Expectation,
}

/// What is to become of a request; what is absent may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    virtual_host: Option<String>,
    /// By name or by place, from 0.
    route: Option<String>,
    cluster: Option<String>,
    status: Option<u16>,
    location: Option<String>,
    path: Option<String>,
    host: Option<String>,
}

fn get() -> String {
    "GET".into()
}

fn client() -> IpAddr {
    CLIENT
}

/// Runs the table in the file `path` and writes every failure to `out`.
pub fn run(path: &Path, tables: &Tables, out: &mut impl Write) -> Result<Outcome, CheckError> {
    let origin = path.display();
    let named = |error: String| CheckError(format!("{origin}: {error}"));
    let text = std::fs::read_to_string(path)
        .map_err(|error| CheckError(format!("cannot read '{origin}': {error}")))?;
    let tests: Vec<Test> = serde_yaml::from_str(&text).map_err(|error| named(error.to_string()))?;
    if tests.is_empty() {
        return Err(named("there is no test".into()));
    }
    let (count, mut failed) = (tests.len(), 0);
    let write = |error: std::io::Error| CheckError(format!("cannot write: {error}"));
    for (at, test) in tests.into_iter().enumerate() {
        let (label, question, expect) = test.parts();
        let in_test = |message: String| named(format!("test {} ({label}): {message}", at + 1));
        if expect.pairs(&Answer::default()).is_empty() {
            return Err(in_test("it expects nothing".into()));
        }
        let answer = answer(&question, tables).map_err(|error| in_test(error.to_string()))?;
        let failures = expect.failures(&answer);
        if !failures.is_empty() {
            failed += 1;
            writeln!(out, "FAILED test {} ({label})", at + 1).map_err(write)?;
            for failure in failures {
                writeln!(out, "  {failure}").map_err(write)?;
            }
        }
    }
    writeln!(out, "{} of {count} tests passed", count - failed).map_err(write)?;
    Ok(if failed == 0 { Outcome::Good } else { Outcome::Bad })
}

impl Test {
    fn parts(self) -> (String, Question, Expectation) {
        let label = self.name.unwrap_or_else(|| format!("{} {}", self.method, self.url));
        let question = Question {
            method: self.method,
            url: self.url,
            headers: self.headers.into_iter().collect(),
            listener: self.listener,
            client: self.client,
            random: self.random,
        };
        (label, question, self.expect)
    }
}

impl Expectation {
    /// What is expected beside what is.
    fn pairs(&self, answer: &Answer) -> Vec<(&'static str, String, Option<String>)> {
        let host = answer.virtual_host.as_ref().map(|(name, _)| name.clone());
        let route = answer.route.as_ref().map(|(route, _)| match &self.route {
            Some(wanted) if *wanted == route.index.to_string() => wanted.clone(),
            Some(wanted) if *wanted == route.name => wanted.clone(),
            _ => route.to_string(),
        });
        let status = |status: u16| status.to_string();
        [
            ("virtual_host", self.virtual_host.clone(), host),
            ("route", self.route.clone(), route),
            ("cluster", self.cluster.clone(), answer.cluster.clone()),
            ("status", self.status.map(status), answer.status.map(status)),
            ("location", self.location.clone(), answer.location.clone()),
            ("path", self.path.clone(), answer.path.clone()),
            ("host", self.host.clone(), answer.host.clone()),
        ]
        .into_iter()
        .filter_map(|(name, wanted, is)| Some((name, wanted?, is)))
        .collect()
    }

    fn failures(&self, answer: &Answer) -> Vec<String> {
        let pairs = self.pairs(answer).into_iter();
        let failed = pairs.filter(|(_, wanted, is)| is.as_ref() != Some(wanted));
        let told = failed.map(|(name, wanted, is)| match is {
            Some(is) => format!("{name} is '{is}', expected '{wanted}'"),
            None => format!("there is no {name}, expected '{wanted}'"),
        });
        told.collect()
    }
}

//! Responses that an upstream sends, and what becomes of them.

use std::collections::BTreeMap;

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::Program;

use super::peer::{Script, Then};
use super::rig::{Arrival, DATE, Rig, splits, without_dates};
use super::wire;

/// A rule, the bytes that put it to the test, and the outcome.
#[derive(Debug, Clone)]
pub struct Case {
    rule: &'static str,
    method: &'static str,
    version: &'static str,
    script: Script,
    outcome: Outcome,
    reuse: bool,
    /// Not split: too long, or without an end.
    whole_only: bool,
    /// Where the response ends, if the upstream sends more than that.
    end: Option<usize>,
}

/// What must come of a case.
#[derive(Debug, Clone)]
enum Outcome {
    /// The client gets this; chunks may be cut anew. The log says so.
    Passed { client: String, log: &'static str },
    /// The response breaks off: the client gets what a broken one is replaced with, or a response
    /// without a good ending and then the connection's end. One of these lines is in the log.
    Cut { logs: Vec<&'static str> },
}

/// The log lines of a response that breaks HTTP.
pub const PROTOCOL: &str = "UPE upstream_reset_before_response_started{protocol_error}";
const CUT_BY_ERROR: &str = "UPE upstream_reset_after_response_started{protocol_error}";

/// A response with these further lines, behind its status line.
pub fn with(lines: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}")
}

/// What the client gets of a response with these lines of the upstream's.
pub fn passed_with(status: &str, lines: &str, end: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{lines}date: {DATE}\r\nserver: envoy\r\n{end}\r\n{body}")
}

/// What the client gets of a plain response of two bytes.
pub fn plain() -> String {
    passed_with("200 OK", "content-length: 2\r\n", "", "ok")
}

/// What the client gets of a chunked response.
pub fn in_chunks(chunks: &str) -> String {
    passed_with("200 OK", "", "transfer-encoding: chunked\r\n", chunks)
}

/// An answer of the proxy's own in the response's place.
pub fn replaced(status: &str, body: &str) -> String {
    let lines = format!("content-length: {}\r\ncontent-type: text/plain\r\n", body.len());
    passed_with(status, &lines, "", body)
}

fn bad_gateway() -> String {
    let reason =
        "upstream connect error or disconnect/reset before headers. reset reason: protocol error";
    replaced("502 Bad Gateway", reason)
}

fn case(rule: &'static str, bytes: impl Into<Vec<u8>>, outcome: Outcome) -> Case {
    let script = Script { bytes: bytes.into(), then: Then::KeepOpen };
    let (method, version) = ("GET", "HTTP/1.1");
    Case { rule, method, version, script, outcome, reuse: false, whole_only: false, end: None }
}

/// Passed on, and the connection serves another request.
pub fn passed(rule: &'static str, bytes: impl Into<Vec<u8>>, client: impl Into<String>) -> Case {
    Case { reuse: true, ..passed_last(rule, bytes, client) }
}

/// Passed on, and the connection serves no other request.
pub fn passed_last(
    rule: &'static str,
    bytes: impl Into<Vec<u8>>,
    client: impl Into<String>,
) -> Case {
    case(rule, bytes, Outcome::Passed { client: client.into(), log: "- via_upstream" })
}

/// Passed on without the bytes behind its end, which nobody gets, and the connection serves no other
/// request.
pub fn excess(rule: &'static str, response: &str, excess: &str, client: impl Into<String>) -> Case {
    let end = Some(response.len());
    Case { end, ..passed_last(rule, format!("{response}{excess}"), client) }
}

/// Replaced with 502.
pub fn refused(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    case(rule, bytes, Outcome::Passed { client: bad_gateway(), log: PROTOCOL })
}

/// Replaced with this, and this in the log.
pub fn ended(
    rule: &'static str,
    bytes: impl Into<Vec<u8>>,
    client: impl Into<String>,
    log: &'static str,
) -> Case {
    case(rule, bytes, Outcome::Passed { client: client.into(), log })
}

/// Broken behind its head.
pub fn broken(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    case(rule, bytes, Outcome::Cut { logs: vec![PROTOCOL, CUT_BY_ERROR] })
}

/// Cut off by the upstream's close behind its head.
pub fn truncated(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    case(rule, bytes, Outcome::Cut { logs: vec![CUT_BY_ERROR] }).then(Then::Close)
}

impl Case {
    /// What the upstream does behind its bytes.
    pub fn then(self, then: Then) -> Self {
        let whole_only = self.whole_only || then == Then::Repeat;
        Self { script: Script { then, ..self.script }, whole_only, ..self }
    }

    /// The request's method.
    pub fn to(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The request's version.
    pub fn for_version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }
}

/// Runs `cases` on each engine, each whole and split at each byte.
pub fn check(cases: &[Case]) {
    check_with("", "timeout: 0s", cases);
}

/// As [`check`], with further fields of the connection manager and of the route.
pub fn check_with(hcm: &str, route: &str, cases: &[Case]) {
    std::thread::scope(|scope| {
        for program in Program::ringmains() {
            scope.spawn(move || check_one(program, hcm, route, cases));
        }
    });
}

fn check_one(program: Program, hcm: &str, route: &str, cases: &[Case]) {
    let mut rig = Rig::start(program, hcm, route);
    let mut failures = String::new();
    for case in cases {
        let place = format!("{program}, {}", case.rule);
        let mut batches = vec![vec![Arrival::Whole]];
        if !case.whole_only {
            // A response that has ended frees its connection, where bytes that come behind a request
            // can only be its response. So they come before: see `check_late_excess`.
            let late = |arrival: &Arrival| match arrival {
                Arrival::Split(at) => case.end == Some(*at),
                Arrival::Trickle => case.end.is_some(),
                Arrival::Whole => false,
            };
            batches.extend(splits(case.script.bytes.len()));
            batches[1..].iter_mut().for_each(|batch| batch.retain(|arrival| !late(arrival)));
        }
        for arrivals in batches {
            if let Err(failure) = check_arrivals(&mut rig, case, &arrivals, &place) {
                let sent = case.script.bytes.escape_ascii().to_string();
                failures += &format!("=== {place}\n{:.300}\n{failure}\n", sent);
                // What is still under way would disturb the next case.
                rig = Rig::start(program, hcm, route);
                break;
            }
        }
        if let Some(end) = case.end {
            check_late_excess(&mut rig, case, end, &place);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Bytes behind a response that come when its connection is idle already: whoever is next does not
/// get them.
fn check_late_excess(rig: &mut Rig, case: &Case, end: usize, place: &str) {
    rig.peer.set_script(case.script.clone());
    let mut client = rig.connect();
    client.send(format!("{} /script/{end} HTTP/1.1\r\nhost: a.example\r\n\r\n", case.method));
    let Outcome::Passed { client: expected, .. } = &case.outcome else { return };
    assert_eq!(without_dates(&client.read_bytes(expected.len())), *expected, "{place}");
    rig.peer.release(1);
    rig.follow(3, &format!("{place}, late"));
    rig.peer.wait_for_scripted_closed();
    rig.peer.take_requests();
    rig.log(1, place);
}

fn check_arrivals(
    rig: &mut Rig,
    case: &Case,
    arrivals: &[Arrival],
    place: &str,
) -> Result<(), String> {
    rig.peer.set_script(case.script.clone());
    let mut clients: Vec<Client> = arrivals.iter().map(|_| rig.connect()).collect();
    let mut halting = 0;
    for (client, arrival) in clients.iter_mut().zip(arrivals) {
        let split = match arrival {
            Arrival::Whole => case.script.bytes.len().to_string(),
            Arrival::Split(at) => at.to_string(),
            Arrival::Trickle => "trickle".to_owned(),
        };
        halting += usize::from(matches!(arrival, Arrival::Split(_)));
        let Case { method, version, .. } = case;
        client.send(format!("{method} /script/{split} {version}\r\nhost: a.example\r\n\r\n"));
    }
    rig.peer.wait_for_halted(halting);
    if halting > 0 {
        rig.pass_barrier(place);
    }
    // A peer that sends without an end may never learn that nobody reads.
    let endless = case.script.then == Then::Repeat;
    rig.peer.release(if endless { 0 } else { arrivals.len() });
    // Before anything is read, so that what comes late meets these.
    if !endless {
        rig.follow(arrivals.len(), place);
    }
    for (client, arrival) in clients.into_iter().zip(arrivals) {
        check_client(case, client, *arrival).map_err(|error| format!("{arrival:?}: {error}"))?;
    }
    rig.assert_faultless(place);
    rig.peer.take_requests();
    if !case.reuse && !endless {
        rig.peer.wait_for_scripted_closed();
    } else if case.reuse && rig.peer.scripted_open() == 0 {
        return Err("the connections were closed".to_owned());
    }
    check_log(case, &rig.log(arrivals.len(), place))
}

fn check_client(case: &Case, mut client: Client, arrival: Arrival) -> Result<(), String> {
    let mut received = Vec::new();
    let expected = match &case.outcome {
        Outcome::Passed { client, .. } => client.clone(),
        Outcome::Cut { .. } => bad_gateway_to(case),
    };
    // A client of HTTP/1.0 waits for the close, whose kind tells whether the ending is good.
    while case.version == "HTTP/1.1" && !is_whole(&without_dates(&received), &expected) {
        match &client.read_bytes(1)[..] {
            [] => break,
            byte => received.extend_from_slice(byte),
        }
    }
    if case.version == "HTTP/1.1" {
        client.half_close();
    }
    let (rest, how) = client.read_to_end();
    received.extend(rest);
    let received = without_dates(&received);
    let told = |text: &str| Err(format!("{text}: {received:?} and {how:?}"));
    if how == End::TimedOut {
        return told("nothing more comes");
    }
    match &case.outcome {
        Outcome::Passed { client: expected, .. } => {
            let same = match arrival {
                Arrival::Whole => received == *expected,
                _ => wire::joined_response(&received) == wire::joined_response(expected),
            };
            if same { Ok(()) } else { told("the client got") }
        }
        Outcome::Cut { .. } if received == bad_gateway_to(case) => Ok(()),
        Outcome::Cut { .. } => {
            let begun = received.starts_with(&format!("{} 200 OK\r\n", case.version));
            let until_close = !received.contains("content-length") && !received.contains("chunked");
            let ended_well = match until_close {
                true => how == End::Closed,
                false => wire::joined_response(&received).is_some(),
            };
            if begun && !ended_well { Ok(()) } else { told("a good ending") }
        }
    }
}

/// Whether a response has come, whichever.
fn is_whole(received: &str, expected: &str) -> bool {
    received == expected
        || wire::joined_response(received).is_some_and(|_| {
            received.contains("content-length")
                || received.contains("chunked")
                || received.len() >= expected.len()
        })
}

fn bad_gateway_to(case: &Case) -> String {
    let reply = bad_gateway().replace("HTTP/1.1", case.version);
    match case.version {
        "HTTP/1.0" => reply.replace("server: envoy\r\n", "server: envoy\r\nconnection: close\r\n"),
        _ => reply,
    }
}

fn check_log(case: &Case, seen: &BTreeMap<String, usize>) -> Result<(), String> {
    let good = match &case.outcome {
        Outcome::Passed { log, .. } => seen.keys().eq([log]),
        Outcome::Cut { logs } => seen.keys().all(|line| logs.contains(&line.as_str())),
    };
    if good { Ok(()) } else { Err(format!("the log says {seen:?}")) }
}

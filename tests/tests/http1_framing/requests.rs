//! Cases that a client sends, and their outcomes.

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::Program;

use super::differential;
use super::rig::{Arrival, DATE, Rig, splits, without_dates};
use super::wire::{self, Request, nominated, text};

/// A rule, the bytes that put it to the test, and the outcome.
#[derive(Debug, Clone)]
pub struct Case {
    rule: &'static str,
    /// What the client sends on one connection.
    pub bytes: Vec<u8>,
    outcome: Outcome,
}

/// What must come of a case.
#[derive(Debug, Clone)]
enum Outcome {
    /// The client gets these bytes, the upstream these requests, the log these lines.
    Exact {
        client: String,
        /// The proxy closes behind its last byte.
        closes: bool,
        upstream: Vec<String>,
        log: Vec<&'static str>,
    },
    /// Begins like a proper request and then breaks: 400 with these details or a mere close; no
    /// whole request comes upstream.
    Broken { status: &'static str, log: &'static str },
    /// Never ends: when the client closes its side there is no answer, and no whole request came
    /// upstream.
    Unfinished,
}

impl Case {
    /// The rule that it puts to the test.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

/// The log line of a request that its upstream answered.
pub const SERVED: &str = "- via_upstream";

/// The upstream's answer to any request, as the client gets it.
pub fn ok() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: {DATE}\r\nserver: envoy\r\n\r\nok")
}

/// An answer of the proxy's own, which ends the connection.
pub fn refusal(status: &str, body: &str) -> String {
    if body.is_empty() {
        return format!(
            "HTTP/1.1 {status}\r\ndate: {DATE}\r\nserver: envoy\r\nconnection: close\r\n\
             content-length: 0\r\n\r\n"
        );
    }
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\ncontent-type: text/plain\r\ndate: {DATE}\r\n\
         server: envoy\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Refused with 400 as malformed; nothing goes upstream.
pub fn refused(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    refused_as(rule, bytes, "http1.codec_error")
}

/// Refused with 400 and these details.
pub fn refused_as(rule: &'static str, bytes: impl Into<Vec<u8>>, details: &'static str) -> Case {
    let log = match details {
        "http1.codec_error" => "DPE http1.codec_error",
        "http1.invalid_characters" => "DPE http1.invalid_characters",
        "http1.invalid_url" => "DPE http1.invalid_url",
        "http1.invalid_scheme" => "DPE http1.invalid_scheme",
        "http1.body_disallowed" => "DPE http1.body_disallowed",
        "http1.content_length_and_chunked_not_allowed" => {
            "DPE http1.content_length_and_chunked_not_allowed"
        }
        "http.invalid_authority" => "DPE http.invalid_authority",
        other => panic!("{other} is not among the details of a refusal"),
    };
    ended(rule, bytes, refusal("400 Bad Request", "Bad Request"), log)
}

/// Answered by the proxy with these bytes and closed; nothing goes upstream.
pub fn ended(
    rule: &'static str,
    bytes: impl Into<Vec<u8>>,
    client: String,
    log: &'static str,
) -> Case {
    let outcome = Outcome::Exact { client, closes: true, upstream: Vec::new(), log: vec![log] };
    Case { rule, bytes: bytes.into(), outcome }
}

/// Refused for its Transfer-Encoding.
pub fn refused_coding(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    let log = "DPE http1.invalid_transfer_encoding";
    ended(rule, bytes, refusal("501 Not Implemented", "Not Implemented"), log)
}

/// Refused for its version.
pub fn refused_version(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    ended(rule, bytes, refusal("426 Upgrade Required", "Upgrade Required"), "DPE low_version")
}

/// Refused for its size.
pub fn refused_size(rule: &'static str, bytes: impl Into<Vec<u8>>, log: &'static str) -> Case {
    let reason = "Request Header Fields Too Large";
    ended(rule, bytes, refusal(&format!("431 {reason}"), reason), log)
}

/// Refused for want of a host.
pub fn refused_host(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    ended(rule, bytes, refusal("400 Bad Request", ""), "- missing_host_header")
}

/// Answered by the upstream, which gets exactly these bytes.
pub fn forwarded(
    rule: &'static str,
    bytes: impl Into<Vec<u8>>,
    upstream: impl Into<String>,
) -> Case {
    all_forwarded(rule, bytes, vec![upstream.into()])
}

/// Several requests, all answered by the upstream.
pub fn all_forwarded(rule: &'static str, bytes: impl Into<Vec<u8>>, upstream: Vec<String>) -> Case {
    let client = ok().repeat(upstream.len());
    let log = vec![SERVED; upstream.len()];
    let outcome = Outcome::Exact { client, closes: false, upstream, log };
    Case { rule, bytes: bytes.into(), outcome }
}

/// As given: the client's bytes, whether the proxy closes, the requests upstream, the log lines.
pub fn exact(
    rule: &'static str,
    bytes: impl Into<Vec<u8>>,
    (client, closes): (String, bool),
    upstream: Vec<String>,
    log: Vec<&'static str>,
) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Exact { client, closes, upstream, log } }
}

/// Broken behind its head.
pub fn broken(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    let outcome = Outcome::Broken { status: "400 Bad Request", log: "DPE http1.codec_error" };
    Case { rule, bytes: bytes.into(), outcome }
}

/// Broken by its trailers' size.
pub fn broken_size(rule: &'static str, bytes: impl Into<Vec<u8>>, log: &'static str) -> Case {
    let outcome = Outcome::Broken { status: "431 Request Header Fields Too Large", log };
    Case { rule, bytes: bytes.into(), outcome }
}

/// Without an end.
pub fn unfinished(rule: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case { rule, bytes: bytes.into(), outcome: Outcome::Unfinished }
}

/// Runs `cases` on each engine, each whole and split at each byte.
pub fn check(cases: &[Case]) {
    check_with("", cases);
}

/// As [`check`], with further fields of the connection manager.
pub fn check_with(hcm: &str, cases: &[Case]) {
    if let Some(file) = differential::file() {
        // Further fields have no equal in other proxies.
        return if hcm.is_empty() {
            differential::record(cases, &file)
        };
    }
    std::thread::scope(|scope| {
        for program in Program::ringmains() {
            scope.spawn(move || check_one(program, hcm, cases));
        }
    });
}

fn check_one(program: Program, hcm: &str, cases: &[Case]) {
    let mut rig = Rig::start(program, hcm, "timeout: 0s");
    let mut failures = String::new();
    for case in cases {
        let place = format!("{program}, {}", case.rule);
        for arrivals in [vec![vec![Arrival::Whole]], splits(case.bytes.len())].concat() {
            if let Err(failure) = check_arrivals(&mut rig, case, &arrivals, &place) {
                failures += &format!("=== {place}\n{}\n{failure}\n", case.bytes.escape_ascii());
                // What is still under way would disturb the next case.
                rig = Rig::start(program, hcm, "timeout: 0s");
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn check_arrivals(
    rig: &mut Rig,
    case: &Case,
    arrivals: &[Arrival],
    place: &str,
) -> Result<(), String> {
    let clients = rig.send(&case.bytes, arrivals, place);
    for (client, arrival) in clients.into_iter().zip(arrivals) {
        check_client(case, client).map_err(|error| format!("{arrival:?}: {error}"))?;
    }
    rig.pass_barrier(place);
    rig.assert_faultless(place);
    let requests = rig.peer.take_requests();
    check_nominated(case, &requests)?;
    check_upstream(case, &requests, arrivals)?;
    check_log(rig, case, arrivals.len(), place)
}

fn check_client(case: &Case, mut client: Client) -> Result<(), String> {
    let received = match &case.outcome {
        Outcome::Exact { client: expected, closes: false, .. } => {
            let mut received = client.read_bytes(expected.len());
            client.half_close();
            received.extend(ended_well(client.read_to_end())?);
            received
        }
        Outcome::Exact { .. } | Outcome::Broken { .. } => ended_well(client.read_to_end())?,
        Outcome::Unfinished => {
            client.half_close();
            ended_well(client.read_to_end())?
        }
    };
    let received = without_dates(&received);
    let good = match &case.outcome {
        Outcome::Exact { client: expected, .. } => received == *expected,
        Outcome::Broken { status, .. } => {
            let body = status.split_once(' ').map_or("", |(_, reason)| reason);
            received == refusal(status, body)
        }
        Outcome::Unfinished => received.is_empty(),
    };
    if good { Ok(()) } else { Err(format!("the client got {received:?}")) }
}

fn ended_well((bytes, end): (Vec<u8>, End)) -> Result<Vec<u8>, String> {
    match end {
        End::TimedOut => Err(format!("nothing more comes after {:?}", text(&bytes))),
        End::Closed | End::Reset => Ok(bytes),
    }
}

fn check_upstream(case: &Case, seen: &[Request], arrivals: &[Arrival]) -> Result<(), String> {
    let Outcome::Exact { upstream, .. } = &case.outcome else {
        return match seen {
            [] => Ok(()),
            [request, ..] => Err(format!("whole at the upstream: {:?}", text(&request.raw))),
        };
    };
    let form = |request: &Request| match request.chunked && arrivals != [Arrival::Whole] {
        // Chunks are cut anew on their way.
        true => request.joined(),
        false => text(&request.raw),
    };
    let expected = upstream.iter().map(|bytes| {
        let bytes: Vec<u8> = bytes.chars().map(|byte| byte as u8).collect();
        match wire::read_request(&bytes) {
            Ok(Some((request, length))) if length == bytes.len() => form(&request),
            other => panic!("not one request: {bytes:?}: {other:?}"),
        }
    });
    let mut expected: Vec<String> =
        expected.flat_map(|request| vec![request; arrivals.len()]).collect();
    let mut seen: Vec<String> = seen.iter().map(form).collect();
    expected.sort_unstable();
    seen.sort_unstable();
    if seen == expected {
        return Ok(());
    }
    let odd = seen.iter().find(|request| !expected.contains(request));
    Err(format!("{} requests instead of {}, as {odd:?}", seen.len(), expected.len()))
}

/// RFC 9110 §7.6.1: nothing that `connection` names goes on, but for what frames the message.
fn check_nominated(case: &Case, seen: &[Request]) -> Result<(), String> {
    let [request, ..] = seen else { return Ok(()) };
    let names = nominated(&text(&case.bytes));
    let left = request.fields.iter().find(|(name, _)| {
        names.contains(name)
            && !matches!(name.as_str(), "content-length" | "transfer-encoding" | "te")
    });
    match left {
        Some((name, _)) => Err(format!("{name} was named in connection and went on")),
        None => Ok(()),
    }
}

fn check_log(rig: &mut Rig, case: &Case, count: usize, place: &str) -> Result<(), String> {
    let expected: Vec<&str> = match &case.outcome {
        Outcome::Exact { log, .. } => log.clone(),
        Outcome::Broken { log, .. } => vec![log],
        Outcome::Unfinished => vec!["DC downstream_remote_disconnect"],
    };
    let seen = rig.log(count * expected.len(), place);
    let mut wanted = std::collections::BTreeMap::new();
    for line in expected {
        *wanted.entry(line.to_owned()).or_insert(0) += count;
    }
    if seen == wanted { Ok(()) } else { Err(format!("the log says {seen:?}")) }
}

//! The load over HTTP/2: nghttp2's h2load, one thread, a closed loop on each stream, and what it
//! reports. It tells no percentiles.

use std::path::PathBuf;
use std::process::Stdio;

use crate::loaded::Loaded;
use crate::metric::Metric;
use crate::scenario::Scenario;
use crate::setup::Downstream;
use crate::summary::Sample;
use crate::{cpu, program};

/// Stops a run whose requests do not come to an end.
const TIMEOUT_SECONDS: u32 = 5;

/// Its release; none if it is not installed.
pub fn release() -> Option<String> {
    let line = program::first_line(&find()?, "--version");
    // `h2load nghttp2/1.52.0`
    program::release(&line).map(str::to_owned)
}

/// Loads `port` from `core` for `seconds`; any failed request is an error.
pub fn run(core: usize, port: u16, scenario: &Scenario, seconds: u32) -> Result<Loaded, String> {
    let program = find().ok_or("h2load is not on PATH (Debian: apt-get install nghttp2-client)")?;
    let downstream = scenario.setup.downstream;
    let output = cpu::pinned(core, &program)
        .args(["--threads", "1", "--clients", &scenario.connections.to_string()])
        .args(["--max-concurrent-streams", &scenario.streams.to_string()])
        .args(["--duration", &seconds.to_string()])
        .args(["--connection-inactivity-timeout", &TIMEOUT_SECONDS.to_string()])
        .args(["--npn-list", "h2", "--groups", "X25519"])
        .args(["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"])
        .arg(format!("{}://127.0.0.1:{port}{}", downstream.scheme(), scenario.path()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("h2load: {error}"))?;
    let protocol = if downstream == Downstream::Tls { "h2" } else { "h2c" };
    loaded(&String::from_utf8_lossy(&output.stdout), protocol)
}

fn find() -> Option<PathBuf> {
    program::find("h2load")
}

/// Reads h2load's report. It counts what ended well and drops what was on its way at the end.
fn loaded(report: &str, protocol: &str) -> Result<Loaded, String> {
    let line = |start: &str| report.lines().find_map(|line| line.trim().strip_prefix(start));
    let spoken = line("Application protocol: ").ok_or_else(|| unreadable(report))?;
    if spoken != protocol {
        return Err(format!("h2load spoke {spoken} instead of {protocol}"));
    }
    let requests = line("requests: ").ok_or_else(|| unreadable(report))?;
    let statuses = line("status codes: ").ok_or_else(|| unreadable(report))?;
    let succeeded = count(requests, "succeeded").ok_or_else(|| unreadable(report))?;
    let failed: Vec<String> = ["failed", "errored", "timeout"]
        .map(|what| (requests, what))
        .into_iter()
        .chain(["3xx", "4xx", "5xx"].map(|class| (statuses, class)))
        .filter(|&(counts, what)| count(counts, what) != Some(0))
        .map(|(counts, what)| format!("{} {what}", count(counts, what).unwrap_or_default()))
        .collect();
    if !failed.is_empty() {
        return Err(format!("requests went wrong: {}", failed.join(", ")));
    }
    let per_s = line("finished in ")
        .and_then(|rest| rest.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok())
        .ok_or_else(|| unreadable(report))?;
    if succeeded == 0 {
        return Err("no request was answered".into());
    }
    Ok(Loaded { requests: succeeded, figures: Sample::from([(Metric::RequestsPerS, per_s)]) })
}

/// The number before `what` in `1 done, 2 failed`.
fn count(counts: &str, what: &str) -> Option<u64> {
    let words = |part: &str| part.split_once(' ').map(|(n, name)| (n.to_owned(), name.to_owned()));
    let (number, _) = counts.split(", ").filter_map(words).find(|(_, name)| name == what)?;
    number.parse().ok()
}

fn unreadable(report: &str) -> String {
    format!("h2load: {}", report.lines().last().unwrap_or_default().trim())
}

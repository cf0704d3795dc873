//! The load: Debian's wrk, one thread, a closed loop, and what it reports.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;

use crate::error::Error;
use crate::loaded::Loaded;
use crate::metric::Metric;
use crate::scenario::Scenario;
use crate::summary::Sample;
use crate::{cpu, program, workspace};

/// An answer later than this is an error.
const TIMEOUT: &str = "5s";

/// wrk, installed, and the core that it runs on.
#[derive(Debug)]
pub struct Wrk {
    program: PathBuf,
    core: usize,
}

/// The line of JSON that `configs/load.lua` prints.
#[derive(Debug, Deserialize)]
struct Report {
    requests: u64,
    duration_us: u64,
    p50_us: u64,
    p99_us: u64,
    connect_errors: u64,
    read_errors: u64,
    write_errors: u64,
    status_errors: u64,
    timeouts: u64,
}

impl Wrk {
    /// Finds it.
    pub fn find(core: usize) -> Result<Self, Error> {
        let program = program::find("wrk")
            .ok_or(Error::Missing { name: "wrk", cure: "Debian: apt-get install wrk" })?;
        Ok(Self { program, core })
    }

    /// Its release.
    pub fn release(&self) -> String {
        program::release(&program::first_line(&self.program, "-v")).unwrap_or_default().to_owned()
    }

    /// Loads `port` for `seconds`; any failed request is an error.
    pub fn run(&self, port: u16, scenario: &Scenario, seconds: u32) -> Result<Loaded, String> {
        let is_named = scenario.setup.hosts > 0;
        // A name for each thread, and so one for each connection.
        let threads = if is_named { scenario.connections } else { 1 };
        let output = cpu::pinned(self.core, &self.program)
            .args(["--threads", &threads.to_string(), "--latency", "--timeout", TIMEOUT])
            .args(["--connections", &scenario.connections.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .arg(configs().join("load.lua"))
            .arg(format!(
                "{}://127.0.0.1:{port}{}",
                scenario.setup.downstream.scheme(),
                scenario.path()
            ))
            .args(["--", &scenario.request_bytes.to_string()])
            .arg(if scenario.new_connection { "close" } else { "keep" })
            .arg(scenario.setup.virtual_hosts.to_string())
            .arg(if is_named { "named" } else { "unnamed" })
            .env("OPENSSL_CONF", configs().join("openssl.cnf"))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("wrk: {error}"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let report: Report =
            serde_json::from_str(text.trim()).map_err(|_| format!("wrk: {}", text.trim()))?;
        report.loaded()
    }
}

fn configs() -> PathBuf {
    workspace::root().join("bench/configs")
}

impl Report {
    fn loaded(&self) -> Result<Loaded, String> {
        let errors = [
            (self.status_errors, "answers were not 2xx or 3xx"),
            (self.connect_errors, "connections failed"),
            (self.read_errors, "reads failed"),
            (self.write_errors, "writes failed"),
            (self.timeouts, "requests timed out"),
        ];
        let told: Vec<String> = errors
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let duration = Duration::from_micros(self.duration_us);
        match self.requests {
            _ if !told.is_empty() => Err(told.join(", ")),
            0 => Err("no request was answered".into()),
            requests => Ok(Loaded {
                requests,
                figures: Sample::from([
                    (Metric::RequestsPerS, requests as f64 / duration.as_secs_f64()),
                    (Metric::P50Us, self.p50_us as f64),
                    (Metric::P99Us, self.p99_us as f64),
                ]),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(requests: u64, status_errors: u64, timeouts: u64) -> Result<Loaded, String> {
        let (duration_us, p50_us, p99_us) = (1_000_000, 500, 900);
        let (connect_errors, read_errors, write_errors) = (0, 0, 0);
        Report {
            requests,
            duration_us,
            p50_us,
            p99_us,
            connect_errors,
            read_errors,
            write_errors,
            status_errors,
            timeouts,
        }
        .loaded()
    }

    #[test]
    fn a_load_with_failed_requests_is_an_error() {
        assert_eq!(load(1000, 0, 0).unwrap().figures[&Metric::RequestsPerS], 1000.0);
        assert_eq!(
            load(1000, 3, 1).unwrap_err(),
            "3 answers were not 2xx or 3xx, 1 requests timed out"
        );
        assert_eq!(load(0, 0, 0).unwrap_err(), "no request was answered");
    }
}

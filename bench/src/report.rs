//! The results as Markdown for people and as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::machine::Machine;
use crate::side::Side;
use crate::summary::{Figures, Row, Spread};

/// Everything a run found.
#[derive(Debug, Serialize)]
pub struct Results {
    pub machine: Machine,
    /// Release of wrk.
    pub wrk: String,
    pub rounds: u32,
    /// Length of one measurement.
    pub seconds: u32,
    pub skipped: Vec<Skipped>,
    /// By scenario, then by side.
    pub rows: Vec<Row>,
}

/// A side that is not there.
#[derive(Debug, Serialize)]
pub struct Skipped {
    pub side: &'static str,
    pub reason: String,
}

/// Writes `results.md` and `results.json` into `folder`; the answer is the Markdown.
pub fn write(results: &Results, folder: &Path) -> Result<String, Error> {
    let markdown = markdown(results);
    let json = serde_json::to_string_pretty(results).map_err(Error::system("results.json"))?;
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    for (name, text) in [("results.md", &markdown), ("results.json", &json)] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::file(path))?;
    }
    Ok(markdown)
}

fn markdown(results: &Results) -> String {
    let Machine { cpu, cores, kernel, commit } = &results.machine;
    let mut text = format!(
        "Commit {commit}; {cpu}, {cores} cores, Linux {kernel}; wrk {}; {} rounds of {} s. Median (min-max).\n",
        results.wrk, results.rounds, results.seconds
    );
    for rows in results.rows.chunk_by(|row, next| row.scenario.name == next.scenario.name) {
        table(&mut text, rows);
    }
    if results.rows.iter().any(Row::is_disturbed) {
        line(
            &mut text,
            format_args!(
                "\nDISTURBED: other processes ran on the proxy's core; ratios between rows do not hold. Repeat on a quiet machine."
            ),
        );
    }
    for Skipped { side, reason } in &results.skipped {
        line(&mut text, format_args!("\nNot measured: {side}: {reason}"));
    }
    text
}

fn table(text: &mut String, rows: &[Row]) {
    let Some(scenario) = rows.first().map(|row| row.scenario) else { return };
    line(text, format_args!("\n### {}, {} connections\n", scenario.title, scenario.connections));
    line(
        text,
        format_args!(
            "| | CPU us/request | to Envoy | to HAProxy | requests/s | p50 us | p99 us | RSS start MiB | RSS after MiB | start ms | others on core % |"
        ),
    );
    line(text, format_args!("|---|---|---|---|---|---|---|---|---|---|---|"));
    let cpu_of = |side| {
        rows.iter()
            .find(|row| row.side == side)?
            .outcome
            .as_ref()
            .ok()
            .map(|figures| figures.cpu_us.median)
    };
    let (envoy, haproxy) = (cpu_of(Side::Envoy), cpu_of(Side::Haproxy));
    for row in rows {
        let name = format!("{} {}", row.side.title(), row.release);
        match &row.outcome {
            Ok(figures) => {
                line(text, format_args!("| {} | {} |", name.trim(), cells(figures, envoy, haproxy)))
            }
            Err(reason) => line(
                text,
                format_args!(
                    "| {} | INVALID: {} | | | | | | | | | |",
                    name.trim(),
                    reason.replace('|', "/")
                ),
            ),
        }
    }
}

fn cells(figures: &Figures, envoy: Option<f64>, haproxy: Option<f64>) -> String {
    [
        with_range(figures.cpu_us, 1),
        ratio(figures.cpu_us.median, envoy),
        ratio(figures.cpu_us.median, haproxy),
        with_range(figures.requests_per_s, 0),
        format!("{:.0}", figures.p50_us.median),
        format!("{:.0}", figures.p99_us.median),
        format!("{:.1}", figures.rss_start_mib.median),
        format!("{:.1}", figures.rss_after_mib.median),
        format!("{:.0}", figures.start_ms.median),
        with_range(figures.others_percent, 0),
    ]
    .join(" | ")
}

fn with_range(spread: Spread, decimals: usize) -> String {
    format!("{:.decimals$} ({:.decimals$}-{:.decimals$})", spread.median, spread.min, spread.max)
}

/// This side's CPU per request as a share of the peer's.
fn ratio(own: f64, peer: Option<f64>) -> String {
    peer.map_or("-".into(), |peer| format!("{:.2}", own / peer))
}

fn line(text: &mut String, arguments: std::fmt::Arguments) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{arguments}");
}

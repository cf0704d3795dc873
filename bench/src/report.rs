//! The results as Markdown for people and as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::machine::Machine;
use crate::metric::Metric;
use crate::side::Side;
use crate::summary::{Row, Spread};

/// Everything a run found.
#[derive(Debug, Serialize)]
pub struct Results {
    pub machine: Machine,
    /// Release of wrk.
    pub wrk: String,
    /// Release of h2load, if it is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub h2load: Option<String>,
    pub rounds: u32,
    /// Length of one measurement.
    pub seconds: u32,
    pub skipped: Vec<Skipped>,
    /// By scenario, then by side.
    pub rows: Vec<Row>,
}

/// A side that is not there or cannot do what a scenario asks for.
#[derive(Debug, Serialize)]
pub struct Skipped {
    pub side: &'static str,
    /// None: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<&'static str>,
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
    let h2load = results.h2load.iter().map(|release| format!(", h2load {release}"));
    let mut text = format!(
        "Commit {commit}; {cpu}, {cores} cores, Linux {kernel}; wrk {}{}; {} rounds of {} s. Median (min-max); ratios are those within a round.\n",
        results.wrk,
        h2load.collect::<String>(),
        results.rounds,
        results.seconds
    );
    let scenarios = || results.rows.chunk_by(|row, next| row.scenario.name == next.scenario.name);
    overview(&mut text, scenarios());
    scenarios().for_each(|rows| table(&mut text, rows));
    if results.rows.iter().any(Row::is_disturbed) {
        line(
            &mut text,
            format_args!(
                "\nDISTURBED: other processes ran on the proxy's core; ratios between rows do not hold. Repeat on a quiet machine."
            ),
        );
    }
    for Skipped { side, scenario, reason } in &results.skipped {
        let scenario = scenario.map(|name| format!(" in {name}")).unwrap_or_default();
        line(&mut text, format_args!("\nNot measured: {side}{scenario}: {reason}"));
    }
    text
}

/// A line for each scenario: ringmain's first figure, and how it compares.
fn overview<'a>(text: &mut String, scenarios: impl Iterator<Item = &'a [Row]>) {
    const PEERS: [Side; 4] = [Side::Envoy, Side::Nginx, Side::Haproxy, Side::Relay];
    let peers = PEERS.map(|peer| format!("to {}", peer.title())).join(" | ");
    line(text, format_args!("\n### ringmain on io_uring beside each\n"));
    line(text, format_args!("| | ringmain (io_uring) | {peers} | its epoll to it |"));
    line(text, format_args!("|{}", "---|".repeat(PEERS.len() + 3)));
    for rows in scenarios {
        let of = |side| rows.iter().find(|row| row.side == side);
        let Some(own) = of(Side::RingmainUring) else { continue };
        let Some(metric) = own.first_metric() else { continue };
        let figure = format!("{} {}", cell(own, metric), metric.column().title);
        let peers = PEERS.map(|peer| ratio(Some(own), of(peer), metric)).join(" | ");
        let epoll = ratio(of(Side::RingmainEpoll), Some(own), metric);
        let heading = own.scenario.heading();
        line(text, format_args!("| {heading} | {figure} | {peers} | {epoll} |"));
    }
}

/// The rows of one scenario.
fn table(text: &mut String, rows: &[Row]) {
    let Some(scenario) = rows.first().map(|row| row.scenario) else { return };
    line(text, format_args!("\n### {}\n", scenario.heading()));
    let metrics: Vec<Metric> = rows
        .iter()
        .find_map(|row| row.outcome.as_ref().ok())
        .map(|figures| figures.keys().copied().collect())
        .unwrap_or_default();
    let titles: Vec<&str> = metrics.iter().map(|metric| metric.column().title).collect();
    line(text, format_args!("| | {} |", titles.join(" | ")));
    line(text, format_args!("|{}", "---|".repeat(titles.len() + 1)));
    for row in rows {
        let name = format!("{} {}", row.side.title(), row.release);
        let cells = match &row.outcome {
            Ok(_) => {
                metrics.iter().map(|&metric| cell(row, metric)).collect::<Vec<_>>().join(" | ")
            }
            Err(reason) => {
                let rest = " |".repeat(titles.len().saturating_sub(1));
                format!("INVALID: {}{rest}", reason.replace('|', "/"))
            }
        };
        line(text, format_args!("| {} | {cells} |", name.trim()));
    }
}

fn cell(row: &Row, metric: Metric) -> String {
    let column = metric.column();
    match row.figure(metric) {
        Some(spread) if column.has_range => with_range(spread, column.decimals),
        Some(spread) => format!("{:.*}", column.decimals, spread.median),
        None => "-".into(),
    }
}

fn with_range(spread: Spread, decimals: usize) -> String {
    format!("{:.decimals$} ({:.decimals$}-{:.decimals$})", spread.median, spread.min, spread.max)
}

/// One side's figure as a share of another's.
fn ratio(row: Option<&Row>, peer: Option<&Row>, metric: Metric) -> String {
    match row.zip(peer).and_then(|(row, peer)| row.ratio_to(peer, metric)) {
        Some(spread) => with_range(spread, 2),
        None => "-".into(),
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{arguments}");
}

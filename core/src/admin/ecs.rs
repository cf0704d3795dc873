//! `/ecs`: where the pollers of AWS APIs stand, and why each task is in or out.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::listeners::Format;
use super::respond;
use crate::discovery::report::{ClusterReport, PollerReport};
use crate::server::Control;

/// Every poller, the clusters it serves, and a row for each task.
pub async fn list(State(control): State<Arc<Control>>, Query(format): Query<Format>) -> Response {
    let reports = control.reports();
    if format.is_json() {
        return respond::json(&json!({ "pollers": reports }));
    }
    let mut text = String::new();
    for report in &reports {
        write_poller(&mut text, report).expect("writing to memory does not fail");
    }
    if reports.is_empty() {
        text.push_str("no cluster is found by ECS or Cloud Map, or none was asked about yet\n");
    }
    respond::text(StatusCode::OK, text)
}

fn write_poller(text: &mut String, report: &PollerReport) -> std::fmt::Result {
    let PollerReport { kind, source, region, .. } = report;
    writeln!(text, "{kind}::{source}::{region}")?;
    writeln!(text, "  listing: {}", report.listing)?;
    for (key, value) in [
        ("last_poll", report.last_poll),
        ("last_success", report.last_success),
        ("next_poll", report.next_poll),
        ("interval_ms", report.interval_ms),
        ("throttled", report.throttled),
    ] {
        writeln!(text, "  {key}: {value}")?;
    }
    writeln!(text, "  expected_calls_per_second: {:.2}", report.expected_calls_per_second)?;
    for error in &report.errors {
        writeln!(text, "  error: {error}")?;
    }
    report.clusters.iter().try_for_each(|cluster| write_cluster(text, cluster))
}

fn write_cluster(text: &mut String, cluster: &ClusterReport) -> std::fmt::Result {
    writeln!(text, "  {}: {}, {} hosts", cluster.name, cluster.tasks_of, cluster.hosts)?;
    if let Some(stale) = &cluster.stale {
        writeln!(text, "    stale: {stale}")?;
    }
    for task in &cluster.tasks {
        writeln!(
            text,
            "    {} {} zone={} revision={} deployment={} desired={} last={} health={} weight={} {}",
            task.id,
            task.address.as_deref().unwrap_or("-"),
            or_dash(&task.zone),
            or_dash(&task.revision),
            or_dash(&task.deployment),
            or_dash(&task.desired_status),
            or_dash(&task.last_status),
            or_dash(&task.health_status),
            task.weight,
            task.reason,
        )?;
    }
    Ok(())
}

fn or_dash(value: &str) -> &str {
    if value.is_empty() { "-" } else { value }
}

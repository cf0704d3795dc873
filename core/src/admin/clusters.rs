//! `/clusters`.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use ringmain_config::cluster::RoutingPriority;
use ringmain_config::locality::Locality;
use serde_json::{Value, json};

use super::address::address_json;
use super::{respond, stats_query};
use crate::cluster::{Cluster, HealthFlag, Host, HostSet};
use crate::outlier_detection::Origin;
use crate::server::Control;
use crate::stats::Kind;

/// `?filter=RE&format=text|json`.
#[derive(Debug, serde::Deserialize)]
pub struct ClustersQuery {
    filter: Option<String>,
    format: Option<String>,
}

/// Clusters, their limits, and a row for each value of each host.
pub async fn list(
    State(control): State<Arc<Control>>,
    Query(query): Query<ClustersQuery>,
) -> Response {
    let filter = match query.filter.as_deref().map(stats_query::regex).transpose() {
        Ok(filter) => filter,
        Err(_) => return respond::bad_request("Invalid re2 regex"),
    };
    let all = control.compiled.clusters.iter().enumerate();
    let clusters = all.filter(|(_, cluster)| {
        filter.as_ref().is_none_or(|filter| filter.is_match(&cluster.config.name))
    });
    if query.format.as_deref() == Some("json") {
        let statuses: Vec<Value> =
            clusters.map(|(index, cluster)| describe(cluster, &control.hosts(index))).collect();
        return respond::json(&json!({ "cluster_statuses": statuses }));
    }
    let mut text = String::new();
    for (index, cluster) in clusters {
        write_cluster(&mut text, cluster, &control.hosts(index))
            .expect("writing to memory does not fail");
    }
    respond::text(StatusCode::OK, text)
}

/// Circuit breakers are shown with Envoy's defaults where the file sets none; `max_retries` is what
/// a `retry_budget` grants now.
fn limits(cluster: &Cluster, priority: RoutingPriority) -> [(&'static str, u32); 4] {
    let thresholds = cluster.config.circuit_breakers.of(priority);
    [
        ("max_connections", thresholds.max_connections),
        ("max_pending_requests", thresholds.max_pending_requests),
        ("max_requests", thresholds.max_requests),
        ("max_retries", cluster.breakers.max_retries(priority)),
    ]
}

fn write_cluster(text: &mut String, cluster: &Cluster, hosts: &HostSet) -> std::fmt::Result {
    let name = &cluster.config.name;
    writeln!(text, "{name}::observability_name::{}", cluster.stat_name())?;
    if let Some(detector) = &cluster.outlier_detector {
        for (prefix, origin) in ["", "local_origin_"].into_iter().zip(Origin::ALL) {
            let threshold = detector.threshold(origin);
            let average = percent(threshold.map(|threshold| threshold.average));
            let ejection = percent(threshold.map(|threshold| threshold.ejection));
            writeln!(text, "{name}::outlier::{prefix}success_rate_average::{average}")?;
            writeln!(text, "{name}::outlier::{prefix}success_rate_ejection_threshold::{ejection}")?;
        }
    }
    for (priority, of) in ["default", "high"].into_iter().zip(RoutingPriority::ALL) {
        for (limit, value) in limits(cluster, of) {
            writeln!(text, "{name}::{priority}_priority::{limit}::{value}")?;
        }
    }
    writeln!(text, "{name}::added_via_api::false")?;
    for host in &hosts.hosts {
        for (key, value) in host_rows(host) {
            writeln!(text, "{name}::{}::{key}::{value}", host.address_text)?;
        }
    }
    Ok(())
}

/// A host's counters by name, `rq_pending_active` among them, then what it is.
fn host_rows(host: &Host) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&'static str, String)> =
        counters(host).into_iter().map(|(name, _, value)| (name, value.to_string())).collect();
    rows.sort_unstable_by_key(|(name, _)| *name);
    rows.extend([
        ("hostname", host.hostname.clone()),
        ("health_flags", host.health().text()),
        ("weight", host.weight().to_string()),
        ("region", host.locality.region.clone()),
        ("zone", host.locality.zone.clone()),
        ("sub_zone", host.locality.sub_zone.clone()),
        ("metadata", metadata_text(host)),
        ("canary", host.is_canary().to_string()),
        ("priority", host.priority.to_string()),
        ("success_rate", percent(success_rate(host, Origin::External))),
        ("local_origin_success_rate", percent(success_rate(host, Origin::Local))),
    ]);
    // Envoy has no such row; hosts without metadata look as they do there.
    rows.retain(|(name, value)| *name != "metadata" || !value.is_empty());
    rows
}

/// The rate of good answers in the last interval; none where there were too few, or nobody counts.
fn success_rate(host: &Host, origin: Origin) -> Option<f64> {
    host.outlier_monitor.get()?.success_rate(origin)
}

/// Six significant digits, without zeros at the end, as Envoy writes it; -1 is none.
fn percent(value: Option<f64>) -> String {
    let Some(value) = value else { return "-1".to_owned() };
    // Of percent, the logarithm is a small number, or that of zero.
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let decimals = usize::try_from(5 - magnitude).unwrap_or_default();
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The `envoy.lb` metadata as JSON.
fn metadata_text(host: &Host) -> String {
    if host.metadata.is_empty() {
        return String::new();
    }
    json!(host.metadata).to_string()
}

fn counters(host: &Host) -> Vec<(&'static str, Kind, i64)> {
    host.stats
        .totals()
        .into_iter()
        .map(|reading| (reading.name, reading.kind, reading.value))
        .collect()
}

fn describe(cluster: &Cluster, hosts: &HostSet) -> Value {
    let threshold = |of: RoutingPriority, priority: Option<&str>| {
        let mut described = serde_json::Map::new();
        described.extend(priority.map(|priority| ("priority".to_owned(), json!(priority))));
        let limits = limits(cluster, of).into_iter();
        described.extend(limits.map(|(name, value)| (name.to_owned(), json!(value))));
        Value::Object(described)
    };
    let default = threshold(RoutingPriority::Default, None);
    let high = threshold(RoutingPriority::High, Some("HIGH"));
    let ejection_threshold = |origin| {
        let threshold = cluster.outlier_detector.as_ref()?.threshold(origin)?;
        Some(json!({ "value": threshold.ejection }))
    };
    let mut described = json!({ "name": cluster.config.name });
    if let Some(threshold) = ejection_threshold(Origin::External) {
        described["success_rate_ejection_threshold"] = threshold;
    }
    described["host_statuses"] = hosts.hosts.iter().map(|host| describe_host(host)).collect();
    if let Some(threshold) = ejection_threshold(Origin::Local) {
        described["local_origin_success_rate_ejection_threshold"] = threshold;
    }
    described["circuit_breakers"] = json!({ "thresholds": [default, high] });
    described["observability_name"] = json!(cluster.stat_name());
    described
}

fn describe_host(host: &Host) -> Value {
    let mut stats: Vec<Value> = Vec::new();
    let mut rows = counters(host);
    rows.sort_unstable_by_key(|(name, kind, _)| (*kind == Kind::Gauge, *name));
    for (name, kind, value) in rows {
        let mut stat = serde_json::Map::new();
        if kind == Kind::Gauge {
            stat.insert("type".into(), json!("GAUGE"));
        }
        // As in protobuf's JSON: 64-bit numbers are strings, and zero is left out.
        if value != 0 {
            stat.insert("value".into(), json!(value.to_string()));
        }
        stat.insert("name".into(), json!(name));
        stats.push(Value::Object(stat));
    }
    let mut described = json!({
        "address": address_json(&host.address),
        "stats": stats,
        "health_status": health_status(host),
    });
    if let Some(rate) = success_rate(host, Origin::External) {
        described["success_rate"] = json!({ "value": rate });
    }
    described["weight"] = json!(host.weight());
    if host.priority > 0 {
        described["priority"] = json!(host.priority);
    }
    if !host.hostname.is_empty() {
        described["hostname"] = json!(host.hostname);
    }
    if let Some(rate) = success_rate(host, Origin::Local) {
        described["local_origin_success_rate"] = json!({ "value": rate });
    }
    described["locality"] = locality(&host.locality);
    if !host.metadata.is_empty() {
        described["metadata"] = json!(host.metadata);
    }
    described
}

/// The flags of a host's health by Envoy's names, those that are set.
fn health_status(host: &Host) -> Value {
    const NAMES: [(HealthFlag, &str); 7] = [
        (HealthFlag::FailedActiveHc, "failed_active_health_check"),
        (HealthFlag::FailedOutlierCheck, "failed_outlier_check"),
        (HealthFlag::DegradedActiveHc, "failed_active_degraded_check"),
        (HealthFlag::PendingDynamicRemoval, "pending_dynamic_removal"),
        (HealthFlag::PendingActiveHc, "pending_active_hc"),
        (HealthFlag::ExcludedViaImmediateHcFail, "excluded_via_immediate_hc_fail"),
        (HealthFlag::ActiveHcTimeout, "active_hc_timeout"),
    ];
    let mut status = json!({ "eds_health_status": host.health().eds_status() });
    for (_, name) in NAMES.iter().filter(|(flag, _)| host.health().has(*flag)) {
        status[name] = json!(true);
    }
    status
}

/// As in protobuf's JSON: what is empty is left out.
pub fn locality(locality: &Locality) -> Value {
    let parts =
        [("region", &locality.region), ("zone", &locality.zone), ("sub_zone", &locality.sub_zone)];
    let named = parts.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(named.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

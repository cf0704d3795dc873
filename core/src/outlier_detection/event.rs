//! Lines of the event log: `envoy.data.cluster.v3.OutlierDetectionEvent` as JSON.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::success_rate::Threshold;
use crate::cluster::Host;
use crate::health_check::event_timestamp;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// The host is ejected, or would be if that were enforced.
    Eject {
        /// Why.
        kind: Kind,
        /// Whether it is.
        enforced: bool,
        /// What the cluster's hosts came to in the interval, where that is why.
        threshold: Option<Threshold>,
    },
    /// The host is taken back.
    Uneject,
}

/// Of whom it is told.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name of the cluster.
    pub cluster: &'a str,
    /// The host.
    pub host: &'a Host,
    /// How often it was ejected.
    pub ejections: u32,
    /// How long ago the opposite happened; absent where it never did.
    pub since_last_action: Option<Duration>,
}

/// The line, with its end. Fields stand in the order in which Envoy has them.
pub fn line(action: Action, about: Subject<'_>, now: Timestamp) -> Vec<u8> {
    let kind = match action {
        Action::Eject { kind, .. } => kind,
        // Nothing is said of why it was out; the field has its first value.
        Action::Uneject => Kind::Consecutive5xx,
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("type", json!(kind.event_type()));
    put("timestamp", json!(event_timestamp(now)));
    if let Some(since) = about.since_last_action {
        // As in protobuf's JSON: 64-bit numbers are strings.
        put("secs_since_last_action", json!(since.as_secs().to_string()));
    }
    put("cluster_name", json!(about.cluster));
    put("upstream_url", json!(about.host.address_text));
    put("action", json!(if matches!(action, Action::Eject { .. }) { "EJECT" } else { "UNEJECT" }));
    put("num_ejections", json!(about.ejections));
    put("enforced", json!(matches!(action, Action::Eject { enforced: true, .. })));
    if let Action::Eject { kind, threshold, .. } = action {
        let (name, detail) = detail(kind, threshold, about.host);
        put(name, detail);
    }
    let mut line = Value::Object(fields).to_string().into_bytes();
    line.push(b'\n');
    line
}

fn detail(kind: Kind, threshold: Option<Threshold>, host: &Host) -> (&'static str, Value) {
    let rate = |origin| {
        let rate = host.outlier_monitor.get().and_then(|monitor| monitor.success_rate(origin));
        whole(rate.unwrap_or_default())
    };
    match kind {
        Kind::SuccessRate(origin) => (
            "eject_success_rate_event",
            json!({
                "host_success_rate": rate(origin),
                "cluster_average_success_rate": threshold.map_or(0, |it| whole(it.average)),
                "cluster_success_rate_ejection_threshold": threshold.map_or(0, |it| whole(it.ejection)),
            }),
        ),
        Kind::FailurePercentage(origin) => {
            ("eject_failure_percentage_event", json!({ "host_success_rate": rate(origin) }))
        }
        Kind::Consecutive5xx
        | Kind::ConsecutiveGatewayFailure
        | Kind::ConsecutiveLocalOriginFailure => ("eject_consecutive_event", json!({})),
    }
}

/// Percent without what is behind the point.
fn whole(percent: f64) -> u32 {
    percent as u32
}

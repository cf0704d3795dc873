//! `/stats`: text and JSON.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hdrhistogram::Histogram;
use regex::Regex;
use serde_json::{Value, json};

use super::respond;
use crate::server::Control;
use crate::stats::{HistogramReport, Kind, Recorded, Stat, snapshot};

/// `?usedonly&filter=RE&format=text|json&type=...`.
#[derive(Debug, serde::Deserialize)]
pub struct StatsQuery {
    usedonly: Option<String>,
    filter: Option<String>,
    format: Option<String>,
    r#type: Option<String>,
}

/// Which stats are wanted.
#[derive(Debug)]
pub struct Selection {
    used_only: bool,
    filter: Option<Regex>,
    kinds: Kinds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    All,
    Counters,
    Gauges,
    Histograms,
    TextReadouts,
}

impl Selection {
    /// What `query` asks for, or why it cannot be answered.
    pub fn new(query: &StatsQuery) -> Result<Self, String> {
        let filter = query.filter.as_deref().map(Regex::new).transpose();
        let kinds = match query.r#type.as_deref() {
            None | Some("All") => Kinds::All,
            Some("Counters") => Kinds::Counters,
            Some("Gauges") => Kinds::Gauges,
            Some("Histograms") => Kinds::Histograms,
            Some("TextReadouts") => Kinds::TextReadouts,
            Some(_) => return Err("invalid &type= param".into()),
        };
        Ok(Self {
            used_only: query.usedonly.is_some(),
            filter: filter.map_err(|error| format!("invalid &filter= param: {error}"))?,
            kinds,
        })
    }

    fn takes_name(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(name))
    }

    /// Whether `stat` is wanted.
    pub fn takes(&self, stat: &Stat) -> bool {
        let kind = match stat.kind {
            Kind::Counter => matches!(self.kinds, Kinds::All | Kinds::Counters),
            Kind::Gauge => matches!(self.kinds, Kinds::All | Kinds::Gauges),
        };
        kind && (stat.used || !self.used_only) && self.takes_name(&stat.name)
    }

    /// Whether the histogram `name` is wanted.
    pub fn takes_histogram(&self, name: &str, recorded: Option<&Recorded>) -> bool {
        matches!(self.kinds, Kinds::All | Kinds::Histograms)
            && (recorded.is_some() || !self.used_only)
            && self.takes_name(name)
    }
}

/// Lists what is selected.
pub async fn list(
    State(control): State<Arc<Control>>,
    Query(query): Query<StatsQuery>,
) -> Response {
    let selection = match Selection::new(&query) {
        Ok(selection) => selection,
        Err(message) => return respond::text(StatusCode::BAD_REQUEST, message),
    };
    let report = control.collect_histograms().await;
    let stats = snapshot(&control);
    match query.format.as_deref() {
        None | Some("text") => respond::text(StatusCode::OK, as_text(&selection, &stats, &report)),
        Some("json") => {
            let body = as_json(&selection, &stats, &report).to_string();
            respond::with_type(StatusCode::OK, "application/json", body)
        }
        Some("prometheus") => {
            respond::text(StatusCode::OK, super::prometheus::write(&selection, &stats, &report))
        }
        Some(_) => respond::text(
            StatusCode::BAD_REQUEST,
            "usage: /stats?format=(html|active-html|json|prometheus|text)\n",
        ),
    }
}

fn as_text(selection: &Selection, stats: &[Stat], report: &HistogramReport) -> String {
    let mut text = String::new();
    for stat in stats.iter().filter(|stat| selection.takes(stat)) {
        writeln!(text, "{}: {}", stat.name, stat.value).expect("writing to memory does not fail");
    }
    let mut histograms: Vec<_> = report.histograms.iter().collect();
    histograms.sort_by(|one, other| one.0.cmp(&other.0));
    for (name, recorded) in histograms {
        if selection.takes_histogram(name, recorded.as_ref()) {
            writeln!(text, "{name}: {}", quantiles_text(recorded.as_ref()))
                .expect("writing to memory does not fail");
        }
    }
    text
}

/// The quantiles that Envoy shows.
const QUANTILES: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];

fn quantiles_text(recorded: Option<&Recorded>) -> String {
    let Some(recorded) = recorded else { return "No recorded values".into() };
    let values: Vec<String> = QUANTILES
        .iter()
        .map(|quantile| {
            let interval = value_text(&recorded.interval, *quantile);
            format!("P{quantile}({interval},{})", value_text(&recorded.cumulative, *quantile))
        })
        .collect();
    values.join(" ")
}

fn value_text(histogram: &Histogram<u64>, quantile: f64) -> String {
    match value_at(histogram, quantile) {
        Some(value) => value.to_string(),
        None => "nan".into(),
    }
}

fn value_at(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_percentile(quantile))
}

fn as_json(selection: &Selection, stats: &[Stat], report: &HistogramReport) -> Value {
    let mut list: Vec<Value> = stats
        .iter()
        .filter(|stat| selection.takes(stat))
        .map(|stat| json!({ "name": stat.name, "value": stat.value }))
        .collect();
    let computed: Vec<Value> = report
        .histograms
        .iter()
        .filter(|(name, recorded)| selection.takes_histogram(name, recorded.as_ref()))
        .map(
            |(name, recorded)| json!({ "name": name, "values": quantiles_json(recorded.as_ref()) }),
        )
        .collect();
    if !computed.is_empty() {
        list.push(json!({ "histograms": {
            "supported_quantiles": QUANTILES,
            "computed_quantiles": computed,
        }}));
    }
    json!({ "stats": list })
}

fn quantiles_json(recorded: Option<&Recorded>) -> Vec<Value> {
    QUANTILES
        .iter()
        .map(|quantile| {
            let cumulative =
                recorded.and_then(|recorded| value_at(&recorded.cumulative, *quantile));
            let interval = recorded.and_then(|recorded| value_at(&recorded.interval, *quantile));
            json!({ "cumulative": cumulative, "interval": interval })
        })
        .collect()
}

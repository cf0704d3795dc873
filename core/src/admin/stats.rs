//! `/stats`: text and JSON.

use std::fmt::{self, Write};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::buckets::{BOUNDS, QUANTILES, cumulative, disjoint};
use super::stats_query::{BucketMode, Selection, StatsFormat, StatsQuery};
use super::{prometheus, respond};
use crate::server::Control;
use crate::stats::{Histogram, Recorded, Stat, snapshot};

/// Lists what is selected.
pub async fn list(
    State(control): State<Arc<Control>>,
    Query(query): Query<StatsQuery>,
) -> Response {
    answer(control, Selection::new(&query)).await
}

/// `/stats/prometheus`.
pub async fn expose(
    State(control): State<Arc<Control>>,
    Query(query): Query<StatsQuery>,
) -> Response {
    answer(control, Selection::new(&query).and_then(Selection::prometheus)).await
}

/// Many clusters make a long text, which takes its time: on a thread of its own, so that signals
/// and discovery do not wait.
async fn answer(control: Arc<Control>, selection: Result<Selection, String>) -> Response {
    let selection = match selection {
        Ok(selection) => selection,
        Err(reason) => return respond::bad_request(reason),
    };
    let histograms = control.collect_histograms().await;
    let written = tokio::task::spawn_blocking(move || {
        let stats = snapshot(&control);
        let mut text = String::new();
        let written = match selection.format {
            StatsFormat::Text => write_text(&selection, &stats, &histograms, &mut text),
            StatsFormat::Json => write_json(&selection, &stats, &histograms, &mut text),
            StatsFormat::Prometheus => {
                prometheus::write(&selection, &stats, &histograms, &mut text)
            }
        };
        written.expect("writing to memory does not fail");
        let content_type = match selection.format {
            StatsFormat::Json => "application/json",
            _ => "text/plain; charset=UTF-8",
        };
        respond::with_type(StatusCode::OK, content_type, text)
    });
    written.await.unwrap_or_else(|_| {
        respond::text(StatusCode::INTERNAL_SERVER_ERROR, "the stats could not be written\n")
    })
}

fn write_text(
    selection: &Selection,
    stats: &[Stat],
    histograms: &[Recorded],
    text: &mut String,
) -> fmt::Result {
    for stat in stats.iter().filter(|stat| selection.takes(stat)) {
        writeln!(text, "{}: {}", stat.name.name, stat.value)?;
    }
    for recorded in histograms.iter().filter(|recorded| selection.takes_histogram(recorded)) {
        write_histogram(recorded, selection.buckets, text)?;
    }
    Ok(())
}

fn write_histogram(
    recorded: &Recorded,
    mode: Option<BucketMode>,
    text: &mut String,
) -> fmt::Result {
    let name = &recorded.name.name;
    if !recorded.is_used() {
        return writeln!(text, "{name}: No recorded values");
    }
    match mode.unwrap_or(BucketMode::Summary) {
        BucketMode::Summary => writeln!(text, "{name}: {}", summary(recorded)),
        BucketMode::Cumulative => writeln!(text, "{name}: {}", counts(recorded, cumulative)),
        BucketMode::Disjoint => writeln!(text, "{name}: {}", counts(recorded, disjoint)),
        BucketMode::Detailed => {
            writeln!(text, "{name}:")?;
            writeln!(text, "  totals={}", bins(&recorded.cumulative))?;
            writeln!(text, "  intervals={}", bins(&recorded.interval))?;
            writeln!(text, "  summary={}", summary(recorded))
        }
    }
}

fn summary(recorded: &Recorded) -> String {
    let values: Vec<String> = QUANTILES
        .iter()
        .map(|percent| {
            let value = |histogram: &Histogram| match histogram.quantile(percent / 100.0) {
                Some(value) => value.to_string(),
                None => "nan".into(),
            };
            format!("P{percent}({},{})", value(&recorded.interval), value(&recorded.cumulative))
        })
        .collect();
    values.join(" ")
}

fn counts(recorded: &Recorded, count: fn(&Histogram) -> [u64; BOUNDS.len()]) -> String {
    let both = count(&recorded.interval).into_iter().zip(count(&recorded.cumulative));
    let values: Vec<String> = BOUNDS
        .iter()
        .zip(both)
        .map(|((_, bound, _), (interval, cumulative))| format!("B{bound}({interval},{cumulative})"))
        .collect();
    values.join(" ")
}

/// `5,0.1:1`: lower bound, width and count.
fn bins(histogram: &Histogram) -> String {
    let bins: Vec<String> = histogram
        .bins()
        .map(|(bin, count)| format!("{},{}:{count}", bin.lower_bound(), bin.width()))
        .collect();
    bins.join(", ")
}

fn write_json(
    selection: &Selection,
    stats: &[Stat],
    histograms: &[Recorded],
    text: &mut String,
) -> fmt::Result {
    let mut list: Vec<String> = stats
        .iter()
        .filter(|stat| selection.takes(stat))
        .map(|stat| format!(r#"{{"name":{},"value":{}}}"#, quoted(&stat.name.name), stat.value))
        .collect();
    let chosen: Vec<&Recorded> =
        histograms.iter().filter(|recorded| selection.takes_histogram(recorded)).collect();
    if !chosen.is_empty() {
        list.push(json_histograms(&chosen, selection.buckets.unwrap_or(BucketMode::Summary)));
    }
    write!(text, r#"{{"stats":[{}]}}"#, list.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn json_histograms(histograms: &[&Recorded], mode: BucketMode) -> String {
    let each = |describe: &dyn Fn(&Recorded) -> String| {
        let described: Vec<String> = histograms
            .iter()
            .map(|recorded| {
                format!(r#"{{"name":{},{}}}"#, quoted(&recorded.name.name), describe(recorded))
            })
            .collect();
        described.join(",")
    };
    let quantiles = QUANTILES.map(|quantile| quantile.to_string()).join(",");
    match mode {
        BucketMode::Summary => format!(
            r#"{{"histograms":{{"supported_quantiles":[{quantiles}],"computed_quantiles":[{}]}}}}"#,
            each(&|recorded| format!(r#""values":[{}]"#, json_quantiles(recorded)))
        ),
        BucketMode::Cumulative => format!(
            r#"{{"histograms":[{}]}}"#,
            each(&|recorded| json_buckets(recorded, cumulative))
        ),
        BucketMode::Disjoint => {
            format!(r#"{{"histograms":[{}]}}"#, each(&|recorded| json_buckets(recorded, disjoint)))
        }
        BucketMode::Detailed => format!(
            r#"{{"histograms":{{"supported_percentiles":[{quantiles}],"details":[{}]}}}}"#,
            each(&|recorded| format!(
                r#""totals":[{}],"intervals":[{}],"percentiles":[{}]"#,
                json_bins(&recorded.cumulative),
                json_bins(&recorded.interval),
                json_quantiles(recorded)
            ))
        ),
    }
}

fn json_quantiles(recorded: &Recorded) -> String {
    let value = |histogram: &Histogram, percent: f64| match histogram.quantile(percent / 100.0) {
        Some(value) => value.to_string(),
        None => "null".into(),
    };
    let values = QUANTILES.map(|percent| {
        let (all, interval) =
            (value(&recorded.cumulative, percent), value(&recorded.interval, percent));
        format!(r#"{{"cumulative":{all},"interval":{interval}}}"#)
    });
    values.join(",")
}

fn json_buckets(recorded: &Recorded, count: fn(&Histogram) -> [u64; BOUNDS.len()]) -> String {
    let both = count(&recorded.interval).into_iter().zip(count(&recorded.cumulative));
    let buckets: Vec<String> = BOUNDS
        .iter()
        .zip(both)
        .map(|((_, _, bound), (interval, all))| {
            format!(r#"{{"upper_bound":{bound},"interval":{interval},"cumulative":{all}}}"#)
        })
        .collect();
    format!(r#""buckets":[{}]"#, buckets.join(","))
}

fn json_bins(histogram: &Histogram) -> String {
    let bins: Vec<String> = histogram
        .bins()
        .map(|(bin, count)| {
            let (lower, width) = (bin.lower_bound(), bin.width());
            format!(r#"{{"lower_bound":{lower},"width":{width},"count":{count}}}"#)
        })
        .collect();
    bins.join(",")
}

//! `/stats/prometheus`: the text exposition format with Envoy's families, tags and buckets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hdrhistogram::Histogram;

use super::respond;
use super::stats::{Selection, StatsQuery};
use crate::server::Control;
use crate::stats::{HistogramReport, Kind, Stat, snapshot};

/// Envoy's bucket bounds, in milliseconds.
const BUCKET_BOUNDS_MS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// Everything selected, in Prometheus' format.
pub async fn expose(
    State(control): State<Arc<Control>>,
    Query(query): Query<StatsQuery>,
) -> Response {
    match Selection::new(&query) {
        Ok(selection) => {
            let report = control.collect_histograms().await;
            let body = write(&selection, &snapshot(&control), &report);
            respond::text(StatusCode::OK, body)
        }
        Err(message) => respond::text(StatusCode::BAD_REQUEST, message),
    }
}

/// Counters, then gauges, then histograms; families in order of name.
pub fn write(selection: &Selection, stats: &[Stat], report: &HistogramReport) -> String {
    let mut text = String::new();
    for (kind, kind_name) in [(Kind::Counter, "counter"), (Kind::Gauge, "gauge")] {
        for (family, members) in families(selection, stats, kind) {
            writeln!(text, "# TYPE {family} {kind_name}").expect("writing to memory does not fail");
            for stat in members {
                let tags = tags(&stat.tags);
                writeln!(text, "{family}{{{tags}}} {}", stat.value)
                    .expect("writing to memory does not fail");
            }
        }
    }
    write_histograms(selection, report, &mut text);
    text
}

fn families<'s>(
    selection: &Selection,
    stats: &'s [Stat],
    kind: Kind,
) -> BTreeMap<String, Vec<&'s Stat>> {
    let mut families: BTreeMap<String, Vec<&Stat>> = BTreeMap::new();
    for stat in stats.iter().filter(|stat| stat.kind == kind && selection.takes(stat)) {
        families.entry(family_name(&stat.tag_extracted_name)).or_default().push(stat);
    }
    families
}

/// `cluster.upstream_rq` as `envoy_cluster_upstream_rq`; what Prometheus does not allow is `_`.
fn family_name(name: &str) -> String {
    let legal = |byte: char| if byte.is_ascii_alphanumeric() || byte == '_' { byte } else { '_' };
    format!("envoy_{}", name.chars().map(legal).collect::<String>())
}

fn tags(tags: &[(&'static str, String)]) -> String {
    let written: Vec<String> =
        tags.iter().map(|(tag, value)| format!("envoy_{tag}=\"{}\"", escape(value))).collect();
    written.join(",")
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn write_histograms(selection: &Selection, report: &HistogramReport, text: &mut String) {
    let mut families: BTreeMap<String, Vec<(String, &Histogram<u64>)>> = BTreeMap::new();
    for (name, recorded) in &report.histograms {
        let Some(recorded) = recorded else { continue };
        if selection.takes_histogram(name, Some(recorded)) {
            let (family, tags) = histogram_family(name);
            families.entry(family).or_default().push((tags, &recorded.cumulative));
        }
    }
    for (family, members) in families {
        writeln!(text, "# TYPE {family} histogram").expect("writing to memory does not fail");
        for (tags, histogram) in members {
            write_histogram(&family, &tags, histogram, text)
                .expect("writing to memory does not fail");
        }
    }
}

/// `cluster.b.upstream_rq_time` as its family and tag; the last part is the histogram's name and
/// what stands between is the tag, which may hold dots.
fn histogram_family(name: &str) -> (String, String) {
    let (scope, rest) = name.split_once('.').unwrap_or(("", name));
    let (value, histogram) = rest.rsplit_once('.').unwrap_or(("", rest));
    let tag = match scope {
        "cluster" => "cluster_name",
        "http" => "http_conn_manager_prefix",
        _ => "listener_address",
    };
    (family_name(&format!("{scope}.{histogram}")), tags(&[(tag, value.to_owned())]))
}

fn write_histogram(
    family: &str,
    tags: &str,
    histogram: &Histogram<u64>,
    text: &mut String,
) -> std::fmt::Result {
    let mut sum = 0.0;
    let mut below = [0_u64; BUCKET_BOUNDS_MS.len()];
    for step in histogram.iter_recorded() {
        let value = step.value_iterated_to();
        #[allow(clippy::cast_precision_loss, reason = "the exposition format has floats only")]
        let (value, count) = (value as f64, step.count_since_last_iteration());
        #[allow(clippy::cast_precision_loss, reason = "the exposition format has floats only")]
        let weight = count as f64;
        sum += value * weight;
        for (bound, below) in BUCKET_BOUNDS_MS.iter().zip(&mut below) {
            if value <= *bound {
                *below += count;
            }
        }
    }
    for (bound, below) in BUCKET_BOUNDS_MS.iter().zip(below) {
        writeln!(text, "{family}_bucket{{{tags},le=\"{bound}\"}} {below}")?;
    }
    writeln!(text, "{family}_bucket{{{tags},le=\"+Inf\"}} {}", histogram.len())?;
    writeln!(text, "{family}_sum{{{tags}}} {sum}")?;
    writeln!(text, "{family}_count{{{tags}}} {}", histogram.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_tags_follow_envoy() {
        assert_eq!(
            histogram_family("cluster.a.b.upstream_rq_time"),
            ("envoy_cluster_upstream_rq_time".to_owned(), "envoy_cluster_name=\"a.b\"".to_owned())
        );
    }

    #[test]
    fn buckets_are_cumulative() {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000, 2).expect("legal bounds");
        for value in [0, 3, 3, 700] {
            histogram.record(value).expect("inside the bounds");
        }
        let mut text = String::new();
        write_histogram("f", "t=\"x\"", &histogram, &mut text).expect("memory");
        assert!(text.contains("f_bucket{t=\"x\",le=\"0.5\"} 1\n"), "{text}");
        assert!(text.contains("f_bucket{t=\"x\",le=\"5\"} 3\n"), "{text}");
        assert!(text.contains("f_bucket{t=\"x\",le=\"1000\"} 4\n"), "{text}");
        assert!(text.contains("f_count{t=\"x\"} 4\n"), "{text}");
    }
}

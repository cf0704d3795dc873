//! The text exposition format with Envoy's families, tags and buckets.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::buckets::{BOUNDS, QUANTILES, cumulative, exact};
use super::stats_query::{BucketMode, Selection};
use crate::stats::{Kind, Recorded, Stat, StatName};

/// Counters, then gauges, then histograms; families in order of name.
pub fn write(
    selection: &Selection,
    stats: &[Stat],
    histograms: &[Recorded],
    text: &mut String,
) -> fmt::Result {
    for (kind, kind_name) in [(Kind::Counter, "counter"), (Kind::Gauge, "gauge")] {
        let chosen = stats.iter().filter(|stat| stat.kind == kind && selection.takes(stat));
        for (family, members) in families(chosen, |stat| &stat.name) {
            writeln!(text, "# TYPE {family} {kind_name}")?;
            for stat in members {
                writeln!(text, "{family}{{{}}} {}", tags(&stat.name), stat.value)?;
            }
        }
    }
    let is_summary = selection.buckets == Some(BucketMode::Summary);
    let chosen = histograms.iter().filter(|recorded| selection.takes_histogram(recorded));
    for (family, members) in families(chosen, |recorded| &recorded.name) {
        writeln!(text, "# TYPE {family} {}", if is_summary { "summary" } else { "histogram" })?;
        for recorded in members {
            match is_summary {
                true => write_summary(&family, recorded, text)?,
                false => write_buckets(&family, recorded, text)?,
            }
        }
    }
    Ok(())
}

fn families<'s, T>(
    members: impl Iterator<Item = &'s T>,
    name: impl Fn(&T) -> &StatName,
) -> BTreeMap<String, Vec<&'s T>> {
    let mut families: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for member in members {
        families.entry(family_name(&name(member).tag_extracted_name)).or_default().push(member);
    }
    families
}

/// `envoy_` and the name, in which only letters, digits, `_` and `:` may stand.
fn family_name(name: &str) -> String {
    let allowed = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
    format!("envoy_{}", name.chars().map(allowed).collect::<String>())
}

fn tags(name: &StatName) -> String {
    let tags: Vec<String> = name
        .tags
        .iter()
        .map(|(tag, value)| format!("envoy_{tag}=\"{}\"", escaped(value)))
        .collect();
    tags.join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The tags, with a comma behind where there is one.
fn leading_tags(recorded: &Recorded) -> String {
    let tags = tags(&recorded.name);
    if tags.is_empty() { tags } else { tags + "," }
}

fn write_buckets(family: &str, recorded: &Recorded, text: &mut String) -> fmt::Result {
    let tags = leading_tags(recorded);
    for ((bound, _, _), count) in BOUNDS.iter().zip(cumulative(&recorded.cumulative)) {
        writeln!(text, "{family}_bucket{{{tags}le=\"{}\"}} {count}", exact(*bound))?;
    }
    let count = recorded.cumulative.count();
    writeln!(text, "{family}_bucket{{{tags}le=\"+Inf\"}} {count}")?;
    write_sum(family, recorded, text)
}

fn write_summary(family: &str, recorded: &Recorded, text: &mut String) -> fmt::Result {
    let tags = leading_tags(recorded);
    for percent in QUANTILES {
        let value = match recorded.interval.quantile(percent / 100.0) {
            Some(value) => exact(value),
            None => "nan".into(),
        };
        writeln!(text, "{family}{{{tags}quantile=\"{}\"}} {value}", percent / 100.0)?;
    }
    write_sum(family, recorded, text)
}

fn write_sum(family: &str, recorded: &Recorded, text: &mut String) -> fmt::Result {
    let (tags, all) = (tags(&recorded.name), &recorded.cumulative);
    writeln!(text, "{family}_sum{{{tags}}} {}", exact(all.sum()))?;
    writeln!(text, "{family}_count{{{tags}}} {}", all.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{HistogramCollector, HistogramTable, Scope, WorkerHistograms};

    #[test]
    fn names_become_families() {
        assert_eq!(family_name("cluster.a-b.x"), "envoy_cluster_a_b_x");
    }

    #[test]
    fn buckets_are_cumulative() {
        let mut table = HistogramTable::default();
        let id = table.add(&Scope::cluster("x"), "f");
        let (worker, collector) = (WorkerHistograms::new(&table), HistogramCollector::new(&table));
        [0, 3, 3, 700].iter().for_each(|value| worker.record(id, *value));
        collector.add(&worker.take());
        let mut text = String::new();
        write_buckets("f", &collector.report()[0], &mut text).expect("memory");
        for line in [
            "f_bucket{envoy_cluster_name=\"x\",le=\"0.5\"} 1\n",
            "f_bucket{envoy_cluster_name=\"x\",le=\"5\"} 3\n",
            "f_bucket{envoy_cluster_name=\"x\",le=\"1000\"} 4\n",
            "f_count{envoy_cluster_name=\"x\"} 4\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

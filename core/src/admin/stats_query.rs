//! What `/stats` and `/stats/prometheus` are asked for.

use regex::Regex;

use crate::stats::{Kind, Recorded, Stat};

/// The query's parameters, as they came.
#[derive(Debug, Default, serde::Deserialize)]
pub struct StatsQuery {
    usedonly: Option<String>,
    filter: Option<String>,
    invert_filter: Option<String>,
    format: Option<String>,
    r#type: Option<String>,
    histogram_buckets: Option<String>,
}

/// `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsFormat {
    /// Lines.
    Text,
    /// JSON.
    Json,
    /// The text exposition format.
    Prometheus,
}

/// `histogram_buckets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketMode {
    /// Quantiles.
    Summary,
    /// Counts up to each bound.
    Cumulative,
    /// Counts between bounds.
    Disjoint,
    /// The bins as recorded, and quantiles.
    Detailed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    All,
    Counters,
    Gauges,
    Histograms,
    TextReadouts,
}

/// Which stats are wanted, and how.
#[derive(Debug)]
pub struct Selection {
    used_only: bool,
    filter: Option<Regex>,
    invert_filter: bool,
    kinds: Kinds,
    /// How they are to be written.
    pub format: StatsFormat,
    /// How histograms are to be written; absent means the format's own way.
    pub buckets: Option<BucketMode>,
}

const FORMATS: &str = "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n";
const NO_HTML: &str = "ringmain has no HTML view of its stats; ask for /stats?format=text\n";
const BUCKETS: &str =
    "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n";
const PROMETHEUS_BUCKETS: &str = "unsupported prometheus histogram bucket mode";

impl Selection {
    /// What `query` asks for, or why it cannot be answered.
    pub fn new(query: &StatsQuery) -> Result<Self, String> {
        let kinds = match query.r#type.as_deref() {
            None | Some("" | "All") => Kinds::All,
            Some("Counters") => Kinds::Counters,
            Some("Gauges") => Kinds::Gauges,
            Some("Histograms") => Kinds::Histograms,
            Some("TextReadouts") => Kinds::TextReadouts,
            Some(_) => return Err("invalid &type= param".into()),
        };
        let buckets = match query.histogram_buckets.as_deref() {
            None => None,
            Some("summary" | "none" | "") => Some(BucketMode::Summary),
            Some("cumulative") => Some(BucketMode::Cumulative),
            Some("disjoint") => Some(BucketMode::Disjoint),
            Some("detailed") => Some(BucketMode::Detailed),
            Some("prometheusnative") => return Err(PROMETHEUS_BUCKETS.into()),
            Some(_) => return Err(BUCKETS.into()),
        };
        let format = match query.format.as_deref() {
            None | Some("" | "text") => StatsFormat::Text,
            Some("json") => StatsFormat::Json,
            Some("prometheus") => StatsFormat::Prometheus,
            Some("html" | "active-html") => return Err(NO_HTML.into()),
            Some(_) => return Err(FORMATS.into()),
        };
        let mut selection = Self {
            used_only: query.usedonly.is_some(),
            filter: query.filter.as_deref().map(regex).transpose()?,
            invert_filter: query.invert_filter.is_some(),
            kinds,
            format,
            buckets,
        };
        if format == StatsFormat::Prometheus {
            selection = selection.prometheus()?;
        }
        Ok(selection)
    }

    /// The same for `/stats/prometheus`, which knows no other format and every kind.
    pub fn prometheus(self) -> Result<Self, String> {
        if matches!(self.buckets, Some(BucketMode::Disjoint | BucketMode::Detailed)) {
            return Err(PROMETHEUS_BUCKETS.into());
        }
        Ok(Self { format: StatsFormat::Prometheus, ..self })
    }

    fn takes_name(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(name) != self.invert_filter)
    }

    /// Whether `stat` is wanted.
    pub fn takes(&self, stat: &Stat) -> bool {
        let kind = match stat.kind {
            Kind::Counter => matches!(self.kinds, Kinds::All | Kinds::Counters),
            Kind::Gauge => matches!(self.kinds, Kinds::All | Kinds::Gauges),
        };
        kind && (stat.used || !self.used_only) && self.takes_name(&stat.name.name)
    }

    /// Whether a histogram is wanted.
    pub fn takes_histogram(&self, recorded: &Recorded) -> bool {
        matches!(self.kinds, Kinds::All | Kinds::Histograms)
            && (recorded.is_used() || !self.used_only)
            && self.takes_name(&recorded.name.name)
    }
}

/// A filter of the query; the error begins like Envoy's.
pub fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default();
        format!("Invalid re2 regex: {}: {text}", reason.trim_start_matches("error: "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: StatsQuery) -> String {
        Selection::new(&query).expect_err("refused")
    }

    #[test]
    fn what_cannot_be_answered_is_said_as_envoy_does() {
        let some = |text: &str| Some(text.to_owned());
        let query = StatsQuery { r#type: some("Bad"), ..StatsQuery::default() };
        assert_eq!(refusal(query), "invalid &type= param");
        let query = StatsQuery { format: some("bad"), ..StatsQuery::default() };
        assert_eq!(refusal(query), FORMATS);
        let query = StatsQuery { histogram_buckets: some("bad"), ..StatsQuery::default() };
        assert_eq!(refusal(query), BUCKETS);
        let query = StatsQuery { filter: some("("), ..StatsQuery::default() };
        assert!(refusal(query).starts_with("Invalid re2 regex: "));
        let query = StatsQuery {
            format: some("prometheus"),
            histogram_buckets: some("detailed"),
            ..StatsQuery::default()
        };
        assert_eq!(refusal(query), PROMETHEUS_BUCKETS);
    }
}

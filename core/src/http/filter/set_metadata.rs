//! `envoy.filters.http.set_metadata`: notes what it is told for filters behind it and for logs.

use ringmain_config::http_filter::SetMetadata as Config;
use serde_json::{Map, Value};

use super::FilterView;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

stats_block! {
    /// `http.<stat_prefix>.set_metadata.`
    SetMetadataStats {
        counters {
            overwrite_denied,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct SetMetadataFilter {
    config: Config,
    stats: PerWorker<SetMetadataStats>,
}

impl SetMetadataFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self { config: config.clone(), stats: PerWorker::new(workers) }
    }

    pub(super) fn on_request(&self, view: &mut FilterView<'_, '_>) {
        let metadata = view.exchange.info.dynamic_metadata.get_mut();
        for entry in &self.config.metadata {
            match metadata.0.get_mut(&entry.metadata_namespace) {
                Some(present) if entry.allow_overwrite => update(present, &entry.value),
                Some(_) => self.stats.of(view.worker.id).overwrite_denied.inc(),
                None => {
                    metadata.0.insert(entry.metadata_namespace.clone(), entry.value.clone());
                }
            }
        }
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("set_metadata").block(&self.stats, stats);
    }
}

/// Members of objects are updated, items of lists added; any other value takes the place of the old one.
fn update(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => update_members(old, new),
        (Value::Array(old), Value::Array(new)) => old.extend(new.iter().cloned()),
        (old, new) => *old = new.clone(),
    }
}

fn update_members(old: &mut Map<String, Value>, new: &Map<String, Value>) {
    for (name, value) in new {
        match old.get_mut(name) {
            Some(old) => update(old, value),
            None => {
                old.insert(name.clone(), value.clone());
            }
        }
    }
    // Envoy writes members by name.
    old.sort_keys();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn updates_reach_into_objects_and_lists() {
        let mut value = json!({ "b": { "x": 1, "y": [1] }, "c": 1 });
        update(&mut value, &json!({ "a": true, "b": { "y": [2], "x": "one" }, "c": {} }));
        let text = r#"{"a":true,"b":{"x":"one","y":[1,2]},"c":{}}"#;
        assert_eq!(value.to_string(), text);
    }
}

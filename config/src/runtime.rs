//! Runtime values (`envoy.config.bootstrap.v3.LayeredRuntime`), fixed by static layers.

use std::collections::{BTreeMap, HashSet};

use envoy_types::pb::envoy::config::bootstrap::v3 as wire;
use envoy_types::pb::envoy::config::core::v3::RuntimeFeatureFlag;
use envoy_types::pb::google::protobuf as google;
use google::value::Kind;
use wire::runtime_layer::LayerSpecifier;

use crate::report::At;

/// The older way to limit the connections of all listeners.
const MAX_CONNECTIONS: &str = "overload.global_downstream_max_connections";
const LISTENER_PREFIX: &str = "envoy.resource_limits.listener.";
const LISTENER_SUFFIX: &str = ".connection_limit";

/// All layers; a later one overrides those before.
#[derive(Debug, Clone, Default)]
pub struct Runtime {
    /// `layers`.
    pub layers: Vec<Layer>,
}

/// A named set of values.
#[derive(Debug, Clone)]
pub struct Layer {
    /// `name`.
    pub name: String,
    /// `static_layer`, as text by dotted key.
    pub values: BTreeMap<String, String>,
}

impl Runtime {
    /// Reads `layered_runtime`, which `at` stands for. Keys may name `listeners`.
    pub(crate) fn from_wire(
        wire: &wire::LayeredRuntime,
        listeners: &HashSet<&str>,
        at: &At<'_>,
    ) -> Self {
        let at = at.field("layers");
        let mut names = HashSet::new();
        let mut layers = Vec::with_capacity(wire.layers.len());
        for (index, layer) in wire.layers.iter().enumerate() {
            let at = at.index(index);
            if !names.insert(&layer.name) {
                at.field("name").error(format!("duplicate layer name '{}'", layer.name));
            }
            let mut values = BTreeMap::new();
            if let Some(LayerSpecifier::StaticLayer(layer)) = &layer.layer_specifier {
                let at = at.field("static_layer");
                Reader { listeners, values: &mut values }.layer(layer, "", &at);
            }
            layers.push(Layer { name: layer.name.clone(), values });
        }
        Self { layers }
    }

    /// The value of `key` that counts.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.layers.iter().rev().find_map(|layer| layer.values.get(key)).map(String::as_str)
    }

    /// Every key, once, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.layers.iter().flat_map(|layer| layer.values.keys());
        keys.collect::<std::collections::BTreeSet<_>>().into_iter().map(String::as_str)
    }

    /// `overload.global_downstream_max_connections`.
    pub(crate) fn max_downstream_connections(&self) -> Option<u64> {
        self.value(MAX_CONNECTIONS)?.parse().ok()
    }

    /// `envoy.resource_limits.listener.<name>.connection_limit`.
    pub(crate) fn listener_connection_limit(&self, name: &str) -> Option<u64> {
        self.value(&format!("{LISTENER_PREFIX}{name}{LISTENER_SUFFIX}"))?.parse().ok()
    }
}

/// Flattens a layer and says what of it has no effect.
struct Reader<'a> {
    listeners: &'a HashSet<&'a str>,
    values: &'a mut BTreeMap<String, String>,
}

impl Reader<'_> {
    fn layer(&mut self, layer: &google::Struct, prefix: &str, at: &At<'_>) {
        // In the order of the keys, so that every run tells the same.
        for (name, value) in layer.fields.iter().collect::<BTreeMap<_, _>>() {
            let at = at.key(name);
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match &value.kind {
                Some(Kind::StructValue(inner)) if !is_fraction(inner) => {
                    self.layer(inner, &key, &at);
                }
                Some(Kind::StructValue(_)) => at.warn(no_effect(&key)),
                Some(Kind::NumberValue(number)) => self.entry(key, number.to_string(), &at),
                Some(Kind::StringValue(text)) => self.entry(key, text.clone(), &at),
                Some(Kind::BoolValue(value)) => self.entry(key, value.to_string(), &at),
                Some(Kind::NullValue(_) | Kind::ListValue(_)) | None => {
                    at.error(format!("runtime key '{key}' needs a number, a boolean or text"));
                }
            }
        }
    }

    fn entry(&mut self, key: String, value: String, at: &At<'_>) {
        let listener =
            key.strip_prefix(LISTENER_PREFIX).and_then(|rest| rest.strip_suffix(LISTENER_SUFFIX));
        match listener {
            None if key != MAX_CONNECTIONS => at.warn(no_effect(&key)),
            Some(name) if !self.listeners.contains(name) => {
                at.warn(format!("{}: there is no listener '{name}'", no_effect(&key)));
            }
            _ if value.parse::<u64>().is_err() => {
                at.warn(format!("{}: '{value}' is no whole number", no_effect(&key)));
            }
            None => at.warn(
                "deprecated by Envoy; use the resource monitor \
                 'envoy.resource_monitors.global_downstream_max_connections'",
            ),
            Some(_) => {}
        }
        self.values.insert(key, value);
    }
}

/// The default value of a flag that a runtime could override, if there were one; true where it is absent.
pub(crate) fn is_enabled(flag: Option<&RuntimeFeatureFlag>) -> bool {
    flag.and_then(|flag| flag.default_value).is_none_or(|value| value.value)
}

fn no_effect(key: &str) -> String {
    format!("runtime key '{key}' has no effect")
}

/// Envoy takes a structure with a numerator for a fraction rather than for further keys.
fn is_fraction(value: &google::Struct) -> bool {
    value.fields.contains_key("numerator") || value.fields.contains_key("denominator")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, values: &[(&str, &str)]) -> Layer {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Layer { name: name.to_owned(), values: values.collect() }
    }

    #[test]
    fn a_later_layer_overrides() {
        let key = "envoy.resource_limits.listener.a.connection_limit";
        let layers = vec![layer("low", &[(key, "1"), ("x", "a")]), layer("high", &[(key, "2")])];
        let runtime = Runtime { layers };
        assert_eq!(runtime.listener_connection_limit("a"), Some(2));
        assert_eq!(runtime.listener_connection_limit("b"), None);
        assert_eq!(runtime.keys().collect::<Vec<_>>(), [key, "x"]);
    }
}

//! Runtime values (`envoy.config.bootstrap.v3.LayeredRuntime`), fixed by static layers. Since they are known at load,
//! each field that names a key takes its value while it is read: the model holds what counts, and nobody asks later.

mod value;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use envoy_types::pb::envoy::config::bootstrap::v3 as wire;
use envoy_types::pb::envoy::config::core::v3::{RuntimeDouble, RuntimeFeatureFlag};
use envoy_types::pb::google::protobuf as google;
use google::value::Kind;
use wire::runtime_layer::LayerSpecifier;

pub use self::value::RuntimeValue;
use crate::fraction::Fraction;
use crate::report::{At, Note, did_you_mean};

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
    /// `static_layer`, by dotted key.
    pub values: BTreeMap<String, RuntimeValue>,
}

impl Runtime {
    /// Reads `layered_runtime`, which `at` stands for.
    pub(crate) fn from_wire(wire: &wire::LayeredRuntime, at: &At<'_>) -> Self {
        if wire.layers.is_empty() {
            let note = "without 'layers' Envoy makes one that the admin changes; ringmain has none";
            at.warn(Note::from(note).help("write the values into a 'static_layer'"));
        }
        let at = at.field("layers");
        let mut names = HashSet::new();
        let mut layers = Vec::with_capacity(wire.layers.len());
        for (index, layer) in wire.layers.iter().enumerate() {
            let at = at.index(index);
            if !names.insert(&layer.name) {
                at.field("name").error(
                    Note::from(format!("duplicate layer name '{}'", layer.name))
                        .help("rename one of them"),
                );
            }
            let mut values = BTreeMap::new();
            flatten(layer, &at, &mut |key, value, at| match RuntimeValue::from_wire(value) {
                Some(value) => _ = values.insert(key.to_owned(), value),
                None => {
                    at.error(
                        Note::from(format!(
                            "runtime key '{key}' needs a number, a boolean or text"
                        ))
                        .help("write a list as an entry for each key"),
                    );
                }
            });
            layers.push(Layer { name: layer.name.clone(), values });
        }
        Self { layers }
    }

    /// The value of `key` that counts.
    pub fn value(&self, key: &str) -> Option<&RuntimeValue> {
        self.layers.iter().rev().find_map(|layer| layer.values.get(key))
    }

    /// Every key, once, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.layers.iter().flat_map(|layer| layer.values.keys());
        keys.collect::<BTreeSet<_>>().into_iter().map(String::as_str)
    }
}

/// Hands over each value of a layer with its dotted key. A structure with a numerator or a denominator, or without
/// anything, is a value of its own.
fn flatten(
    wire: &wire::RuntimeLayer,
    at: &At<'_>,
    found: &mut impl FnMut(&str, &google::Value, &At<'_>),
) {
    if let Some(LayerSpecifier::StaticLayer(layer)) = &wire.layer_specifier {
        flatten_struct(layer, "", &at.field("static_layer"), found);
    }
}

fn flatten_struct(
    layer: &google::Struct,
    prefix: &str,
    at: &At<'_>,
    found: &mut impl FnMut(&str, &google::Value, &At<'_>),
) {
    // In the order of the keys, so that every run tells the same.
    for (name, value) in layer.fields.iter().collect::<BTreeMap<_, _>>() {
        let at = at.key(name);
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match &value.kind {
            Some(Kind::StructValue(inner)) if !is_fraction(inner) => {
                flatten_struct(inner, &key, &at, found);
            }
            _ => found(&key, value, &at),
        }
    }
}

fn is_fraction(value: &google::Struct) -> bool {
    let fields = &value.fields;
    fields.is_empty() || fields.contains_key("numerator") || fields.contains_key("denominator")
}

/// The runtime for those that are read, which notes the keys that they asked for.
#[derive(Debug, Default)]
pub(crate) struct RuntimeReader {
    runtime: Runtime,
    /// With what the value was expected to be, where it was not.
    asked: RefCell<HashMap<String, Option<&'static str>>>,
}

impl RuntimeReader {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime, asked: RefCell::default() }
    }

    /// Whether there is a value for `key`, of any kind.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.runtime.value(key).is_some()
    }

    /// The boolean under `key`.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.ask(key, "boolean", RuntimeValue::flag)
    }

    /// The whole number under `key`, of which a fraction is cut off.
    pub(crate) fn integer(&self, key: &str) -> Option<u64> {
        self.ask(key, "whole number", RuntimeValue::integer)
    }

    /// The same, or the greatest number there is room for.
    pub(crate) fn integer_u32(&self, key: &str) -> Option<u32> {
        self.integer(key).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// The number under `key`.
    pub(crate) fn double(&self, key: &str) -> Option<f64> {
        self.ask(key, "number", RuntimeValue::double)
    }

    /// The share of requests under `key`.
    pub(crate) fn fraction(&self, key: &str) -> Option<Fraction> {
        self.ask(key, "share of requests", RuntimeValue::fraction)
    }

    /// `overload.global_downstream_max_connections`.
    pub(crate) fn max_downstream_connections(&self) -> Option<u64> {
        self.integer(MAX_CONNECTIONS)
    }

    /// `envoy.resource_limits.listener.<name>.connection_limit`.
    pub(crate) fn listener_connection_limit(&self, name: &str) -> Option<u64> {
        self.integer(&format!("{LISTENER_PREFIX}{name}{LISTENER_SUFFIX}"))
    }

    fn ask<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl Fn(&RuntimeValue) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.runtime.value(key)?);
        let fault = value.is_none().then_some(expected);
        self.asked.borrow_mut().insert(key.to_owned(), fault);
        value
    }

    /// Once all is read: tells what of `layered_runtime`, which `at` stands for, has no effect.
    pub(crate) fn warn_of_no_effect(&self, wire: &wire::LayeredRuntime, at: &At<'_>) {
        let at = at.field("layers");
        for (index, layer) in wire.layers.iter().enumerate() {
            let later = self.runtime.layers.get(index + 1..).unwrap_or_default();
            flatten(layer, &at.index(index), &mut |key, value, at| {
                if !later.iter().any(|layer| layer.values.contains_key(key)) {
                    self.warn_of(key, value, at);
                }
            });
        }
    }

    fn warn_of(&self, key: &str, wire: &google::Value, at: &At<'_>) {
        // What is no value is an error already.
        let Some(value) = RuntimeValue::from_wire(wire) else { return };
        let listener =
            key.strip_prefix(LISTENER_PREFIX).and_then(|rest| rest.strip_suffix(LISTENER_SUFFIX));
        let no_effect = format!("runtime key '{key}' has no effect");
        match (self.asked.borrow().get(key), listener) {
            (None, Some(name)) => at.warn(
                Note::from(format!("{no_effect}: there is no listener '{name}'"))
                    .help("name a listener of 'static_resources'"),
            ),
            (None, None) => {
                let asked = self.asked.borrow();
                let near = did_you_mean(key, asked.keys().map(String::as_str));
                let note = Note::from(no_effect);
                at.warn(
                    note.help(near.unwrap_or_else(|| "nothing asks for it: remove it".to_owned())),
                );
            }
            (Some(Some(expected)), _) => {
                let found = match &wire.kind {
                    Some(Kind::StructValue(_)) => "a structure".to_owned(),
                    _ => format!("'{}'", value.text),
                };
                at.warn(
                    Note::from(format!("{no_effect}: {found} is no {expected}"))
                        .help(format!("write a {expected}")),
                );
            }
            (Some(None), _) if key == MAX_CONNECTIONS => {
                at.warn(Note::from("deprecated by Envoy").help(
                    "use the resource monitor 'envoy.resource_monitors.global_downstream_max_connections'",
                ));
            }
            (Some(None), _) => {}
        }
    }
}

/// `envoy.config.core.v3.RuntimeFeatureFlag`; true where it is absent.
pub(crate) fn is_enabled(flag: Option<&RuntimeFeatureFlag>, at: &At<'_>) -> bool {
    let Some(flag) = flag else { return true };
    at.runtime()
        .flag(&flag.runtime_key)
        .unwrap_or_else(|| flag.default_value.is_none_or(|value| value.value))
}

/// `envoy.config.core.v3.RuntimeDouble`, or `default` where it is absent.
pub(crate) fn double(wire: Option<&RuntimeDouble>, default: f64, at: &At<'_>) -> f64 {
    let value = |wire: &RuntimeDouble| at.runtime().double(&wire.runtime_key);
    wire.map_or(default, |wire| value(wire).unwrap_or(wire.default_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_overrides() {
        let value = |text: &str| {
            let kind = Some(Kind::StringValue(text.to_owned()));
            RuntimeValue::from_wire(&google::Value { kind }).unwrap()
        };
        let layer = |name: &str, values: &[(&str, &str)]| Layer {
            name: name.to_owned(),
            values: values.iter().map(|(key, of)| ((*key).to_owned(), value(of))).collect(),
        };
        let key = "envoy.resource_limits.listener.a.connection_limit";
        let low = layer("low", &[(key, "1"), ("x", "5"), ("y", "5")]);
        let high = layer("high", &[(key, "2"), ("y", "")]);
        let runtime = RuntimeReader::new(Runtime { layers: vec![low, high] });
        assert_eq!(runtime.listener_connection_limit("a"), Some(2));
        assert_eq!(runtime.listener_connection_limit("b"), None);
        assert_eq!(runtime.integer("x"), Some(5));
        // Envoy's layers take values away so.
        assert_eq!(runtime.integer("y"), None);
        assert_eq!(runtime.runtime.keys().collect::<Vec<_>>(), [key, "x", "y"]);
    }
}

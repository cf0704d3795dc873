//! Envoy's defaults as data, for `config dump` and for the list of supported fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// For each message of the support table, the fields whose absence means a value.
pub(crate) struct Defaults(BTreeMap<String, Map<String, Value>>);

impl Defaults {
    /// All of them.
    pub(crate) fn read() -> Self {
        let text = include_str!("defaults.yaml");
        Self(serde_yaml::from_str(text).expect("the defaults are those of the build"))
    }

    /// What the absent fields of a message mean, as protobuf's JSON. `key` is what the support table
    /// has it under.
    pub(crate) fn of(&self, key: &str) -> impl Iterator<Item = (&str, &Value)> {
        let fields = self.0.get(key).into_iter().flatten();
        fields.map(|(name, value)| (name.as_str(), value))
    }
}

/// What the absence of each field means, by message and field, where that is a value.
pub fn default_values() -> BTreeMap<(String, String), String> {
    let Defaults(messages) = Defaults::read();
    let fields = |(message, fields): (String, Map<String, Value>)| {
        let of_message = move |(field, value)| ((message.clone(), field), written(&value));
        fields.into_iter().map(of_message)
    };
    messages.into_iter().flat_map(fields).filter(|(_, value)| value != "{}").collect()
}

/// A value in one line, as YAML.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", comma_separated(items.iter().map(written))),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", written(value)));
            format!("{{{}}}", comma_separated(fields))
        }
        other => other.to_string(),
    }
}

fn comma_separated(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::supported_fields;

    #[test]
    fn only_supported_fields_have_defaults() {
        let supported = supported_fields();
        for (message, fields) in Defaults::read().0 {
            for (field, _) in fields {
                let is_supported = supported.iter().any(|(m, f, _)| *m == message && *f == field);
                assert!(is_supported, "{message}.{field}");
            }
        }
    }

    #[test]
    fn a_default_is_written_as_in_a_file() {
        let values = default_values();
        let of =
            |message: &str, field: &str| values[&(message.to_owned(), field.to_owned())].clone();
        assert_eq!(of("envoy.config.route.v3.RouteAction", "timeout"), "15s");
        assert_eq!(
            of("envoy.config.cluster.v3.CircuitBreakers", "thresholds"),
            "[{priority: DEFAULT}, {priority: HIGH}]"
        );
    }
}

//! `envoy.config.core.v3.Metadata`: values for filters and logs, by namespace.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3 as wire;
use envoy_types::pb::google::protobuf as pb;
use pb::value::Kind;
use prost::Message;
use serde_json::{Map, Number, Value};

/// `filter_metadata`: an object for each namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(pub BTreeMap<String, Value>);

impl Metadata {
    pub(crate) fn from_wire(wire: Option<&wire::Metadata>) -> Self {
        let namespaces = wire.iter().flat_map(|wire| &wire.filter_metadata);
        Self(namespaces.map(|(name, fields)| (name.clone(), object(fields))).collect())
    }

    /// The value that `keys` lead to within `namespace`; none where it is `null`.
    pub fn get(&self, namespace: &str, keys: &[String]) -> Option<&Value> {
        let mut value = self.0.get(namespace)?;
        for key in keys {
            value = value.get(key.as_str())?;
        }
        Some(value).filter(|value| !value.is_null())
    }

    /// Puts `value` in the place of what `key` stands for within `namespace`, unless that is no object.
    pub fn put(&mut self, namespace: &str, key: &str, value: Value) {
        let namespace = self.0.entry(namespace.to_owned());
        if let Value::Object(members) = namespace.or_insert_with(|| Map::new().into()) {
            members.insert(key.to_owned(), value);
            // Envoy writes members by name.
            members.sort_keys();
        }
    }
}

/// The namespace of the metadata that load balancers look at.
pub const LB_NAMESPACE: &str = "envoy.lb";

/// What `wire` holds for load balancers.
pub(crate) fn lb_metadata(wire: Option<&wire::Metadata>) -> BTreeMap<String, Value> {
    fields_in(LB_NAMESPACE, wire)
}

/// What `wire` holds in `namespace`.
pub(crate) fn fields_in(namespace: &str, wire: Option<&wire::Metadata>) -> BTreeMap<String, Value> {
    let fields = wire.and_then(|wire| wire.filter_metadata.get(namespace));
    fields.map(fields_of).unwrap_or_default()
}

/// The members of `wire` by name.
pub(crate) fn fields_of(wire: &pb::Struct) -> BTreeMap<String, Value> {
    wire.fields.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn object(wire: &pb::Struct) -> Value {
    // Envoy writes members by name, whatever order the file has.
    fields_of(wire).into_iter().collect()
}

fn json_value(wire: &pb::Value) -> Value {
    match &wire.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::NumberValue(value)) => json_number(*value),
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::StructValue(fields)) => object(fields),
        Some(Kind::ListValue(list)) => list.values.iter().map(json_value).collect(),
    }
}

/// The value of which `bytes` are the serialized form (`google.protobuf.Value`).
pub fn decode_value(bytes: &[u8]) -> Option<Value> {
    pb::Value::decode(bytes).ok().map(|wire| json_value(&wire))
}

/// Up to here a whole number is exact as a double.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A number in the one form in which it is compared: whole where it is whole. -0 is not.
pub fn json_number(value: f64) -> Value {
    let is_negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX && !is_negative_zero {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds")]
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

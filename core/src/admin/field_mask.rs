//! `google.protobuf.FieldMask` on messages in their JSON form.

use ringmain_config::Schema;
use serde_json::{Map, Value};

/// What is left of `message`, of the type `full_name`, under `paths`; `None` where a path names no
/// field of it. An Any is looked into by its `@type`, and keeps it.
pub fn apply(schema: &Schema, message: &Value, full_name: &str, paths: &[&str]) -> Option<Value> {
    if !paths.iter().all(|path| exists(schema, message, full_name, path)) {
        return None;
    }
    let mut kept = Value::Object(Map::new());
    copy_type(message, &mut kept);
    for path in paths {
        copy(message, path, &mut kept);
    }
    // In the order of the fields, not in that of the paths.
    Some(in_order_of(message, kept))
}

fn exists(schema: &Schema, message: &Value, full_name: &str, path: &str) -> bool {
    let full_name = any_type(message).unwrap_or(full_name);
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(shape) = schema.field(full_name, name) else { return false };
    let Some(rest) = rest else { return true };
    let absent = Value::Null;
    let inner = message.get(name).unwrap_or(&absent);
    match shape.message {
        Some(full_name) if !shape.is_repeated => exists(schema, inner, &full_name, rest),
        _ => false,
    }
}

fn any_type(message: &Value) -> Option<&str> {
    message.get("@type")?.as_str()?.rsplit('/').next()
}

fn copy_type(from: &Value, to: &mut Value) {
    if let Some(url) = from.get("@type") {
        to["@type"] = url.clone();
    }
}

fn copy(from: &Value, path: &str, to: &mut Value) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(value) = from.get(name) else { return };
    match rest {
        None => to[name] = value.clone(),
        Some(rest) => {
            if to.get(name).is_none() {
                to[name] = Value::Object(Map::new());
                copy_type(value, &mut to[name]);
            }
            copy(value, rest, &mut to[name]);
        }
    }
}

fn in_order_of(model: &Value, value: Value) -> Value {
    let (Value::Object(model), Value::Object(mut fields)) = (model, value.clone()) else {
        return value;
    };
    let mut ordered = Map::new();
    for (name, inner) in model {
        if let Some(field) = fields.remove(name) {
            ordered.insert(name.clone(), in_order_of(inner, field));
        }
    }
    Value::Object(ordered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STATIC_CLUSTER: &str = "envoy.admin.v3.ClustersConfigDump.StaticCluster";

    fn cluster() -> Value {
        json!({
            "cluster": {
                "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
                "name": "a",
                "type": "STATIC",
            },
            "last_updated": "2026-01-01T00:00:00.000Z",
        })
    }

    #[test]
    fn fields_of_an_any_are_found_by_its_type() {
        let kept =
            apply(&Schema::decode(), &cluster(), STATIC_CLUSTER, &["last_updated", "cluster.name"]);
        assert_eq!(
            kept.expect("legal").to_string(),
            r#"{"cluster":{"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster","name":"a"},"last_updated":"2026-01-01T00:00:00.000Z"}"#
        );
    }

    #[test]
    fn a_field_that_the_schema_lacks_is_refused_and_an_unset_one_is_not() {
        let schema = Schema::decode();
        assert_eq!(apply(&schema, &cluster(), STATIC_CLUSTER, &["cluster.bad"]), None);
        assert_eq!(apply(&schema, &cluster(), STATIC_CLUSTER, &["bad"]), None);
        let kept =
            apply(&Schema::decode(), &cluster(), STATIC_CLUSTER, &["cluster.connect_timeout"]);
        assert!(kept.is_some_and(|kept| kept["cluster"].get("name").is_none()));
    }
}

//! A configuration as YAML with Envoy's defaults filled in, for `ringmain config dump`.
//!
//! What is set stays as it is, secrets aside. Of what is absent, the fields with a default stand beside
//! it, so that loading the result means the same.

mod yaml;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, ReflectMessage, SerializeOptions, Value,
};
use serde_json::Value as Json;

use crate::dump::redact;
use crate::support::{Defaults, support_key, supports_value};
use crate::wire;

/// `message` as YAML.
pub(crate) fn effective(mut message: DynamicMessage) -> String {
    redact(&mut message);
    fill(&mut message, None, &Defaults::read());
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    // It was read from such text, so it can be written.
    let mut json =
        message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or_default();
    prune(&mut json, &message, None);
    yaml::written(&json)
}

/// Sets the fields of `message`, which stands in the field `holder`, that are absent and have a default.
fn fill(message: &mut DynamicMessage, holder: Option<&FieldDescriptor>, defaults: &Defaults) {
    let descriptor = message.descriptor();
    if descriptor.full_name() == "google.protobuf.Any" {
        if let Some(Ok(mut content)) = wire::open_any(message) {
            fill(&mut content, None, defaults);
            wire::close_any(message, &content);
        }
        return;
    }
    for (name, value) in defaults.of(support_key(&descriptor, holder)) {
        let field = descriptor.get_field_by_name(name);
        let Some(field) = field.filter(|field| is_free(message, field)) else { continue };
        let json = Json::from_iter([(name, value.clone())]);
        if let Ok(default) = DynamicMessage::deserialize(descriptor.clone(), json) {
            message.set_field(&field, default.get_field(&field).into_owned());
        }
    }
    let fields: Vec<_> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        for_each_message(message.get_field_mut(&field), &mut |inner| {
            fill(inner, Some(&field), defaults);
        });
    }
}

/// Whether neither `field` nor another one of its oneof is set.
fn is_free(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    match field.containing_oneof() {
        Some(oneof) => oneof.fields().all(|field| !message.has_field(&field)),
        None => !message.has_field(field),
    }
}

fn for_each_message(value: &mut Value, visit: &mut impl FnMut(&mut DynamicMessage)) {
    match value {
        Value::Message(message) => visit(message),
        Value::List(items) => items.iter_mut().for_each(|item| for_each_message(item, visit)),
        Value::Map(entries) => {
            entries.values_mut().for_each(|entry| for_each_message(entry, visit));
        }
        _ => {}
    }
}

/// Takes out of `json` what is neither set in `message` nor a default that is supported: empty text and
/// lists, numbers of 0, and what is refused if it is anything else.
fn prune(json: &mut Json, message: &DynamicMessage, holder: Option<&FieldDescriptor>) {
    let descriptor = message.descriptor();
    if descriptor.full_name() == "google.protobuf.Any" {
        if let Some(Ok(content)) = wire::open_any(message) {
            prune(json, &content, None);
        }
        return;
    }
    let Json::Object(members) = json else { return };
    let key = support_key(&descriptor, holder);
    let shown = |name: &String, value: &Json| {
        let Some(field) = descriptor.get_field_by_name(name) else { return true };
        message.has_field(&field) || says_default(&field, value) && supports_value(key, name, value)
    };
    members.retain(|name, value| shown(name, value));
    for (field, value) in message.fields() {
        if let Some(json) = members.get_mut(field.name()) {
            prune_value(json, value, &field);
        }
    }
}

fn prune_value(json: &mut Json, value: &Value, field: &FieldDescriptor) {
    match (value, json) {
        (Value::Message(message), json) => prune(json, message, Some(field)),
        (Value::List(items), Json::Array(elements)) => {
            for (item, element) in items.iter().zip(elements) {
                prune_value(element, item, field);
            }
        }
        (Value::Map(entries), Json::Object(members)) => {
            for (key, entry) in entries {
                if let Some(member) = key.as_str().and_then(|key| members.get_mut(key)) {
                    prune_value(member, entry, field);
                }
            }
        }
        _ => {}
    }
}

/// Whether a field that is not set says something: `false`, or the first value of an enum.
fn says_default(field: &FieldDescriptor, value: &Json) -> bool {
    let is_deprecated = field.field_descriptor_proto().options.as_ref();
    let is_deprecated = is_deprecated.is_some_and(|options| options.deprecated());
    matches!((field.kind(), value), (Kind::Bool, Json::Bool(_)) | (Kind::Enum(_), Json::String(_)))
        && !is_deprecated
}

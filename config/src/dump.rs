//! A configuration as JSON, for admin `/config_dump`: every field that is set, under its own name,
//! without what Envoy's schema marks as secret.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, ReflectMessage, SerializeOptions, Value,
};

use crate::wire;

const REDACTED: &str = "[redacted]";

/// `message` as protobuf's JSON, in one line.
pub(crate) fn dump(mut message: DynamicMessage) -> String {
    redact(&mut message);
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    match message.serialize_with_options(&mut serializer, &options) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        // An Any of a type that the schema lacks; such a file was refused before.
        Err(_) => "{}".into(),
    }
}

/// Replaces secrets.
pub(crate) fn redact(message: &mut DynamicMessage) {
    redact_within(message, false);
}

/// Replaces secrets; `within` one, everything is secret.
fn redact_within(message: &mut DynamicMessage, within: bool) {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        if let Some(Ok(mut content)) = wire::open_any(message) {
            redact_within(&mut content, within);
            wire::close_any(message, &content);
        }
        return;
    }
    let fields: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    for field in fields {
        let secret = within || is_sensitive(&field);
        redact_value(message.get_field_mut(&field), &field.kind(), secret);
    }
}

fn redact_value(value: &mut Value, kind: &Kind, secret: bool) {
    match value {
        Value::Message(message) => redact_within(message, secret),
        Value::List(items) => {
            items.iter_mut().for_each(|item| redact_value(item, kind, secret));
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = kind else { return };
            let kind = entry.map_entry_value_field().kind();
            entries.values_mut().for_each(|value| redact_value(value, &kind, secret));
        }
        Value::String(text) if secret => REDACTED.clone_into(text),
        Value::Bytes(bytes) if secret => *bytes = REDACTED.as_bytes().to_vec().into(),
        _ => {}
    }
}

fn is_sensitive(field: &FieldDescriptor) -> bool {
    let Some(extension) = field.parent_pool().get_extension_by_name("udpa.annotations.sensitive")
    else {
        return false;
    };
    field.options().get_extension(&extension).as_bool() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema, text};

    fn dumped(yaml: &str) -> String {
        let descriptor = schema::message(&schema::decode(), schema::BOOTSTRAP);
        let document = text::Document::parse(yaml, false).expect("legal");
        dump(text::read(&document, &descriptor, false).message)
    }

    #[test]
    fn fields_keep_their_names_and_order_and_an_any_is_open() {
        let json = dumped(
            "static_resources:\n  listeners:\n  - name: a\n    filter_chains:\n    - filters:\n      \
             - name: http\n        typed_config:\n          '@type': \
             type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n          \
             dynamic_stats: false\n    stat_prefix: s\nstats_flush_interval: 0.1s\n",
        );
        assert_eq!(
            json,
            r#"{"static_resources":{"listeners":[{"name":"a","filter_chains":[{"filters":[{"name":"http","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router","dynamic_stats":false}}]}],"stat_prefix":"s"}]},"stats_flush_interval":"0.100s"}"#
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let json = dumped(
            "static_resources:\n  secrets:\n  - name: s\n    tls_certificate:\n      \
             certificate_chain: { inline_string: public }\n      private_key: { inline_string: \
             hidden }\n      password: { filename: hidden }\n",
        );
        assert!(!json.contains("hidden"), "{json}");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let certificate = &json["static_resources"]["secrets"][0]["tls_certificate"];
        assert_eq!(certificate["private_key"]["inline_string"], "[redacted]");
        assert_eq!(certificate["certificate_chain"]["inline_string"], "public");
    }
}

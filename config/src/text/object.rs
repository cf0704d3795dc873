//! Mappings: messages by their fields, and protobuf maps by their keys.

use std::collections::HashMap;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, OneofDescriptor, Value,
};

use super::Reader;
use super::document::NodeId;
use super::node::Shape;
use super::scalar::Scalar;
use crate::report::{At, Note, did_you_mean};

/// Fields that are listed where a key is like none of them.
const FIELDS_SHOWN_MAX: usize = 8;

impl Reader<'_> {
    /// Reads a message from the keys and values of a mapping.
    pub(super) fn object(
        &self,
        descriptor: &MessageDescriptor,
        entries: &[NodeId],
        at: &At<'_>,
    ) -> DynamicMessage {
        self.object_beside(descriptor, entries, &[], at)
    }

    /// The same; of the keys in `known`, which are no fields, the first occurrence is passed over.
    pub(super) fn object_beside(
        &self,
        descriptor: &MessageDescriptor,
        entries: &[NodeId],
        known: &[NodeId],
        at: &At<'_>,
    ) -> DynamicMessage {
        let message = DynamicMessage::new(descriptor.clone());
        let mut object = Object { reader: self, message, seen: Vec::new(), chosen: Vec::new() };
        for entry in entries.chunks_exact(2).filter(|entry| !known.contains(&entry[0])) {
            let key = self.document.words(entry[0]);
            object.entry(key, entry[1], &at.field(key));
        }
        object.message
    }

    /// Reads a protobuf map; `entry` describes its key and value.
    pub(super) fn map(
        &self,
        entry: &MessageDescriptor,
        entries: &[NodeId],
        at: &At<'_>,
    ) -> HashMap<MapKey, Value> {
        let key_kind = entry.map_entry_key_field().kind();
        let shape = Shape::One(entry.map_entry_value_field().kind());
        let mut map = HashMap::new();
        for entry in entries.chunks_exact(2) {
            let key = self.document.words(entry[0]);
            let at = at.key(key);
            let value = self.value(&shape, entry[1], &at);
            match Scalar::of_quoted(key).convert(&key_kind) {
                Ok(map_key) => {
                    if let (Some(map_key), Some(value)) = (map_key.into_map_key(), value)
                        && map.insert(map_key, value).is_some()
                    {
                        at.error_at_second_key(
                            Note::from(format!("key '{key}' is set twice"))
                                .help("remove one of the two"),
                        );
                    }
                }
                Err(note) => at.error_at_key(note),
            }
        }
        map
    }
}

/// What a message has, where a key is like none of it.
fn fields_of(message: &str, names: &[String]) -> String {
    let shown = names.len().min(FIELDS_SHOWN_MAX);
    let more = match names.len() - shown {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{message} has {}{more}", names[..shown].join(", "))
}

/// A message in the making.
struct Object<'a> {
    reader: &'a Reader<'a>,
    message: DynamicMessage,
    seen: Vec<u32>,
    chosen: Vec<(OneofDescriptor, &'a str)>,
}

impl<'a> Object<'a> {
    fn entry(&mut self, key: &'a str, value: NodeId, at: &At<'_>) {
        let Some(field) = self.field(key, at) else { return };
        if let Some(value) = self.reader.value(&Shape::of_field(&field), value, at)
            && self.chooses(&field, key, at)
        {
            self.message.set_field(&field, value);
        }
    }

    /// The field that `key` names, unless there is none or it was set before.
    fn field(&mut self, key: &str, at: &At<'_>) -> Option<FieldDescriptor> {
        use prost_reflect::ReflectMessage;

        let descriptor = self.message.descriptor();
        let field =
            descriptor.get_field_by_name(key).or_else(|| descriptor.get_field_by_json_name(key));
        let Some(field) = field else {
            let names: Vec<_> = descriptor.fields().map(|field| field.name().to_owned()).collect();
            let help = match key {
                "<<" => "neither Envoy nor ringmain merges keys; write the fields out".to_owned(),
                _ => did_you_mean(key, names.iter().map(String::as_str))
                    .unwrap_or_else(|| fields_of(descriptor.name(), &names)),
            };
            let note = Note::from(format!("unknown field '{key}'")).help(help);
            if self.reader.allow_unknown_fields {
                at.warn(note)
            } else {
                at.error_at_key(note)
            }
            return None;
        };
        if self.seen.contains(&field.number()) {
            at.error_at_second_key(
                Note::from(format!("field '{key}' is set twice")).help("remove one of the two"),
            );
            return None;
        }
        self.seen.push(field.number());
        Some(field)
    }

    /// Whether `field` is the only one set of its oneof.
    fn chooses(&mut self, field: &FieldDescriptor, key: &'a str, at: &At<'_>) -> bool {
        let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) else {
            return true;
        };
        if let Some((_, other)) = self.chosen.iter().find(|(chosen, _)| *chosen == oneof) {
            at.error_at_key(
                Note::from(format!("'{key}' cannot be set together with '{other}'"))
                    .help("remove one of the two"),
            );
            return false;
        }
        self.chosen.push((oneof, key));
        true
    }
}

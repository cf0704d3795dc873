//! Mappings: messages by their fields, and protobuf maps by their keys.

use std::collections::{HashMap, HashSet};

use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, OneofDescriptor, ReflectMessage,
    Value,
};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

use super::Reader;
use super::node::{Node, Shape};
use super::scalar::Scalar;
use crate::report::{At, Note, did_you_mean};

/// A message in the making.
pub(super) struct Object<'a> {
    reader: &'a Reader,
    at: &'a At<'a>,
    message: DynamicMessage,
    seen: HashSet<u32>,
    chosen: Vec<(OneofDescriptor, String)>,
}

impl<'a> Object<'a> {
    pub(super) fn new(reader: &'a Reader, descriptor: MessageDescriptor, at: &'a At<'a>) -> Self {
        let message = DynamicMessage::new(descriptor);
        Self { reader, at, message, seen: HashSet::new(), chosen: Vec::new() }
    }

    pub(super) fn at(&self) -> &'a At<'a> {
        self.at
    }

    pub(super) fn finish(self) -> DynamicMessage {
        self.message
    }

    /// Reads all entries that are left in `map`.
    pub(super) fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeyText)? {
            map.next_value_seed(Entry { object: self, key })?;
        }
        Ok(())
    }

    /// Reads the value of one key.
    pub(super) fn entry<'de, D: Deserializer<'de>>(
        &mut self,
        key: &str,
        deserializer: D,
    ) -> Result<(), D::Error> {
        let at = self.at.field(key);
        let Some(field) = self.field(key, &at) else {
            return IgnoredAny::deserialize(deserializer).map(|_| ());
        };
        let Some(value) = Node::of_field(self.reader, &field, &at).deserialize(deserializer)?
        else {
            return Ok(());
        };
        if self.chooses(&field, key, &at) {
            self.message.set_field(&field, value);
        }
        Ok(())
    }

    /// The field that `key` names, unless there is none or it was set before.
    fn field(&mut self, key: &str, at: &At<'_>) -> Option<FieldDescriptor> {
        let descriptor = self.message.descriptor();
        let field =
            descriptor.get_field_by_name(key).or_else(|| descriptor.get_field_by_json_name(key));
        let Some(field) = field else {
            let names: Vec<_> = descriptor.fields().map(|field| field.name().to_owned()).collect();
            let note = Note::from(format!("unknown field '{key}'"))
                .help(did_you_mean(key, names.iter().map(String::as_str)));
            if self.reader.allow_unknown_fields {
                at.warn(note)
            } else {
                at.error_at_key(note)
            }
            return None;
        };
        if !self.seen.insert(field.number()) {
            at.error_at_second_key(format!("field '{key}' is set twice"));
            return None;
        }
        Some(field)
    }

    /// Whether `field` is the only one set of its oneof.
    fn chooses(&mut self, field: &FieldDescriptor, key: &str, at: &At<'_>) -> bool {
        let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) else {
            return true;
        };
        if let Some((_, other)) = self.chosen.iter().find(|(chosen, _)| *chosen == oneof) {
            at.error_at_key(format!("'{key}' cannot be set together with '{other}'"));
            return false;
        }
        self.chosen.push((oneof, key.to_owned()));
        true
    }
}

struct Entry<'o, 'a> {
    object: &'o mut Object<'a>,
    key: String,
}

impl<'de> DeserializeSeed<'de> for Entry<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.object.entry(&self.key, deserializer)
    }
}

/// Reads a protobuf map; `entry` describes its key and value.
pub(super) fn read_map<'de, A: MapAccess<'de>>(
    reader: &Reader,
    entry: &MessageDescriptor,
    at: &At<'_>,
    mut map: A,
) -> Result<HashMap<MapKey, Value>, A::Error> {
    let key_kind = entry.map_entry_key_field().kind();
    let value_field = entry.map_entry_value_field();
    let mut entries = HashMap::new();
    while let Some(key) = map.next_key_seed(KeyText)? {
        let at = at.key(&key);
        let node = Node::new(reader, Shape::One(value_field.kind()), &at);
        let value = map.next_value_seed(node)?;
        match Scalar::Text(&key).convert(&key_kind) {
            Ok(map_key) => {
                let (Some(map_key), Some(value)) = (map_key.into_map_key(), value) else {
                    continue;
                };
                if entries.insert(map_key, value).is_some() {
                    at.error_at_second_key(format!("key '{key}' is set twice"));
                }
            }
            Err(note) => at.error_at_key(note),
        }
    }
    Ok(entries)
}

/// Reads a key as it is written, whether it looks like text, a number or a boolean.
pub(super) struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyText {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key of text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

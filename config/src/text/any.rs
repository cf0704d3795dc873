//! `google.protobuf.Any`: a mapping whose `@type` says what the rest of it is.

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value,
};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess};

use super::Reader;
use super::node::{Node, Shape};
use super::object::{KeyText, Object};
use super::scalar::is_wrapper;
use crate::report::{At, Note, did_you_mean};
use crate::schema;

const TYPE: &str = "@type";

/// Reads an Any; `None` where its type is missing or unknown.
pub(super) fn read_any<'de, A: MapAccess<'de>>(
    reader: &Reader,
    descriptor: &MessageDescriptor,
    at: &At<'_>,
    mut map: A,
) -> Result<Option<DynamicMessage>, A::Error> {
    // Mostly `@type` comes first. What comes before it is kept until the type is known.
    let mut early: Vec<(String, serde_yaml::Value)> = Vec::new();
    let mut url = None;
    while let Some(key) = map.next_key_seed(KeyText)? {
        if key == TYPE {
            let type_at = at.field(TYPE);
            url = map.next_value_seed(Node::new(reader, Shape::One(Kind::String), &type_at))?;
            break;
        }
        early.push((key, map.next_value()?));
    }
    let url = url.as_ref().and_then(Value::as_str);
    let Some((url, inner)) = url.and_then(|url| Some((url, message_type(&reader.pool, url, at)?)))
    else {
        if url.is_none() {
            at.error_at_key(
                Note::from("'@type' is missing").help(
                    "say the message's type, such as \
                 type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                        .to_owned(),
                ),
            );
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        return Ok(None);
    };
    let mut content = Content::new(reader, inner, at);
    for (key, value) in early {
        if content.entry(&key, value).is_err() {
            at.field(&key).error("cannot be read; put '@type' before it");
        }
    }
    while let Some(key) = map.next_key_seed(KeyText)? {
        map.next_value_seed(Entry { content: &mut content, key })?;
    }
    let mut any = DynamicMessage::new(descriptor.clone());
    any.set_field_by_name("type_url", Value::String(url.to_owned()));
    any.set_field_by_name("value", Value::Bytes(content.finish().encode_to_vec().into()));
    Ok(Some(any))
}

fn message_type(pool: &DescriptorPool, url: &str, at: &At<'_>) -> Option<MessageDescriptor> {
    let at = at.field(TYPE);
    let Some(name) = schema::type_name(url) else {
        at.error(
            Note::from(format!("'{url}' is no type URL"))
                .help(format!("write type.googleapis.com/{url}")),
        );
        return None;
    };
    let descriptor = pool.get_message_by_name(name);
    if descriptor.is_none() {
        let names: Vec<_> =
            pool.all_messages().map(|message| message.full_name().to_owned()).collect();
        let help = if name.contains(".v2.") || name.contains(".v2alpha.") {
            Some("Envoy's v2 API is gone, use the v3 message".to_owned())
        } else if name.ends_with(".TypedStruct") {
            Some("use the message that it stands for".to_owned())
        } else {
            did_you_mean(name, names.iter().map(String::as_str))
        };
        at.error(Note::from(format!("unknown type '{name}'")).help(help));
    }
    descriptor
}

/// The message inside an Any. One that JSON does not write as a mapping of its fields stands
/// under the key `value`.
enum Content<'a> {
    Fields(Object<'a>),
    UnderValue { reader: &'a Reader, at: &'a At<'a>, message: DynamicMessage },
}

impl<'a> Content<'a> {
    fn new(reader: &'a Reader, descriptor: MessageDescriptor, at: &'a At<'a>) -> Self {
        let name = descriptor.full_name();
        let under_value = is_wrapper(name)
            || matches!(
                name,
                "google.protobuf.Any"
                    | "google.protobuf.Duration"
                    | "google.protobuf.Struct"
                    | "google.protobuf.Value"
                    | "google.protobuf.ListValue"
            );
        if under_value {
            Self::UnderValue { reader, at, message: DynamicMessage::new(descriptor) }
        } else {
            Self::Fields(Object::new(reader, descriptor, at))
        }
    }

    fn entry<'de, D: Deserializer<'de>>(&mut self, key: &str, value: D) -> Result<(), D::Error> {
        match self {
            Self::Fields(object) if key == TYPE => {
                object.at().field(TYPE).error_at_second_key("field '@type' is set twice");
                IgnoredAny::deserialize(value).map(|_| ())
            }
            Self::Fields(object) => object.entry(key, value),
            Self::UnderValue { reader, at, message } if key == "value" => {
                let at = at.field("value");
                let shape = Shape::One(Kind::Message(message.descriptor()));
                if let Some(Value::Message(read)) =
                    Node::new(reader, shape, &at).deserialize(value)?
                {
                    *message = read;
                }
                Ok(())
            }
            Self::UnderValue { at, message, .. } => {
                at.field(key).error_at_key(Note::from(format!("unknown field '{key}'")).help(
                    format!("write a {} under the key 'value'", message.descriptor().name()),
                ));
                IgnoredAny::deserialize(value).map(|_| ())
            }
        }
    }

    fn finish(self) -> DynamicMessage {
        match self {
            Self::Fields(object) => object.finish(),
            Self::UnderValue { message, .. } => message,
        }
    }
}

struct Entry<'c, 'a> {
    content: &'c mut Content<'a>,
    key: String,
}

impl<'de> DeserializeSeed<'de> for Entry<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.content.entry(&self.key, deserializer)
    }
}

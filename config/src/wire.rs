//! Messages between their dynamic form, which knows the schema, and Envoy's typed structs.

mod encode;

use envoy_types::pb::google::protobuf::{Any, UInt32Value};
use prost::{DecodeError, Message, Name};
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};

pub(crate) use self::encode::encode;
use crate::report::{Path, Step};
use crate::schema;

/// As a typed struct.
pub(crate) fn typed<T: Message + Default>(message: &DynamicMessage) -> Result<T, DecodeError> {
    T::decode(&encode(message)[..])
}

/// The message in an Any, if it is a `T`. That it can be decoded was seen to by `check`.
pub(crate) fn unpack<T: Message + Name + Default>(any: &Any) -> Option<T> {
    let is_t = schema::type_name(&any.type_url) == Some(T::full_name().as_str());
    is_t.then(|| T::decode(&any.value[..]).ok()).flatten()
}

/// The value, or `default` where it is absent.
pub(crate) fn or(wire: Option<UInt32Value>, default: u32) -> u32 {
    wire.map_or(default, |value| value.value)
}

/// Opens a dynamic `google.protobuf.Any`; `None` where it is empty or of no known type.
pub(crate) fn open_any(any: &DynamicMessage) -> Option<Result<DynamicMessage, DecodeError>> {
    let url = any.get_field_by_name("type_url")?;
    let pool = any.descriptor().parent_pool().clone();
    let descriptor = pool.get_message_by_name(schema::type_name(url.as_str()?)?)?;
    let content = any.get_field_by_name("value")?;
    Some(DynamicMessage::decode(descriptor, content.as_bytes()?.clone()))
}

/// Puts changed content back into an Any that was opened.
pub(crate) fn close_any(any: &mut DynamicMessage, content: &DynamicMessage) {
    any.set_field_by_name("value", Value::Bytes(encode(content).into()));
}

/// Where `message` is nested most deeply, down to the field that holds one of protobuf's own messages,
/// such as a Struct.
pub(crate) fn deepest(message: &DynamicMessage) -> Path {
    let (_, mut steps) = height(message);
    steps.reverse();
    Path(steps)
}

/// How many messages stand within one another, and the steps to the innermost, last one first.
fn height(message: &DynamicMessage) -> (usize, Vec<Step>) {
    let within = message.fields().flat_map(|(field, value)| {
        parts(value).into_iter().map(move |(part, step)| {
            let (height, mut steps) = height(part);
            steps.extend(step);
            steps.push(Step::Field(field.name().to_owned()));
            (height + 1, steps)
        })
    });
    let (height, steps) = within.max_by_key(|(height, _)| *height).unwrap_or_default();
    match message.descriptor().package_name() {
        "google.protobuf" => (height, Vec::new()),
        _ => (height, steps),
    }
}

/// The messages in a field, and what leads from the field to each.
fn parts(value: &Value) -> Vec<(&DynamicMessage, Option<Step>)> {
    match value {
        Value::Message(message) => vec![(message, None)],
        Value::List(items) => {
            let items = items.iter().enumerate();
            items
                .filter_map(|(at, item)| Some((item.as_message()?, Some(Step::Index(at)))))
                .collect()
        }
        Value::Map(entries) => {
            let key = |key: &MapKey| Step::Key(key.as_str().unwrap_or_default().to_owned());
            let entries = entries.iter();
            entries.filter_map(|(at, entry)| Some((entry.as_message()?, Some(key(at))))).collect()
        }
        _ => Vec::new(),
    }
}

/// Unsets the field at the end of `steps`, through lists, maps and extensions.
pub(crate) fn clear(message: &mut DynamicMessage, steps: &[Step]) {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        if let Some(Ok(mut content)) = open_any(message) {
            clear(&mut content, steps);
            close_any(message, &content);
        }
        return;
    }
    let Some((Step::Field(name), rest)) = steps.split_first() else { return };
    if rest.is_empty() {
        return message.clear_field_by_name(name);
    }
    let Some(value) = message.get_field_by_name_mut(name) else { return };
    match (value, rest) {
        (Value::List(items), [Step::Index(index), rest @ ..]) => {
            if let Some(Value::Message(item)) = items.get_mut(*index) {
                clear(item, rest);
            }
        }
        (Value::Map(entries), [Step::Key(key), rest @ ..]) => {
            if let Some(Value::Message(entry)) = entries.get_mut(&MapKey::String(key.clone())) {
                clear(entry, rest);
            }
        }
        (Value::Message(inner), rest) => clear(inner, rest),
        _ => {}
    }
}

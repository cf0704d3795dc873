//! Messages between their dynamic form, which knows the schema, and Envoy's typed structs.

use envoy_types::pb::google::protobuf::Any;
use prost::{DecodeError, Message, Name};
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};

use crate::report::Step;
use crate::schema;

/// As a typed struct.
pub(crate) fn typed<T: Message + Default>(message: &DynamicMessage) -> Result<T, DecodeError> {
    message.transcode_to()
}

/// The message in an Any, if it is a `T`. That it can be decoded was seen to by `check`.
pub(crate) fn unpack<T: Message + Name + Default>(any: &Any) -> Option<T> {
    let is_t = schema::type_name(&any.type_url) == Some(T::full_name().as_str());
    is_t.then(|| T::decode(&any.value[..]).ok()).flatten()
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
    any.set_field_by_name("value", Value::Bytes(content.encode_to_vec().into()));
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

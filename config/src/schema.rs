//! Envoy's own schema: the descriptors of every v3 message, with their validation rules.
//!
//! Decoded, they take 18 MB. So a load owns them and drops them with its last message; nothing static
//! may hold any part of them.

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// The root of a configuration.
pub(crate) const BOOTSTRAP: &str = "envoy.config.bootstrap.v3.Bootstrap";

/// All messages, decoded anew. Whoever has a descriptor has the pool too: `parent_pool`.
#[cfg(not(fuzzing))]
pub(crate) fn decode() -> DescriptorPool {
    embedded()
}

/// A fuzzer loads without end, and under a sanitizer decoding takes seconds: it keeps them.
#[cfg(fuzzing)]
pub(crate) fn decode() -> DescriptorPool {
    thread_local! {
        static KEPT: DescriptorPool = embedded();
    }
    KEPT.with(DescriptorPool::clone)
}

fn embedded() -> DescriptorPool {
    let set = include_bytes!(concat!(env!("OUT_DIR"), "/envoy-descriptors.bin"));
    DescriptorPool::decode(&set[..]).expect("the embedded descriptors are those of the build")
}

/// A message that is surely part of the schema.
pub(crate) fn message(pool: &DescriptorPool, full_name: &str) -> MessageDescriptor {
    pool.get_message_by_name(full_name).unwrap_or_else(|| panic!("{full_name} is in the schema"))
}

/// The full name in a type URL (`type.googleapis.com/envoy.x.v3.Y`), or `None` if it is no such URL.
pub(crate) fn type_name(url: &str) -> Option<&str> {
    url.rsplit_once('/').map(|(_, name)| name)
}

/// Envoy's schema, for whoever asks about its fields. Decoding takes some milliseconds and 18 MB.
#[derive(Debug)]
pub struct Schema(DescriptorPool);

/// What a field of a message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldShape {
    /// It is a list or a map.
    pub is_repeated: bool,
    /// The full name of the message that it holds.
    pub message: Option<String>,
}

impl Schema {
    /// All messages.
    pub fn decode() -> Self {
        Self(decode())
    }

    /// The field `name` of the message `full_name`.
    pub fn field(&self, full_name: &str, name: &str) -> Option<FieldShape> {
        let field = self.0.get_message_by_name(full_name)?.get_field_by_name(name)?;
        let message = field.kind().as_message().map(|message| message.full_name().to_owned());
        Some(FieldShape { is_repeated: field.is_list() || field.is_map(), message })
    }

    /// The full names of all messages.
    pub fn messages(&self) -> impl Iterator<Item = String> {
        self.0.all_messages().map(|message| message.full_name().to_owned())
    }

    /// The names of a message's fields, in Envoy's order. `key` is the message's full name, or that of
    /// a field that holds it.
    pub fn fields(&self, key: &str) -> Vec<String> {
        let message = self.message_of(key);
        message
            .iter()
            .flat_map(MessageDescriptor::fields)
            .map(|field| field.name().to_owned())
            .collect()
    }

    /// What a field of an enum is when it is absent, where it is known to be something then.
    pub fn first_value(&self, key: &str, field: &str) -> Option<String> {
        let field = self.message_of(key)?.get_field_by_name(field)?;
        let kind = field.kind();
        let values = kind.as_enum().filter(|_| !field.supports_presence() && !field.is_list())?;
        Some(values.get_value(0)?.name().to_owned())
    }

    fn message_of(&self, key: &str) -> Option<MessageDescriptor> {
        self.0.get_message_by_name(key).or_else(|| {
            let (holder, field) = key.rsplit_once('.')?;
            let field = self.0.get_message_by_name(holder)?.get_field_by_name(field)?;
            field.kind().as_message().cloned()
        })
    }
}

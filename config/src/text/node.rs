//! One place of the text and what the schema wants there.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::Reader;
use super::any::read_any;
use super::dynamic::{container_value, read_list, read_struct, scalar_value};
use super::object::{Object, read_map};
use super::scalar::{Scalar, described};
use crate::report::At;
use crate::schema;

/// What is wanted.
#[derive(Clone)]
pub(super) enum Shape {
    /// A single value.
    One(Kind),
    /// A repeated field.
    List(Kind),
    /// A map field, by the message of its entries.
    Map(MessageDescriptor),
}

impl Shape {
    /// Anything, as `google.protobuf.Value`.
    pub(super) fn dynamic(pool: &DescriptorPool) -> Self {
        Self::One(Kind::Message(schema::message(pool, "google.protobuf.Value")))
    }

    /// The message that is wanted, or of which a list is wanted.
    fn message(&self) -> Option<&MessageDescriptor> {
        match self {
            Self::One(Kind::Message(descriptor)) | Self::List(Kind::Message(descriptor)) => {
                Some(descriptor)
            }
            _ => None,
        }
    }
}

/// Reads a value. Yields `None` for an absent one (null) and for a wrong one, which is reported;
/// fails only where the text itself cannot be read on.
pub(super) struct Node<'a> {
    reader: &'a Reader,
    shape: Shape,
    at: &'a At<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn new(reader: &'a Reader, shape: Shape, at: &'a At<'a>) -> Self {
        Self { reader, shape, at }
    }

    pub(super) fn of_field(reader: &'a Reader, field: &FieldDescriptor, at: &'a At<'a>) -> Self {
        let shape = match field.kind() {
            Kind::Message(entry) if field.is_map() => Shape::Map(entry),
            kind if field.is_list() => Shape::List(kind),
            kind => Shape::One(kind),
        };
        Self::new(reader, shape, at)
    }

    fn scalar(&self, scalar: Scalar<'_>) -> Option<Value> {
        let kind = match &self.shape {
            Shape::One(kind) | Shape::List(kind) => kind,
            Shape::Map(_) => {
                self.wrong(&scalar.to_string());
                return None;
            }
        };
        let value = match kind {
            Kind::Message(descriptor) if descriptor.full_name() == "google.protobuf.Value" => {
                Value::Message(scalar_value(descriptor.parent_pool(), scalar))
            }
            kind => scalar.convert(kind).map_err(|note| self.at.error(note)).ok()?,
        };
        Some(self.in_list(value))
    }

    /// Envoy takes a single value for a list of one.
    fn in_list(&self, value: Value) -> Value {
        if matches!(self.shape, Shape::List(_)) { Value::List(vec![value]) } else { value }
    }

    fn wrong(&self, found: &str) {
        let expected = match &self.shape {
            Shape::One(kind) => described(kind),
            Shape::List(_) => "a list".to_owned(),
            Shape::Map(_) => "a mapping".to_owned(),
        };
        self.at.error(format!("expected {expected}, found {found}"));
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Value>, E> {
        Ok(self.scalar(Scalar::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Value>, E> {
        Ok(self.scalar(Scalar::Integer(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Value>, E> {
        Ok(self.scalar(Scalar::Integer(value.into())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Value>, E> {
        // Only where text is wanted does it matter how the number is written.
        let written = match (&self.shape, self.shape.message()) {
            (Shape::One(Kind::String) | Shape::List(Kind::String), _) => true,
            (_, Some(message)) => {
                matches!(
                    message.full_name(),
                    "google.protobuf.Value" | "google.protobuf.StringValue"
                )
            }
            _ => false,
        };
        let written = if written { self.reader.numerals.as_written(self.at) } else { None };
        Ok(self.scalar(Scalar::Float(value, written)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Option<Value>, E> {
        Ok(self.scalar(Scalar::Text(value)))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        Ok(match self.shape.message() {
            Some(message) if message.full_name() == "google.protobuf.Value" => {
                self.scalar(Scalar::Null)
            }
            _ => None,
        })
    }

    /// A document without content.
    fn visit_none<E: Error>(self) -> Result<Option<Value>, E> {
        self.visit_unit()
    }

    /// A value with a YAML tag of its own (`!name`).
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Option<Value>, A::Error> {
        IgnoredAny.visit_enum(tagged)?;
        self.wrong("a value with a YAML tag");
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        match &self.shape {
            Shape::List(kind) => {
                let mut values = Vec::new();
                for index in 0.. {
                    let at = self.at.index(index);
                    let element = Element { reader: self.reader, kind, at: &at };
                    match list.next_element_seed(element)? {
                        Some(value) => values.extend(value),
                        None => break,
                    }
                }
                return Ok(Some(Value::List(values)));
            }
            Shape::One(Kind::Message(message)) => match message.full_name() {
                "google.protobuf.ListValue" => {
                    return Ok(Some(Value::Message(read_list(self.reader, self.at, list)?)));
                }
                "google.protobuf.Value" => {
                    let list = read_list(self.reader, self.at, list)?;
                    return Ok(Some(Value::Message(container_value(list))));
                }
                _ => {}
            },
            _ => {}
        }
        self.wrong("a list");
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        if let Shape::Map(entry) = &self.shape {
            return Ok(Some(Value::Map(read_map(self.reader, entry, self.at, map)?)));
        }
        let Some(descriptor) = self.shape.message() else {
            self.wrong("a mapping");
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let message = match descriptor.full_name() {
            "google.protobuf.Any" => read_any(self.reader, descriptor, self.at, map)?,
            "google.protobuf.Struct" => Some(read_struct(self.reader, self.at, map)?),
            "google.protobuf.Value" => {
                Some(container_value(read_struct(self.reader, self.at, map)?))
            }
            _ => {
                let mut object = Object::new(self.reader, descriptor.clone(), self.at);
                object.fill(&mut map)?;
                Some(object.finish())
            }
        };
        Ok(message.map(|message| self.in_list(Value::Message(message))))
    }
}

/// An element of a list. Null is an empty message there, as in Envoy, and wrong for a scalar.
struct Element<'a> {
    reader: &'a Reader,
    kind: &'a Kind,
    at: &'a At<'a>,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        let errors = self.at.errors();
        let shape = Shape::One(self.kind.clone());
        let value = Node::new(self.reader, shape, self.at).deserialize(deserializer)?;
        if value.is_none() && self.at.errors() == errors {
            let Kind::Message(descriptor) = self.kind else {
                self.at.error(format!("expected {}, found null", described(self.kind)));
                return Ok(None);
            };
            return Ok(Some(Value::Message(DynamicMessage::new(descriptor.clone()))));
        }
        Ok(value)
    }
}

//! One place of the text and what the schema wants there.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use super::Reader;
use super::document::{Content, NodeId};
use super::scalar::{Scalar, described};
use crate::report::{At, Note};
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
    /// What a field wants.
    pub(super) fn of_field(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => Self::Map(entry),
            kind if field.is_list() => Self::List(kind),
            kind => Self::One(kind),
        }
    }

    /// Anything, as `google.protobuf.Value`.
    pub(super) fn dynamic(pool: &DescriptorPool) -> Self {
        Self::One(Kind::Message(schema::message(pool, "google.protobuf.Value")))
    }

    fn described(&self) -> String {
        match self {
            Self::One(kind) => described(kind),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }
}

impl Reader<'_> {
    /// Reads a value. Yields `None` for an absent one (null) and for a wrong one, which is reported.
    pub(super) fn value(&self, shape: &Shape, node: NodeId, at: &At<'_>) -> Option<Value> {
        if self.document.is_tagged(node) {
            at.warn_once(
                "YAML tag",
                Note::from("a YAML tag has no effect, as in Envoy").help("remove it"),
            );
        }
        match (shape, self.document.content(node)) {
            (Shape::List(kind), Content::List(items)) => Some(self.list(kind, items, at)),
            (Shape::Map(entry), Content::Map(entries)) => {
                Some(Value::Map(self.map(entry, entries, at)))
            }
            (_, Content::Scalar(Scalar::Null)) if !takes_null(shape) => None,
            // Envoy takes a single value for a list of one.
            (Shape::List(kind), _) => Some(Value::List(vec![self.one(kind, node, at)?])),
            (Shape::One(kind), _) => self.one(kind, node, at),
            (Shape::Map(_), content) => {
                wrong(&shape.described(), &content, at);
                None
            }
        }
    }

    fn one(&self, kind: &Kind, node: NodeId, at: &At<'_>) -> Option<Value> {
        let content = self.document.content(node);
        let Kind::Message(descriptor) = kind else {
            let Content::Scalar(scalar) = content else {
                wrong(&described(kind), &content, at);
                return None;
            };
            return scalar.convert(kind).map_err(|note| at.error(note)).ok();
        };
        let message = match (descriptor.full_name(), content) {
            ("google.protobuf.Value", content) => Some(self.dynamic(&content, at)),
            ("google.protobuf.ListValue", Content::List(items)) => {
                Some(self.dynamic_list(items, at))
            }
            (_, Content::Scalar(scalar)) => {
                return scalar.convert(kind).map_err(|note| at.error(note)).ok();
            }
            ("google.protobuf.Any", Content::Map(entries)) => self.any(descriptor, entries, at),
            ("google.protobuf.Struct", Content::Map(entries)) => Some(self.structure(entries, at)),
            ("google.protobuf.ListValue", content) | (_, content @ Content::List(_)) => {
                wrong(&described(kind), &content, at);
                None
            }
            (_, Content::Map(entries)) => Some(self.object(descriptor, entries, at)),
        };
        message.map(Value::Message)
    }

    fn list(&self, kind: &Kind, items: &[NodeId], at: &At<'_>) -> Value {
        let shape = Shape::One(kind.clone());
        let item = |(index, node): (usize, &NodeId)| {
            let at = at.index(index);
            // Null is an empty message in a list, as in Envoy, and wrong for a scalar.
            if let Content::Scalar(Scalar::Null) = self.document.content(*node)
                && !takes_null(&shape)
            {
                let Kind::Message(descriptor) = kind else {
                    at.error(format!("expected {}, found null", described(kind)));
                    return None;
                };
                return Some(Value::Message(DynamicMessage::new(descriptor.clone())));
            }
            self.value(&shape, *node, &at)
        };
        Value::List(items.iter().enumerate().filter_map(item).collect())
    }
}

fn takes_null(shape: &Shape) -> bool {
    matches!(shape, Shape::One(Kind::Message(message)) | Shape::List(Kind::Message(message))
        if message.full_name() == "google.protobuf.Value")
}

fn wrong(expected: &str, found: &Content<'_>, at: &At<'_>) {
    let found = match found {
        Content::Scalar(scalar) => scalar.to_string(),
        Content::List(_) => "a list".to_owned(),
        Content::Map(_) => "a mapping".to_owned(),
    };
    at.error(format!("expected {expected}, found {found}"));
}

//! Text to messages: serde_yaml, driven by the schema.
//!
//! The schema says at each field what is wanted there, so that scalars are converted by Envoy's rules
//! and not by guesses. A wrong part is reported and skipped; one run finds all that is wrong with a
//! file. JSON is YAML. As in Envoy, only the first document of a file counts.

mod any;
mod dynamic;
mod node;
mod numeral;
mod object;
mod scalar;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};
use serde::de::DeserializeSeed;

use self::node::{Node, Shape};
use self::numeral::Numerals;
pub(crate) use self::scalar::is_wrapper;
use crate::place::Place;
use crate::report::Report;

/// A text that is no YAML, or too much of it.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) place: Option<Place>,
    pub(crate) message: String,
}

/// What all parts of a walk share.
struct Reader {
    pool: DescriptorPool,
    allow_unknown_fields: bool,
    numerals: Numerals,
}

/// Reads a message of type `descriptor`. What is wrong with it is in the report; a message that
/// has errors lacks the wrong parts.
pub(crate) fn read(
    text: &str,
    descriptor: &MessageDescriptor,
    allow_unknown_fields: bool,
) -> Result<(DynamicMessage, Report), SyntaxError> {
    let pool = descriptor.parent_pool().clone();
    let mut reader = Reader { pool, allow_unknown_fields, numerals: Numerals::default() };
    let (message, report) = reader.walk(text, descriptor)?;
    let Some(numerals) = reader.numerals.read_as_written(text) else {
        return Ok((message, report));
    };
    reader.numerals = numerals;
    reader.walk(text, descriptor)
}

impl Reader {
    fn walk(
        &self,
        text: &str,
        descriptor: &MessageDescriptor,
    ) -> Result<(DynamicMessage, Report), SyntaxError> {
        let report = Report::default();
        let root = report.root();
        let mut documents = serde_yaml::Deserializer::from_str(text);
        let node = Node::new(self, Shape::One(Kind::Message(descriptor.clone())), &root);
        let value = match documents.next() {
            Some(document) => node.deserialize(document)?,
            None => None,
        };
        if value.is_none() && report.errors() == 0 {
            root.error("the configuration is empty");
        }
        if documents.next().is_some() {
            root.warn("only the first of several YAML documents is read, as Envoy does");
        }
        let message = match value {
            Some(Value::Message(message)) => message,
            _ => DynamicMessage::new(descriptor.clone()),
        };
        Ok((message, report))
    }
}

impl From<serde_yaml::Error> for SyntaxError {
    fn from(error: serde_yaml::Error) -> Self {
        let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
        let text = error.to_string();
        let message = if text.contains("recursion limit exceeded") {
            "nested too deeply".to_owned()
        } else if text.contains("repetition limit exceeded") {
            "aliases (`*name`) repeat too much of the file".to_owned()
        } else if let Some(Place { line, column }) = place {
            text.replacen(&format!(" at line {line} column {column}"), "", 1)
        } else {
            text
        };
        Self { place, message }
    }
}

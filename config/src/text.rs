//! Text to messages, driven by the schema.
//!
//! serde_yaml reads the text once, into a tree that knows all places ([`Document`]). The schema says at each
//! field what is wanted there, so that scalars are converted by Envoy's rules and not by guesses. A
//! wrong part is reported and skipped; one run finds all that is wrong with a file. JSON is YAML. As
//! in Envoy, only the first document of a file counts.

mod any;
mod compose;
mod document;
mod dynamic;
mod node;
mod object;
mod opened;
mod scalar;
mod syntax_error;

use std::cell::RefCell;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

pub(crate) use self::any::{TYPE, TYPED_STRUCTS};
pub(crate) use self::document::{Content, Document, NodeId};
use self::node::Shape;
pub(crate) use self::opened::Opened;
pub(crate) use self::scalar::{is_plain_text, is_wrapper};
pub(crate) use self::syntax_error::SyntaxError;
use crate::report::{Note, Report};

/// What all parts of a walk share.
struct Reader<'d> {
    document: &'d Document<'d>,
    pool: DescriptorPool,
    allow_unknown_fields: bool,
    opened: RefCell<Opened>,
}

/// What was read.
pub(crate) struct Read {
    /// The message; where it has errors, the wrong parts are lacking.
    pub(crate) message: DynamicMessage,
    /// What each Any in it holds.
    pub(crate) opened: Opened,
    /// What is wrong.
    pub(crate) report: Report,
}

/// Reads a message of type `descriptor`.
pub(crate) fn read(
    document: &Document<'_>,
    descriptor: &MessageDescriptor,
    allow_unknown_fields: bool,
) -> Read {
    let pool = descriptor.parent_pool().clone();
    let reader = Reader { document, pool, allow_unknown_fields, opened: RefCell::default() };
    let report = Report::default();
    let root = report.root();
    let shape = Shape::One(Kind::Message(descriptor.clone()));
    let value = document.root().and_then(|node| reader.value(&shape, node, &root));
    if value.is_none() && report.errors() == 0 {
        root.error(
            Note::from("the configuration is empty")
                .help("write static_resources: { listeners: [...], clusters: [...] }"),
        );
    }
    if document.has_more {
        root.warn(
            Note::from("only the first of several YAML documents is read, as Envoy does")
                .help("remove what follows the '---'"),
        );
    }
    let message = match value {
        Some(Value::Message(message)) => message,
        _ => DynamicMessage::new(descriptor.clone()),
    };
    Read { message, opened: reader.opened.into_inner(), report }
}

//! `google.protobuf.Any`: a mapping whose `@type` says what the rest of it is.

use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

use super::Reader;
use super::document::{Content, NodeId};
use super::node::Shape;
use super::scalar::{Scalar, is_wrapper};
use crate::report::{At, Note, did_you_mean};
use crate::schema;
use crate::wire::encode;

pub(crate) const TYPE: &str = "@type";
/// Messages that stand for the one which `type_url` names, with its fields under `value`.
pub(crate) const TYPED_STRUCTS: [&str; 2] = ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"];

/// What the names of Envoy's extensions begin with.
const EXTENSIONS: &str = "envoy.extensions.";
/// A message of fewer levels in the text can surely be decoded: each makes at most three messages within
/// one another, and prost takes a hundred.
const SHALLOW: u8 = 32;
const NOT_IN_CORE: &str = "no extension of Envoy's core has it, one of its contrib build may";

impl Reader<'_> {
    /// Reads an Any; `None` where its type is missing or unknown. Without any key it is empty, which
    /// the walk over the whole message judges.
    pub(super) fn any(
        &self,
        descriptor: &MessageDescriptor,
        entries: &[NodeId],
        at: &At<'_>,
    ) -> Option<DynamicMessage> {
        if entries.is_empty() {
            return Some(DynamicMessage::new(descriptor.clone()));
        }
        let Some((type_key, type_value)) = self.entry(entries, &[TYPE]) else {
            at.error_at_key(Note::from("'@type' is missing").help(
                "say the message's type, such as \
                 type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            ));
            return None;
        };
        for entry in entries.chunks_exact(2).filter(|entry| entry[0] != type_key) {
            if self.document.words(entry[0]) == TYPE {
                at.field(TYPE).error_at_second_key(
                    Note::from("field '@type' is set twice").help("remove one of the two"),
                );
                return None;
            }
        }
        let (url, inner) = self.message_type(type_value, &at.field(TYPE))?;
        if is_typed_struct(&url) {
            return self.typed_struct(descriptor, entries, at);
        }
        let content = if stands_under_value(&inner) {
            self.under_value(&inner, entries, type_key, at)
        } else {
            self.object_beside(&inner, entries, &[type_key], at)
        };
        Some(self.packed(descriptor, url, content, entries))
    }

    /// The message that a TypedStruct stands for. Its `value` is read as that message at once.
    fn typed_struct(
        &self,
        descriptor: &MessageDescriptor,
        entries: &[NodeId],
        at: &At<'_>,
    ) -> Option<DynamicMessage> {
        let known = [TYPE, "type_url", "typeUrl", "value"];
        for entry in entries.chunks_exact(2) {
            let key = self.document.words(entry[0]);
            if !known.contains(&key) {
                let help = did_you_mean(key, known.into_iter());
                at.field(key)
                    .error_at_key(Note::from(format!("unknown field '{key}'")).help_if_known(help));
            }
        }
        let Some((_, url)) = self.entry(entries, &known[1..3]) else {
            at.error_at_key("'type_url' is required");
            return None;
        };
        let (url, inner) = self.message_type(url, &at.field("type_url"))?;
        let content = match self.entry(entries, &known[3..]) {
            None => DynamicMessage::new(inner),
            Some((_, value)) => {
                let at = at.field("value");
                match self.value(&Shape::One(Kind::Message(inner.clone())), value, &at) {
                    Some(Value::Message(content)) => content,
                    _ => DynamicMessage::new(inner),
                }
            }
        };
        Some(self.packed(descriptor, url, content, entries))
    }

    /// A message that JSON does not write as a mapping of its fields stands under `value`.
    fn under_value(
        &self,
        inner: &MessageDescriptor,
        entries: &[NodeId],
        type_key: NodeId,
        at: &At<'_>,
    ) -> DynamicMessage {
        let mut message = None;
        for entry in entries.chunks_exact(2).filter(|entry| entry[0] != type_key) {
            let key = self.document.words(entry[0]);
            let at = at.field(key);
            if key == "value" {
                message = self.value(&Shape::One(Kind::Message(inner.clone())), entry[1], &at);
            } else {
                at.error_at_key(
                    Note::from(format!("unknown field '{key}'"))
                        .help(format!("write a {} under the key 'value'", inner.name())),
                );
            }
        }
        match message {
            Some(Value::Message(message)) => message,
            _ => DynamicMessage::new(inner.clone()),
        }
    }

    /// An Any that holds `content`, which was read from `entries`.
    fn packed(
        &self,
        descriptor: &MessageDescriptor,
        url: String,
        content: DynamicMessage,
        entries: &[NodeId],
    ) -> DynamicMessage {
        let value = Bytes::from(encode(&content));
        if entries.iter().all(|entry| self.document.node(*entry).height < SHALLOW) {
            self.opened.borrow_mut().keep(value.clone(), content);
        }
        let mut any = DynamicMessage::new(descriptor.clone());
        any.set_field_by_name("type_url", Value::String(url));
        any.set_field_by_name("value", Value::Bytes(value));
        any
    }

    /// The first entry with one of `keys`.
    fn entry(&self, entries: &[NodeId], keys: &[&str]) -> Option<(NodeId, NodeId)> {
        let mut entries = entries.chunks_exact(2);
        let entry = entries.find(|entry| keys.contains(&self.document.words(entry[0])))?;
        Some((entry[0], entry[1]))
    }

    /// The message that a type URL names. Of the URL only what follows the last slash counts.
    fn message_type(&self, url: NodeId, at: &At<'_>) -> Option<(String, MessageDescriptor)> {
        let Content::Scalar(Scalar::Text { text: url, .. }) = self.document.content(url) else {
            at.error("expected a type URL such as type.googleapis.com/envoy.x.v3.Message");
            return None;
        };
        let Some(name) = schema::type_name(&url) else {
            at.error(
                Note::from(format!("'{url}' is no type URL"))
                    .help(format!("write type.googleapis.com/{url}")),
            );
            return None;
        };
        let name = if TYPED_STRUCTS.contains(&name) { "google.protobuf.Empty" } else { name };
        match self.pool.get_message_by_name(name) {
            Some(descriptor) => Some((url.into_owned(), descriptor)),
            None => {
                at.error(
                    Note::from(format!("unknown type '{name}'"))
                        .help_if_known(help(&self.pool, name)),
                );
                None
            }
        }
    }
}

fn help(pool: &DescriptorPool, name: &str) -> Option<String> {
    if name.contains(".v2.") || name.contains(".v2alpha.") {
        return Some("Envoy's v2 API is gone, use the v3 message".to_owned());
    }
    let names: Vec<_> = pool.all_messages().map(|message| message.full_name().to_owned()).collect();
    let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    // The right message of a wrong package, where the message's name tells which that is.
    let mut same_short = names.iter().filter(|known| short(known) == short(name));
    let only = same_short.next().filter(|_| same_short.next().is_none());
    did_you_mean(name, names.iter().map(String::as_str))
        .or_else(|| only.map(|known| format!("did you mean '{known}'?")))
        .or_else(|| name.starts_with(EXTENSIONS).then(|| NOT_IN_CORE.to_owned()))
}

fn is_typed_struct(url: &str) -> bool {
    schema::type_name(url).is_some_and(|name| TYPED_STRUCTS.contains(&name))
}

fn stands_under_value(descriptor: &MessageDescriptor) -> bool {
    let name = descriptor.full_name();
    let well_known = ["Any", "Duration", "ListValue", "Struct", "Timestamp", "Value"];
    is_wrapper(name)
        || name.strip_prefix("google.protobuf.").is_some_and(|name| well_known.contains(&name))
}

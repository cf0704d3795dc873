//! The support gate: what ringmain does of what Envoy knows.
//!
//! Nothing is ever silently ignored. A field outside the table is an error that names it, unless
//! the user has said that it may be ignored; a field that has no effect here is a warning.

mod defaults;
mod table;

/// What the full names of our own messages begin with.
const OUR_PACKAGES: &str = "ringmain.";

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use envoy_types::pb::google::protobuf::Any;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};

pub(crate) use self::defaults::Defaults;
pub use self::defaults::default_values;
use crate::report::{At, Note};
use crate::schema;
use crate::text::is_wrapper;

/// What the table says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It has its effect.
    Supported,
    /// It has no effect, which the user is warned of.
    Harmless,
    /// It may hold these values only, written as in a file.
    Limited(Vec<&'static str>),
}

type Fields = HashMap<&'static str, Support>;

static MESSAGES: LazyLock<HashMap<&str, Fields>> =
    LazyLock::new(|| table::messages().map(|message| (message.name, fields(message))).collect());

fn fields(message: &'static table::Message) -> Fields {
    let supported = message.supported.split_ascii_whitespace();
    let harmless = message.harmless.split_ascii_whitespace();
    let limited = message.limited.split_ascii_whitespace().map(|entry| {
        let (name, values) = entry.split_once('=').expect("the table says field=VALUE");
        (name, Support::Limited(values.split('|').collect()))
    });
    supported
        .map(|name| (name, Support::Supported))
        .chain(harmless.map(|name| (name, Support::Harmless)))
        .chain(limited)
        .collect()
}

/// Every field that is known to be supported, limited or harmless: the full name of its message (or
/// of the field that holds the message, where that matters), its own name, and what is done. Sorted.
pub fn supported_fields() -> Vec<(&'static str, &'static str, &'static Support)> {
    let mut all: Vec<_> = MESSAGES
        .iter()
        .flat_map(|(message, fields)| {
            fields.iter().map(|(name, support)| (*message, *name, support))
        })
        .collect();
    all.sort_by_key(|(message, name, _)| (*message, *name));
    all
}

/// The full names of all messages that are supported, those without a field too. Sorted.
pub fn supported_messages() -> BTreeSet<&'static str> {
    MESSAGES.keys().copied().collect()
}

/// What the table has a message under: the field that holds it, where it means less there, or its name.
pub(crate) fn support_key<'a>(
    message: &'a MessageDescriptor,
    holder: Option<&'a FieldDescriptor>,
) -> &'a str {
    let holder = holder.map(FieldDescriptor::full_name);
    holder.filter(|holder| MESSAGES.contains_key(holder)).unwrap_or(message.full_name())
}

/// Whether `field` of the message under `key` may hold `value`, and has its effect.
pub(crate) fn supports_value(key: &str, field: &str, value: &serde_json::Value) -> bool {
    match MESSAGES.get(key).and_then(|fields| fields.get(field)) {
        Some(Support::Supported) => true,
        Some(Support::Limited(values)) => match value {
            serde_json::Value::String(text) => values.contains(&text.as_str()),
            other => values.contains(&other.to_string().as_str()),
        },
        Some(Support::Harmless) | None => false,
    }
}

/// Whether the extension in `any` is supported somewhere, be it in another place.
pub(crate) fn is_supported_extension(any: &Any) -> bool {
    schema::type_name(&any.type_url).is_some_and(|name| MESSAGES.contains_key(name))
}

/// What becomes of a field that is set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is used, and so is what it holds.
    Enter,
    /// Not used, but Envoy would still check it.
    CheckOnly,
    /// Not to be looked at any further; reported.
    Refused,
    /// The user said to ignore it; reported.
    Ignored,
}

/// The gate, with what the user lets pass.
#[derive(Default)]
pub(crate) struct Gate<'a> {
    allow_unsupported: &'a [String],
    /// Those of them that something was refused for, by index.
    used: RefCell<BTreeSet<usize>>,
}

impl<'a> Gate<'a> {
    /// A gate that lets pass what is at these paths or below.
    pub(crate) fn new(allow_unsupported: &'a [String]) -> Self {
        Self { allow_unsupported, used: RefCell::default() }
    }

    /// The paths at which nothing was there to be let pass.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &'a str> {
        let paths = self.allow_unsupported.iter().enumerate();
        let unused = paths.filter(|(index, _)| !self.used.borrow().contains(index));
        unused.map(|(_, path)| path.as_str())
    }

    /// Judges `field`, set to `value`, in a message that stands in the field `holder`.
    pub(crate) fn field(
        &self,
        holder: Option<&FieldDescriptor>,
        field: &FieldDescriptor,
        value: &Value,
        at: &At<'_>,
    ) -> Verdict {
        let key = support_key(field.parent_message(), holder);
        let fields = MESSAGES.get(key);
        match fields.and_then(|fields| fields.get(field.name())) {
            Some(Support::Supported) => Verdict::Enter,
            Some(Support::Harmless) => {
                let note = Note::from(format!("'{}' has no effect", field.name()))
                    .help("remove it where only ringmain reads the file");
                at.warn_once(field.full_name(), note);
                Verdict::CheckOnly
            }
            Some(Support::Limited(allowed)) => {
                let written = written(&field.kind(), value);
                if written.as_deref().is_some_and(|written| allowed.contains(&written)) {
                    return Verdict::CheckOnly;
                }
                let what = match written {
                    Some(written) => format!("value {written} of '{}'", field.name()),
                    None => format!("'{}' with content", field.name()),
                };
                self.refuse(&what, at, Some(format!("supported: {}", allowed.join(", "))))
            }
            None if field.full_name().starts_with(OUR_PACKAGES) => {
                let note = Note::from(format!("'{}' is not supported yet", field.name()));
                at.error_at_key(note.help("remove it"));
                Verdict::Refused
            }
            None => self.refuse(&format!("'{}'", field.name()), at, None),
        }
    }

    /// Judges the type of an extension in `field`.
    pub(crate) fn extension(
        &self,
        field: &FieldDescriptor,
        type_name: &str,
        at: &At<'_>,
    ) -> Verdict {
        let allowed = table::EXTENSIONS
            .iter()
            .find(|(name, _)| *name == field.full_name())
            .map(|(_, types)| *types);
        if allowed.is_some_and(|types| types.contains(&type_name)) {
            return Verdict::Enter;
        }
        self.refuse(&format!("'{type_name}'"), at, None)
    }

    fn refuse(&self, what: &str, at: &At<'_>, help: Option<String>) -> Verdict {
        let path = at.path().to_string();
        let note =
            |end| Note::from(format!("{what} is known to Envoy, not supported by ringmain{end}"));
        let all = self.allow_unsupported.iter().enumerate();
        let mut allowing = all.filter(|(_, allowed)| covers(allowed, &path)).peekable();
        if allowing.peek().is_some() {
            self.used.borrow_mut().extend(allowing.map(|(index, _)| index));
            at.warn(note(", and ignored as you allowed"));
            return Verdict::Ignored;
        }
        at.error_at_key(note("").help_if_known(help).can_be_ignored());
        Verdict::Refused
    }
}

/// Whether `path` is `allowed` or a part of it.
fn covers(allowed: &str, path: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A value as the table writes it: scalars as in a file, wrappers as what they hold, an empty message
/// as `{}`. The table has nothing that is none of these.
fn written(kind: &Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::Enum(descriptor), Value::EnumNumber(number)) => {
            descriptor.get_value(*number).map(|value| value.name().to_owned())
        }
        (_, Value::Bool(value)) => Some(value.to_string()),
        (_, Value::U32(value)) => Some(value.to_string()),
        (_, Value::Message(message)) => written_message(message),
        _ => None,
    }
}

fn written_message(message: &DynamicMessage) -> Option<String> {
    let descriptor = message.descriptor();
    if is_wrapper(descriptor.full_name()) {
        let field = descriptor.get_field_by_name("value")?;
        return written(&field.kind(), &message.get_field(&field));
    }
    message.fields().next().is_none().then(|| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_what_the_schema_has() {
        let pool = schema::decode();
        for (message, name, support) in supported_fields() {
            let descriptor = pool.get_message_by_name(message).unwrap_or_else(|| {
                let (holder, field) = message.rsplit_once('.').unwrap();
                let field = schema::message(&pool, holder).get_field_by_name(field).expect(message);
                field.kind().as_message().expect(message).clone()
            });
            let field = descriptor.get_field_by_name(name);
            let field = field.unwrap_or_else(|| panic!("{message} has no field {name}"));
            if let (Support::Limited(values), Kind::Enum(descriptor)) = (support, field.kind()) {
                for value in values {
                    assert!(descriptor.get_value_by_name(value).is_some(), "{name} = {value}");
                }
            }
        }
    }

    #[test]
    fn no_field_is_named_twice() {
        for message in table::messages() {
            let lists = [message.supported, message.harmless, message.limited];
            let named: usize = lists.iter().map(|list| list.split_ascii_whitespace().count()).sum();
            assert_eq!(named, MESSAGES[message.name].len(), "{}", message.name);
        }
        assert_eq!(table::messages().count(), MESSAGES.len());
    }

    #[test]
    fn every_supported_message_and_extension_is_in_the_table() {
        let pool = schema::decode();
        for (message, name, support) in supported_fields() {
            let Some(descriptor) = pool.get_message_by_name(message) else { continue };
            let field = descriptor.get_field_by_name(name).unwrap();
            let Kind::Message(held) = field.kind() else { continue };
            if *support != Support::Supported || held.full_name().starts_with("google.protobuf.Du")
            {
                continue;
            }
            let held = if held.is_map_entry() {
                held.map_entry_value_field().kind().as_message().cloned()
            } else {
                Some(held)
            };
            let Some(held) = held else { continue };
            if held.full_name() == "google.protobuf.Any" {
                let known = table::EXTENSIONS.iter().any(|(name, _)| *name == field.full_name());
                assert!(known, "{} has no list of extensions", field.full_name());
            } else if held.package_name() != "google.protobuf" {
                let known = MESSAGES.contains_key(held.full_name())
                    || MESSAGES.contains_key(field.full_name());
                assert!(known, "{} of {message} is not in the table", held.full_name());
            }
        }
        for (field, types) in table::EXTENSIONS {
            let (message, field) = field.rsplit_once('.').unwrap();
            assert!(MESSAGES[message].contains_key(field), "{message}.{field}");
            for name in *types {
                assert!(MESSAGES.contains_key(name), "{name}");
            }
        }
    }

    #[test]
    fn a_path_covers_its_parts_only() {
        assert!(covers("a.b", "a.b"));
        assert!(covers("a.b", "a.b.c"));
        assert!(covers("a.b", "a.b[0].c"));
        assert!(!covers("a.b", "a.bc"));
        assert!(!covers("a.b", "a"));
    }
}

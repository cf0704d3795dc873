//! Walks a message once, and holds every part of it against the validation rules of Envoy's schema
//! and against the table of what ringmain supports.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};

use crate::field_rules::RuleBook;
use crate::report::{At, Note, Path};
use crate::support::{Gate, Verdict};
use crate::text::Opened;

/// Checks `message`, in which each Any holds what is `opened`; yields the paths of what the user wants ignored.
pub(crate) fn check(
    message: &DynamicMessage,
    opened: &Opened,
    gate: &Gate<'_>,
    at: &At<'_>,
) -> Vec<Path> {
    let mut check = Check { rules: RuleBook::default(), opened, gate, ignored: Vec::new() };
    check.message(message, None, Depth::Gated, at);
    check.ignored
}

/// The one Any to which Envoy gives a meaning where it is empty: the filter is enabled as it is.
const MAY_BE_EMPTY: &str = "envoy.config.route.v3.FilterConfig.config";

struct Check<'a> {
    rules: RuleBook,
    opened: &'a Opened,
    gate: &'a Gate<'a>,
    ignored: Vec<Path>,
}

/// How far a part is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Against rules and support.
    Gated,
    /// Against rules only, as it has no effect.
    RulesOnly,
}

impl Check<'_> {
    fn message(
        &mut self,
        message: &DynamicMessage,
        holder: Option<&FieldDescriptor>,
        depth: Depth,
        at: &At<'_>,
    ) {
        let descriptor = message.descriptor();
        if descriptor.full_name() == "google.protobuf.Any" {
            return self.extension(message, holder, depth, at);
        }
        if descriptor.package_name() == "google.protobuf" {
            return;
        }
        self.rules.rules(&descriptor).check(message, at);
        for (field, value) in message.fields() {
            let at = at.field(field.name());
            let depth = match self.judge(holder, &field, value, depth, &at) {
                Verdict::Enter => Depth::Gated,
                Verdict::CheckOnly => Depth::RulesOnly,
                Verdict::Refused | Verdict::Ignored => continue,
            };
            self.value(value, &field, depth, &at);
        }
    }

    fn judge(
        &mut self,
        holder: Option<&FieldDescriptor>,
        field: &FieldDescriptor,
        value: &Value,
        depth: Depth,
        at: &At<'_>,
    ) -> Verdict {
        if depth == Depth::RulesOnly {
            return Verdict::CheckOnly;
        }
        let verdict = self.gate.field(holder, field, value, at);
        if verdict == Verdict::Ignored {
            self.ignored.push(at.path());
        }
        if verdict == Verdict::Enter && is_deprecated(field) {
            let (name, message) = (field.name(), field.parent_message());
            let note = Note::from(format!("'{name}' is deprecated by Envoy"));
            let help =
                format!("Envoy's documentation of {} says what to use instead", message.name());
            at.warn_once(field.full_name(), note.help(help));
        }
        verdict
    }

    fn value(&mut self, value: &Value, field: &FieldDescriptor, depth: Depth, at: &At<'_>) {
        match value {
            Value::Message(message) => self.message(message, Some(field), depth, at),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, field, depth, &at.index(index));
                }
            }
            Value::Map(entries) => {
                // In the order of the keys, so that every run tells the same.
                for (key, value) in entries.iter().collect::<BTreeMap<_, _>>() {
                    // Protobuf maps of Envoy's schema have text as keys wherever values are messages.
                    self.value(value, field, depth, &at.key(key.as_str().unwrap_or_default()));
                }
            }
            _ => {}
        }
    }

    fn extension(
        &mut self,
        any: &DynamicMessage,
        holder: Option<&FieldDescriptor>,
        depth: Depth,
        at: &At<'_>,
    ) {
        let opened = self.opened;
        let content = match opened.open(any) {
            Some(Ok(content)) => content,
            Some(Err(_)) => {
                return at.error(
                    Note::from("nested too deeply")
                        .help("take levels out; protobuf reads a hundred"),
                );
            }
            None => {
                if holder.is_none_or(|holder| holder.full_name() != MAY_BE_EMPTY) {
                    at.error_at_key("'@type' is missing");
                }
                return;
            }
        };
        let gated = depth == Depth::Gated;
        if let (true, Some(field)) = (gated, holder) {
            let descriptor = content.descriptor();
            if self.gate.extension(field, descriptor.full_name(), at) != Verdict::Enter {
                return;
            }
        }
        self.message(&content, None, depth, at);
    }
}

fn is_deprecated(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated())
}

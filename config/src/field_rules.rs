//! The validation rules that Envoy's schema carries in its `validate.rules` options
//! (protoc-gen-validate): lengths, ranges, patterns, required fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    OneofDescriptor, ReflectMessage, Value,
};
use regex::Regex;

use crate::header_name::no_header_name;
use crate::report::{At, Note};

/// `validate.KnownRegex.HTTP_HEADER_NAME`; the other one is HTTP_HEADER_VALUE.
const HTTP_HEADER_NAME: i32 = 1;

/// The rules of all messages met so far.
#[derive(Default)]
pub(crate) struct RuleBook {
    messages: HashMap<String, Rc<MessageRules>>,
}

impl RuleBook {
    /// The rules of a message.
    pub(crate) fn rules(&mut self, descriptor: &MessageDescriptor) -> Rc<MessageRules> {
        if let Some(rules) = self.messages.get(descriptor.full_name()) {
            return rules.clone();
        }
        let rules = Rc::new(MessageRules::compile(descriptor));
        self.messages.insert(descriptor.full_name().to_owned(), rules.clone());
        rules
    }
}

/// The rules of one message.
pub(crate) struct MessageRules {
    required_oneofs: Vec<OneofDescriptor>,
    fields: Vec<FieldRules>,
}

struct FieldRules {
    field: FieldDescriptor,
    /// An empty value is fine whatever the rules say.
    ignore_empty: bool,
    rules: Vec<Rule>,
}

impl MessageRules {
    fn compile(descriptor: &MessageDescriptor) -> Self {
        let (rules, required) =
            (extension(descriptor, "validate.rules"), extension(descriptor, "validate.required"));
        let is_required = |oneof: &OneofDescriptor| {
            oneof.options().get_extension(&required).as_bool() == Some(true)
        };
        let compile_field = |field: FieldDescriptor| {
            let options = field.options();
            if !options.has_extension(&rules) {
                return None;
            }
            let rules = options.get_extension(&rules);
            let (rules, ignore_empty) = compile(rules.as_message()?, &field.kind());
            Some(FieldRules { field, ignore_empty, rules })
        };
        Self {
            required_oneofs: descriptor.oneofs().filter(is_required).collect(),
            fields: descriptor.fields().filter_map(compile_field).collect(),
        }
    }

    /// Checks the fields of `message`, but not what their messages hold.
    pub(crate) fn check(&self, message: &DynamicMessage, at: &At<'_>) {
        for oneof in &self.required_oneofs {
            if !oneof.fields().any(|field| message.has_field(&field)) {
                let names: Vec<_> = oneof.fields().map(|field| field.name().to_owned()).collect();
                at.error_at_key(format!("one of {} is required", names.join(", ")));
            }
        }
        for rules in &self.fields {
            rules.check(message, at);
        }
    }
}

impl FieldRules {
    fn check(&self, message: &DynamicMessage, at: &At<'_>) {
        let at = at.field(self.field.name());
        let present = message.has_field(&self.field);
        let choice = self.field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        if !present && choice {
            return;
        }
        if !present && self.rules.iter().any(|rule| matches!(rule, Rule::Required)) {
            return at.error_at_key(format!("'{}' is required", self.field.name()));
        }
        // The default of a plain scalar counts as its value; lists and maps are as if empty.
        if !present && (self.ignore_empty || self.field.supports_presence()) {
            return;
        }
        let value = message.get_field(&self.field);
        for rule in &self.rules {
            if let Err(broken) = rule.check(&value, &at) {
                return if present {
                    at.error(broken)
                } else {
                    at.error_at_key(Note::from(format!("'{}' is required", self.field.name())))
                };
            }
        }
    }
}

fn extension(descriptor: &MessageDescriptor, name: &str) -> ExtensionDescriptor {
    let pool = descriptor.parent_pool();
    pool.get_extension_by_name(name).expect("Envoy's schema has validation options")
}

enum Rule {
    Required,
    LengthMin(u64),
    LengthMax(u64),
    BytesMin(u64),
    BytesMax(u64),
    Prefix(String),
    Suffix(String),
    Pattern(Regex),
    HeaderName { strict: bool },
    HeaderValue { strict: bool },
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Bound(Comparison, Value),
    Defined(EnumDescriptor),
    ItemsMin(u64),
    ItemsMax(u64),
    Unique,
    Items(Vec<Rule>),
    Keys(Vec<Rule>),
    Values(Vec<Rule>),
}

#[derive(Clone, Copy)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// The rules in a `validate.FieldRules` message for a field of `kind`, and whether an empty value is
/// exempt.
fn compile(message: &DynamicMessage, kind: &Kind) -> (Vec<Rule>, bool) {
    let mut rules = Vec::new();
    let mut ignore_empty = false;
    for (_, group) in message.fields() {
        let Some(group) = group.as_message() else { continue };
        let flag = |name: &str, default: bool| match group.get_field_by_name(name) {
            Some(value) if group.has_field_by_name(name) => value.as_bool().unwrap_or(default),
            _ => default,
        };
        ignore_empty |= flag("ignore_empty", false);
        let strict = flag("strict", true);
        for (field, value) in group.fields() {
            rules.extend(rule(field.name(), value, kind, strict));
        }
    }
    (rules, ignore_empty)
}

fn rule(name: &str, value: &Value, kind: &Kind, strict: bool) -> Option<Rule> {
    let count = || value.as_u64().expect("a count in the rules");
    let text = || value.as_str().expect("text in the rules").to_owned();
    // The rules name values of enums by plain numbers.
    let constant = |value: &Value| match value.as_i32() {
        Some(number) if matches!(kind, Kind::Enum(_)) => Value::EnumNumber(number),
        _ => value.clone(),
    };
    let list =
        || value.as_list().expect("a list in the rules").iter().map(constant).collect::<Vec<_>>();
    let nested = |kind: Kind| compile(value.as_message().expect("rules in the rules"), &kind).0;
    Some(match name {
        "required" => return (value.as_bool() == Some(true)).then_some(Rule::Required),
        "min_len" if matches!(kind, Kind::Bytes) => Rule::BytesMin(count()),
        "max_len" if matches!(kind, Kind::Bytes) => Rule::BytesMax(count()),
        "min_len" => Rule::LengthMin(count()),
        "max_len" => Rule::LengthMax(count()),
        "min_bytes" => Rule::BytesMin(count()),
        "max_bytes" => Rule::BytesMax(count()),
        "prefix" => Rule::Prefix(text()),
        "suffix" => Rule::Suffix(text()),
        "pattern" => Rule::Pattern(Regex::new(&text()).expect("a pattern of the schema")),
        "well_known_regex" if value.as_enum_number() == Some(HTTP_HEADER_NAME) => {
            Rule::HeaderName { strict }
        }
        "well_known_regex" => Rule::HeaderValue { strict },
        "in" => Rule::In(list()),
        "not_in" => Rule::NotIn(list()),
        "const" => Rule::In(vec![constant(value)]),
        "gt" => Rule::Bound(Comparison::Greater, value.clone()),
        "gte" => Rule::Bound(Comparison::GreaterOrEqual, value.clone()),
        "lt" => Rule::Bound(Comparison::Less, value.clone()),
        "lte" => Rule::Bound(Comparison::LessOrEqual, value.clone()),
        "defined_only" => Rule::Defined(kind.as_enum().expect("an enum field").clone()),
        "min_items" | "min_pairs" => Rule::ItemsMin(count()),
        "max_items" => Rule::ItemsMax(count()),
        "unique" => Rule::Unique,
        "items" => Rule::Items(nested(kind.clone())),
        "keys" => Rule::Keys(nested(entry_kinds(kind).0)),
        "values" => Rule::Values(nested(entry_kinds(kind).1)),
        // Switches of other rules, read above; `skip` is for messages that are none of ours.
        "ignore_empty" | "strict" | "skip" => return None,
        other => unreachable!("the pinned schema has no rule {other}"),
    })
}

/// The kinds of a map's keys and values.
fn entry_kinds(kind: &Kind) -> (Kind, Kind) {
    let entry = kind.as_message().expect("a map field");
    (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind())
}

impl Rule {
    /// Says how `value` breaks the rule. Breaches within lists and maps are reported here.
    fn check(&self, value: &Value, at: &At<'_>) -> Result<(), Note> {
        let scalar = held(value);
        let text = scalar.as_str().unwrap_or_default();
        let bytes = || scalar.as_bytes().map_or(text.len(), |bytes| bytes.len()) as u64;
        let items = || match value {
            Value::Map(map) => map.len() as u64,
            _ => value.as_list().map_or(0, |list| list.len() as u64),
        };
        let length = || text.chars().count() as u64;
        match self {
            Self::Required => Ok(()),
            Self::LengthMin(1) if length() == 0 => Err(Note::from("must not be empty")),
            Self::LengthMin(min) => at_least(length(), *min, "characters"),
            Self::LengthMax(max) => at_most(length(), *max, "characters"),
            Self::BytesMin(min) => at_least(bytes(), *min, "bytes"),
            Self::BytesMax(max) => at_most(bytes(), *max, "bytes"),
            Self::Prefix(prefix) => {
                require(text.starts_with(prefix), || format!("must start with '{prefix}'"))
            }
            Self::Suffix(suffix) => {
                require(text.ends_with(suffix), || format!("must end with '{suffix}'"))
            }
            Self::Pattern(regex) => require(regex.is_match(text), || {
                format!("'{}' does not match the pattern {regex}", text)
            }),
            Self::HeaderName { strict } => {
                require(is_header_name(text, *strict), || no_header_name(text))
            }
            Self::HeaderValue { strict } => require(is_header_value(text, *strict), || {
                Note::from(format!("'{}' is no valid header value", text.escape_debug()))
                    .help("a value has neither line breaks nor other control characters")
            }),
            Self::In(values) => require(values.contains(&scalar), || {
                let values: Vec<_> = values.iter().map(shown).collect();
                format!("{} is not one of {}", shown(&scalar), values.join(", "))
            }),
            Self::NotIn(values) => {
                require(!values.contains(&scalar), || format!("must not be {}", shown(&scalar)))
            }
            Self::Bound(comparison, bound) => comparison.check(&scalar, bound),
            Self::Defined(descriptor) => {
                let number = value.as_enum_number().unwrap_or_default();
                require(descriptor.get_value(number).is_some(), || {
                    format!("{number} is no value of {}", descriptor.name())
                })
            }
            Self::ItemsMin(min) => at_least(items(), *min, "entries"),
            Self::ItemsMax(max) => at_most(items(), *max, "entries"),
            Self::Unique => {
                let list = value.as_list().unwrap_or_default();
                let twice =
                    list.iter().enumerate().any(|(index, item)| list[..index].contains(item));
                require(!twice, || "entries must be unique".to_owned())
            }
            Self::Items(rules) => {
                for (index, item) in value.as_list().unwrap_or_default().iter().enumerate() {
                    check_part(rules, item, &at.index(index));
                }
                Ok(())
            }
            Self::Keys(rules) => {
                for key in value.as_map().into_iter().flat_map(|map| map.keys()) {
                    let key = Value::from(key.clone());
                    check_part(rules, &key, &at.key(&shown(&key)));
                }
                Ok(())
            }
            Self::Values(rules) => {
                for (key, value) in value.as_map().into_iter().flatten() {
                    check_part(rules, value, &at.key(&shown(&Value::from(key.clone()))));
                }
                Ok(())
            }
        }
    }
}

fn check_part(rules: &[Rule], value: &Value, at: &At<'_>) {
    if let Some(broken) = rules.iter().find_map(|rule| rule.check(value, at).err()) {
        at.error(broken);
    }
}

fn require<N: Into<Note>>(holds: bool, otherwise: impl FnOnce() -> N) -> Result<(), Note> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

fn at_least(count: u64, min: u64, what: &str) -> Result<(), Note> {
    require(count >= min, || format!("must have at least {min} {what}, has {count}"))
}

fn at_most(count: u64, max: u64, what: &str) -> Result<(), Note> {
    require(count <= max, || format!("must have at most {max} {what}, has {count}"))
}

impl Comparison {
    fn check(self, value: &Value, bound: &Value) -> Result<(), Note> {
        let (Some(number), Some(limit)) = (number(value), number(bound)) else { return Ok(()) };
        let (holds, words) = match self {
            Self::Greater => (number > limit, "greater than"),
            Self::GreaterOrEqual => (number >= limit, "at least"),
            Self::Less => (number < limit, "less than"),
            Self::LessOrEqual => (number <= limit, "at most"),
        };
        require(holds, || format!("must be {words} {}, is {}", shown(bound), shown(value)))
    }
}

/// What a wrapper holds, or the value itself.
fn held(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Message(message) if crate::text::is_wrapper(message.descriptor().full_name()) => {
            message.get_field_by_name("value").unwrap_or(Cow::Borrowed(value))
        }
        _ => Cow::Borrowed(value),
    }
}

/// Numbers and durations (in seconds). The bounds in Envoy's schema are far below 2^53.
fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::I32(value) => f64::from(*value),
        Value::U32(value) => f64::from(*value),
        Value::I64(value) => *value as f64,
        Value::U64(value) => *value as f64,
        Value::F32(value) => f64::from(*value),
        Value::F64(value) => *value,
        Value::Message(message)
            if message.descriptor().full_name() == "google.protobuf.Duration" =>
        {
            let seconds = message.get_field_by_name("seconds")?.as_i64()?;
            let nanos = message.get_field_by_name("nanos")?.as_i32()?;
            seconds as f64 + f64::from(nanos) / 1e9
        }
        _ => return None,
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::EnumNumber(number) => number.to_string(),
        Value::Message(_) => number(value).map(|seconds| format!("{seconds}s")).unwrap_or_default(),
        _ => number(value).map(|number| number.to_string()).unwrap_or_default(),
    }
}

/// RFC 9110 §5.1, or anything without NUL and line breaks where the rule is not strict.
fn is_header_name(text: &str, strict: bool) -> bool {
    if !strict {
        return is_single_line(text);
    }
    let name = text.strip_prefix(':').unwrap_or(text);
    !name.is_empty() && name.bytes().all(crate::header_name::is_token_byte)
}

/// RFC 9110 §5.5, or anything without NUL and line breaks where the rule is not strict.
fn is_header_value(text: &str, strict: bool) -> bool {
    if !strict {
        return is_single_line(text);
    }
    text.chars().all(|c| c == '\t' || !c.is_control())
}

fn is_single_line(text: &str) -> bool {
    !text.contains(['\0', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_schema_is_known() {
        let mut book = RuleBook::default();
        let pool = crate::schema::decode();
        let messages = pool.all_messages();
        for message in messages.filter(|message| message.package_name().starts_with("envoy.")) {
            book.rules(&message);
        }
        assert!(book.messages.len() > 1000);
    }
}

//! Header additions and removals (`envoy.config.core.v3.HeaderValueOption`).

use envoy_types::pb::envoy::config::core::v3 as wire;
use wire::header_value_option::HeaderAppendAction;

use crate::header_name::{is_token_byte, no_header_name};
use crate::report::{At, Note};
use crate::substitution_format::SubstitutionFormat;

/// One level's `*_headers_to_add` and `*_headers_to_remove`.
#[derive(Debug, Clone, Default)]
pub struct HeaderMutations {
    /// `*_headers_to_add`, in order.
    pub add: Vec<HeaderValueOption>,
    /// `*_headers_to_remove`, lower case.
    pub remove: Vec<String>,
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Debug, Clone)]
pub struct HeaderValueOption {
    /// `header.key`, lower case.
    pub key: String,
    /// `header.value`.
    pub value: SubstitutionFormat,
    /// `append_action` (or the deprecated `append`), default APPEND_IF_EXISTS_OR_ADD.
    pub append_action: AppendAction,
    /// `keep_empty_value`, default false: an empty value adds nothing.
    pub keep_empty_value: bool,
}

/// `envoy.config.core.v3.HeaderValueOption.HeaderAppendAction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendAction {
    /// Another line of the same name.
    AppendIfExistsOrAdd,
    /// Only where the name is absent.
    AddIfAbsent,
    /// Replaces every line of the name.
    OverwriteIfExistsOrAdd,
    /// Replaces where the name is present.
    OverwriteIfExists,
}

impl HeaderMutations {
    /// Reads the fields `{side}_headers_to_add` and `{side}_headers_to_remove`.
    pub(crate) fn from_wire(
        add: &[wire::HeaderValueOption],
        remove: &[String],
        side: Side,
        at: &At<'_>,
    ) -> Self {
        let (add_name, remove_name) = match side {
            Side::Request => ("request_headers_to_add", "request_headers_to_remove"),
            Side::Response => ("response_headers_to_add", "response_headers_to_remove"),
        };
        let (add_at, remove_at) = (at.field(add_name), at.field(remove_name));
        let remove = remove.iter().enumerate();
        Self {
            add: HeaderValueOption::list_from_wire(add, &add_at),
            remove: remove
                .filter_map(|(index, name)| mutable_name(name, "removed", &remove_at.index(index)))
                .collect(),
        }
    }
}

/// Whose headers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl HeaderValueOption {
    /// Reads the list that `at` stands for.
    pub(crate) fn list_from_wire(wire: &[wire::HeaderValueOption], at: &At<'_>) -> Vec<Self> {
        let options = wire.iter().enumerate();
        options.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    pub(crate) fn from_wire(wire: &wire::HeaderValueOption, at: &At<'_>) -> Option<Self> {
        let header = wire.header.as_ref()?;
        let header_at = at.field("header");
        let value = SubstitutionFormat::parse_at(&header.value, &header_at.field("value"));
        let key = mutable_name(&header.key, "modified", &header_at.field("key"));
        Some(Self {
            key: key?,
            value: value?,
            append_action: append_action(wire, at),
            keep_empty_value: wire.keep_empty_value,
        })
    }
}

#[allow(deprecated, reason = "`append` is common in files")]
fn append_action(wire: &wire::HeaderValueOption, at: &At<'_>) -> AppendAction {
    if let Some(append) = wire.append {
        if wire.append_action != 0 {
            at.field("append").error_at_key(
                Note::from("'append' cannot be set together with 'append_action'")
                    .help("remove one of the two"),
            );
        }
        return if append.value {
            AppendAction::AppendIfExistsOrAdd
        } else {
            AppendAction::OverwriteIfExistsOrAdd
        };
    }
    match wire.append_action() {
        HeaderAppendAction::AppendIfExistsOrAdd => AppendAction::AppendIfExistsOrAdd,
        HeaderAppendAction::AddIfAbsent => AppendAction::AddIfAbsent,
        HeaderAppendAction::OverwriteIfExistsOrAdd => AppendAction::OverwriteIfExistsOrAdd,
        HeaderAppendAction::OverwriteIfExists => AppendAction::OverwriteIfExists,
    }
}

/// The name in lower case, if it is one that may be `done` to.
pub(crate) fn mutable_name(name: &str, done: &str, at: &At<'_>) -> Option<String> {
    let name = name.to_ascii_lowercase();
    if name.starts_with(':') || name == "host" {
        let note = format!("'{name}' must not be {done}: neither ':' headers nor host may be");
        at.error(Note::from(note).help(match done {
            "modified" => "a route's rewrites change path and host",
            _ => "leave it out",
        }));
        return None;
    }
    if !name.bytes().all(is_token_byte) {
        at.error(no_header_name(&name));
        return None;
    }
    Some(name)
}

//! Header additions and removals (`envoy.config.core.v3.HeaderValueOption`).

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

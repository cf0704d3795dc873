//! `envoy.type.matcher.v3.FilterStateMatcher`: objects that filters have put on a stream.

use envoy_types::pb::envoy::r#type::matcher::v3 as wire;
use wire::filter_state_matcher::Matcher;

use super::StringMatcher;
use crate::report::At;

/// What an object is held against; one that is not there does not match.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterStateMatcher {
    /// `key`.
    pub key: String,
    /// `string_match`.
    pub string_match: StringMatcher,
}

impl FilterStateMatcher {
    /// Reads the matcher that `at` stands for.
    pub(crate) fn from_wire(wire: &wire::FilterStateMatcher, at: &At<'_>) -> Option<Self> {
        let string_match = match wire.matcher.as_ref()? {
            Matcher::StringMatch(wire) => {
                StringMatcher::from_wire(wire, &at.field("string_match"))?
            }
            // The support gate has refused it, or the user wants it ignored.
            Matcher::AddressMatch(_) => return None,
        };
        Some(Self { key: wire.key.clone(), string_match })
    }
}

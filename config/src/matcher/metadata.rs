//! `envoy.type.matcher.v3.MetadataMatcher`: values that filters have noted about a request.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::r#type::matcher::v3 as wire;
use wire::double_matcher::MatchPattern as DoublePattern;
use wire::list_matcher::MatchPattern as ListPattern;
use wire::metadata_matcher::path_segment::Segment;
use wire::value_matcher::MatchPattern;

use super::StringMatcher;
use crate::report::At;

/// What a value among the dynamic metadata is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataMatcher {
    /// `filter`: whose metadata.
    pub filter: String,
    /// `path`: the keys that lead to the value.
    pub path: Vec<String>,
    /// `value`.
    pub value: ValueMatcher,
    /// `invert`, default false.
    pub invert: bool,
}

/// A `google.protobuf.Value`.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// `null`.
    Null,
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// Values by name.
    Struct(BTreeMap<String, MetadataValue>),
    /// A list.
    List(Vec<MetadataValue>),
}

/// `envoy.type.matcher.v3.ValueMatcher`.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueMatcher {
    /// `null_match`.
    Null,
    /// `double_match.range`: start included, end not.
    Range(std::ops::Range<f64>),
    /// `double_match.exact`.
    Number(f64),
    /// `string_match`.
    Text(StringMatcher),
    /// `bool_match`.
    Bool(bool),
    /// `present_match`; `false` matches nothing, as in Envoy.
    Present(bool),
    /// `list_match.one_of`.
    OneOf(Box<ValueMatcher>),
    /// `or_match`.
    Or(Vec<ValueMatcher>),
}

impl MetadataMatcher {
    /// Matchers in the field `name`, all of which a request has to fulfil.
    pub(crate) fn list_from_wire(
        wire: &[wire::MetadataMatcher],
        name: &str,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field(name);
        let matchers = wire.iter().enumerate();
        matchers.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn from_wire(wire: &wire::MetadataMatcher, at: &At<'_>) -> Option<Self> {
        let keys = wire
            .path
            .iter()
            .filter_map(|segment| segment.segment.as_ref().map(|Segment::Key(key)| key.clone()));
        Some(Self {
            filter: wire.filter.clone(),
            path: keys.collect(),
            value: ValueMatcher::from_wire(wire.value.as_ref()?, &at.field("value"))?,
            invert: wire.invert,
        })
    }

    /// Whether the metadata of [`MetadataMatcher::filter`] are as the matcher wants them.
    pub fn matches<'m>(&self, metadata: Option<&'m MetadataValue>) -> bool {
        let child = |value: &'m MetadataValue, key: &String| match value {
            MetadataValue::Struct(fields) => fields.get(key),
            _ => None,
        };
        let value = metadata.and_then(|root| self.path.iter().try_fold(root, child));
        self.value.matches(value) != self.invert
    }
}

impl ValueMatcher {
    fn from_wire(wire: &wire::ValueMatcher, at: &At<'_>) -> Option<Self> {
        Some(match wire.match_pattern.as_ref()? {
            MatchPattern::NullMatch(_) => Self::Null,
            MatchPattern::DoubleMatch(double) => match double.match_pattern.as_ref()? {
                DoublePattern::Range(range) => Self::Range(range.start..range.end),
                DoublePattern::Exact(exact) => Self::Number(*exact),
            },
            MatchPattern::StringMatch(matcher) => {
                Self::Text(StringMatcher::from_wire(matcher, &at.field("string_match"))?)
            }
            MatchPattern::BoolMatch(expected) => Self::Bool(*expected),
            MatchPattern::PresentMatch(present) => Self::Present(*present),
            MatchPattern::ListMatch(list) => match list.match_pattern.as_ref()? {
                ListPattern::OneOf(matcher) => {
                    let at = at.field("list_match");
                    Self::OneOf(Box::new(Self::from_wire(matcher, &at.field("one_of"))?))
                }
            },
            MatchPattern::OrMatch(or) => {
                let at = at.field("or_match");
                let at = at.field("value_matchers");
                let matchers = or.value_matchers.iter().enumerate();
                Self::Or(
                    matchers
                        .map(|(index, wire)| Self::from_wire(wire, &at.index(index)))
                        .collect::<Option<_>>()?,
                )
            }
        })
    }

    /// Whether `value`, `None` where there is none, is as the matcher wants it.
    pub fn matches(&self, value: Option<&MetadataValue>) -> bool {
        let Some(value) = value else { return false };
        match (self, value) {
            (Self::Present(present), _) => *present,
            (Self::Or(matchers), _) => matchers.iter().any(|matcher| matcher.matches(Some(value))),
            (Self::Null, MetadataValue::Null) => true,
            (Self::Range(range), MetadataValue::Number(number)) => range.contains(number),
            (Self::Number(expected), MetadataValue::Number(number)) => expected == number,
            (Self::Text(matcher), MetadataValue::Text(text)) => matcher.matches(text.as_bytes()),
            (Self::Bool(expected), MetadataValue::Bool(value)) => expected == value,
            (Self::OneOf(matcher), MetadataValue::List(items)) => {
                items.iter().any(|item| matcher.matches(Some(item)))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::StringTest;

    fn matcher(value: ValueMatcher, invert: bool) -> MetadataMatcher {
        MetadataMatcher { filter: "f".into(), path: vec!["a".into(), "b".into()], value, invert }
    }

    fn nested(value: MetadataValue) -> MetadataValue {
        let inner = MetadataValue::Struct([("b".to_owned(), value)].into());
        MetadataValue::Struct([("a".to_owned(), inner)].into())
    }

    #[test]
    fn each_kind_matches_its_own() {
        let text = StringMatcher::new(StringTest::Prefix("x".into()));
        for (value, yes, no) in [
            (ValueMatcher::Null, MetadataValue::Null, MetadataValue::Bool(false)),
            (ValueMatcher::Range(1.0..2.0), MetadataValue::Number(1.0), MetadataValue::Number(2.0)),
            (ValueMatcher::Number(1.5), MetadataValue::Number(1.5), MetadataValue::Null),
            (
                ValueMatcher::Text(text),
                MetadataValue::Text("xy".into()),
                MetadataValue::Text("y".into()),
            ),
            (ValueMatcher::Bool(true), MetadataValue::Bool(true), MetadataValue::Bool(false)),
            (
                ValueMatcher::OneOf(Box::new(ValueMatcher::Number(1.0))),
                MetadataValue::List(vec![MetadataValue::Null, MetadataValue::Number(1.0)]),
                MetadataValue::Number(1.0),
            ),
            (
                ValueMatcher::Or(vec![ValueMatcher::Null, ValueMatcher::Bool(true)]),
                MetadataValue::Bool(true),
                MetadataValue::Bool(false),
            ),
        ] {
            assert!(matcher(value.clone(), false).matches(Some(&nested(yes.clone()))), "{value:?}");
            assert!(!matcher(value.clone(), false).matches(Some(&nested(no))), "{value:?}");
            assert!(!matcher(value, true).matches(Some(&nested(yes))));
        }
    }

    #[test]
    fn what_is_absent_fulfils_inverted_matchers_only() {
        for present in [true, false] {
            assert!(!matcher(ValueMatcher::Present(present), false).matches(None));
            assert!(matcher(ValueMatcher::Present(present), true).matches(None));
        }
        assert!(
            matcher(ValueMatcher::Present(true), false).matches(Some(&nested(MetadataValue::Null)))
        );
        assert!(!matcher(ValueMatcher::Present(true), false).matches(Some(&MetadataValue::Null)));
    }
}

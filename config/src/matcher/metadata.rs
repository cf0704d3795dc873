//! `envoy.type.matcher.v3.MetadataMatcher`: values that filters have noted about a request.

use envoy_types::pb::envoy::r#type::matcher::v3 as wire;
use serde_json::Value;
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

    /// Reads the matcher that `at` stands for.
    pub(crate) fn from_wire(wire: &wire::MetadataMatcher, at: &At<'_>) -> Option<Self> {
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
    pub fn matches(&self, metadata: Option<&Value>) -> bool {
        self.value.matches(self.find(metadata)) != self.invert
    }

    /// The value that [`MetadataMatcher::path`] leads to.
    pub fn find<'m>(&self, metadata: Option<&'m Value>) -> Option<&'m Value> {
        let mut keys = self.path.iter();
        keys.try_fold(metadata?, |value, key| value.get(key))
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
    pub fn matches(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else { return false };
        match (self, value) {
            (Self::Present(present), _) => *present,
            (Self::Or(matchers), _) => matchers.iter().any(|matcher| matcher.matches(Some(value))),
            (Self::Null, Value::Null) => true,
            (Self::Range(range), Value::Number(number)) => {
                number.as_f64().is_some_and(|number| range.contains(&number))
            }
            (Self::Number(expected), Value::Number(number)) => number.as_f64() == Some(*expected),
            (Self::Text(matcher), Value::String(text)) => matcher.matches(text.as_bytes()),
            (Self::Bool(expected), Value::Bool(value)) => expected == value,
            (Self::OneOf(matcher), Value::Array(items)) => {
                items.iter().any(|item| matcher.matches(Some(item)))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::matcher::StringTest;

    fn matcher(value: ValueMatcher, invert: bool) -> MetadataMatcher {
        MetadataMatcher { filter: "f".into(), path: vec!["a".into(), "b".into()], value, invert }
    }

    fn nested(value: &Value) -> Value {
        json!({ "a": { "b": value } })
    }

    #[test]
    fn each_kind_matches_its_own() {
        let text = StringMatcher::new(StringTest::Prefix("x".into()));
        for (value, yes, no) in [
            (ValueMatcher::Null, json!(null), json!(false)),
            (ValueMatcher::Range(1.0..2.0), json!(1), json!(2)),
            (ValueMatcher::Number(1.5), json!(1.5), json!(null)),
            (ValueMatcher::Text(text), json!("xy"), json!("y")),
            (ValueMatcher::Bool(true), json!(true), json!(false)),
            (ValueMatcher::OneOf(Box::new(ValueMatcher::Number(1.0))), json!([null, 1]), json!(1)),
            (
                ValueMatcher::Or(vec![ValueMatcher::Null, ValueMatcher::Bool(true)]),
                json!(true),
                json!(false),
            ),
        ] {
            assert!(matcher(value.clone(), false).matches(Some(&nested(&yes))), "{value:?}");
            assert!(!matcher(value.clone(), false).matches(Some(&nested(&no))), "{value:?}");
            assert!(!matcher(value, true).matches(Some(&nested(&yes))));
        }
    }

    #[test]
    fn what_is_absent_fulfils_inverted_matchers_only() {
        for present in [true, false] {
            assert!(!matcher(ValueMatcher::Present(present), false).matches(None));
            assert!(matcher(ValueMatcher::Present(present), true).matches(None));
        }
        assert!(matcher(ValueMatcher::Present(true), false).matches(Some(&nested(&Value::Null))));
        assert!(!matcher(ValueMatcher::Present(true), false).matches(Some(&Value::Null)));
    }
}

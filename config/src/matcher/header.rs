//! `envoy.config.route.v3.HeaderMatcher`.

use envoy_types::pb::envoy::config::route::v3 as wire;
use wire::header_matcher::HeaderMatchSpecifier as Specifier;

use super::{FullRegex, StringMatcher, StringTest};
use crate::header_name::{is_token_byte, no_header_name};
use crate::report::At;

/// What a header is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatcher {
    /// `name`, lower case; `host` is `:authority`, as in Envoy.
    pub name: String,
    /// The specifier.
    pub test: HeaderTest,
    /// `invert_match`, default false. An absent header fulfils no inverted test but that for
    /// presence.
    pub invert_match: bool,
    /// `treat_missing_header_as_empty`, default false.
    pub treat_missing_header_as_empty: bool,
}

/// `header_match_specifier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderTest {
    /// `present_match`, also where no specifier is given: whether it is to be there.
    Present(bool),
    /// `string_match`, and the deprecated `exact_match` and the like.
    String(StringMatcher),
    /// `range_match`: a decimal number in it.
    Range(std::ops::Range<i64>),
}

/// The name under which a request has the header `name`: in lower case, `:authority` for `host` as in Envoy.
pub(crate) fn looked_up_name(name: &str) -> String {
    match name.to_ascii_lowercase() {
        host if host == "host" => ":authority".to_owned(),
        name => name,
    }
}

impl HeaderMatcher {
    /// Matchers in the field `name`, all of which a request has to fulfil.
    pub(crate) fn list_from_wire(
        wire: &[wire::HeaderMatcher],
        name: &str,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field(name);
        let matchers = wire.iter().enumerate();
        matchers.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    /// Reads the matcher that `at` stands for.
    pub(crate) fn from_wire(wire: &wire::HeaderMatcher, at: &At<'_>) -> Option<Self> {
        let name = wire.name.to_ascii_lowercase();
        if !name.strip_prefix(':').unwrap_or(&name).bytes().all(is_token_byte) {
            at.field("name").error(no_header_name(&name));
            return None;
        }
        Some(Self {
            name: looked_up_name(&name),
            test: HeaderTest::from_wire(wire.header_match_specifier.as_ref(), at)?,
            invert_match: wire.invert_match,
            treat_missing_header_as_empty: wire.treat_missing_header_as_empty,
        })
    }

    /// Whether a header whose lines are `values` is as the matcher wants it. Each line is held
    /// against the test; one that fulfils it is enough.
    pub fn matches<'v>(&self, mut values: impl Iterator<Item = &'v [u8]>) -> bool {
        let Some(first) = values.next().or(self.treat_missing_header_as_empty.then_some(b""))
        else {
            return match self.test {
                HeaderTest::Present(present) => present == self.invert_match,
                HeaderTest::String(_) | HeaderTest::Range(_) => false,
            };
        };
        let fulfilled = self.test.holds(first) || values.any(|value| self.test.holds(value));
        fulfilled != self.invert_match
    }
}

impl HeaderTest {
    #[allow(deprecated, reason = "common in files")]
    fn from_wire(wire: Option<&Specifier>, at: &At<'_>) -> Option<Self> {
        let string = |test| Some(Self::String(StringMatcher::new(test)));
        match wire {
            None => Some(Self::Present(true)),
            Some(Specifier::PresentMatch(present)) => Some(Self::Present(*present)),
            Some(Specifier::StringMatch(matcher)) => {
                StringMatcher::from_wire(matcher, &at.field("string_match")).map(Self::String)
            }
            Some(Specifier::RangeMatch(range)) => Some(Self::Range(range.start..range.end)),
            // Envoy takes the empty text for "any".
            Some(Specifier::ExactMatch(text)) if text.is_empty() => Some(Self::Present(true)),
            Some(Specifier::ExactMatch(text)) => string(StringTest::Exact(text.clone())),
            Some(Specifier::PrefixMatch(text)) => string(StringTest::Prefix(text.clone())),
            Some(Specifier::SuffixMatch(text)) => string(StringTest::Suffix(text.clone())),
            Some(Specifier::ContainsMatch(text)) => string(StringTest::Contains(text.clone())),
            Some(Specifier::SafeRegexMatch(regex)) => string(StringTest::Regex(
                FullRegex::from_wire(regex, &at.field("safe_regex_match"))?,
            )),
        }
    }

    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Present(present) => *present,
            Self::String(matcher) => matcher.matches(value),
            Self::Range(range) => number(value).is_some_and(|number| range.contains(&number)),
        }
    }
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(test: HeaderTest) -> HeaderMatcher {
        HeaderMatcher {
            name: "x".into(),
            test,
            invert_match: false,
            treat_missing_header_as_empty: false,
        }
    }

    fn ask(matcher: &HeaderMatcher, values: &[&str]) -> bool {
        matcher.matches(values.iter().map(|value| value.as_bytes()))
    }

    fn exact(text: &str) -> HeaderTest {
        HeaderTest::String(StringMatcher::new(StringTest::Exact(text.into())))
    }

    #[test]
    fn an_absent_header_fulfils_tests_for_absence_only() {
        let absent: &[&str] = &[];
        for (test, invert_match, expected) in [
            (HeaderTest::Present(true), false, false),
            (HeaderTest::Present(true), true, true),
            (HeaderTest::Present(false), false, true),
            (HeaderTest::Present(false), true, false),
            (exact(""), false, false),
            (exact("5"), true, false),
            (HeaderTest::Range(0..9), true, false),
        ] {
            let matcher = HeaderMatcher { invert_match, ..matcher(test) };
            assert_eq!(ask(&matcher, absent), expected, "{matcher:?}");
        }
    }

    #[test]
    fn a_missing_header_may_count_as_empty() {
        let empty = |test, invert_match| HeaderMatcher {
            invert_match,
            treat_missing_header_as_empty: true,
            ..matcher(test)
        };
        assert!(ask(&empty(exact(""), false), &[]));
        assert!(ask(&empty(exact("5"), true), &[]));
        assert!(ask(&empty(HeaderTest::Present(true), false), &[]));
        assert!(!ask(&empty(HeaderTest::Present(false), false), &[]));
        assert!(ask(&empty(HeaderTest::Range(0..9), true), &[]));
    }

    #[test]
    fn one_line_of_several_is_enough() {
        assert!(ask(&matcher(exact("b")), &["a", "b"]));
        assert!(!ask(&matcher(exact("a,b")), &["a", "b"]));
        let inverted = HeaderMatcher { invert_match: true, ..matcher(exact("b")) };
        assert!(!ask(&inverted, &["a", "b"]));
        assert!(ask(&inverted, &["a", "c"]));
    }

    #[test]
    fn a_range_includes_its_start_and_not_its_end() {
        let range = matcher(HeaderTest::Range(-5..10));
        for (value, expected) in
            [("-5", true), ("9", true), ("+9", true), ("10", false), ("9x", false), ("", false)]
        {
            assert_eq!(ask(&range, &[value]), expected, "{value}");
        }
    }
}

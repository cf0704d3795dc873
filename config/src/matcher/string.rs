//! `envoy.type.matcher.v3.StringMatcher`.

use envoy_types::pb::envoy::r#type::matcher::v3 as wire;
use wire::string_matcher::MatchPattern;

use super::FullRegex;
use crate::report::{At, Note};

/// What a string is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringMatcher {
    /// The pattern; in lower case where `ignore_case`.
    pub test: StringTest,
    /// `ignore_case`, default false: of ASCII letters.
    pub ignore_case: bool,
}

/// `match_pattern`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StringTest {
    /// `exact`.
    Exact(String),
    /// `prefix`.
    Prefix(String),
    /// `suffix`.
    Suffix(String),
    /// `contains`.
    Contains(String),
    /// `safe_regex`.
    Regex(FullRegex),
}

impl StringMatcher {
    /// A matcher that heeds letter case.
    pub fn new(test: StringTest) -> Self {
        Self { test, ignore_case: false }
    }

    pub(crate) fn from_wire(wire: &wire::StringMatcher, at: &At<'_>) -> Option<Self> {
        let case = |text: &str| match wire.ignore_case {
            true => text.to_ascii_lowercase(),
            false => text.to_owned(),
        };
        let test = match wire.match_pattern.as_ref()? {
            MatchPattern::Exact(text) => StringTest::Exact(case(text)),
            MatchPattern::Prefix(text) => StringTest::Prefix(case(text)),
            MatchPattern::Suffix(text) => StringTest::Suffix(case(text)),
            MatchPattern::Contains(text) => StringTest::Contains(case(text)),
            MatchPattern::SafeRegex(regex) => {
                if wire.ignore_case {
                    let note = Note::from("'ignore_case' has no effect for safe_regex")
                        .help("write (?i) in the regex");
                    at.field("ignore_case").error_at_key(note);
                }
                StringTest::Regex(FullRegex::from_wire(regex, &at.field("safe_regex"))?)
            }
            // The support gate has refused it, or the user wants it ignored.
            MatchPattern::Custom(_) => return None,
        };
        Some(Self { test, ignore_case: wire.ignore_case })
    }

    /// Whether `text` is as the matcher wants it.
    pub fn matches(&self, text: &[u8]) -> bool {
        match (&self.test, self.ignore_case) {
            (StringTest::Exact(exact), false) => text == exact.as_bytes(),
            (StringTest::Exact(exact), true) => text.eq_ignore_ascii_case(exact.as_bytes()),
            (StringTest::Prefix(prefix), false) => text.starts_with(prefix.as_bytes()),
            (StringTest::Prefix(prefix), true) => text
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes())),
            (StringTest::Suffix(suffix), false) => text.ends_with(suffix.as_bytes()),
            (StringTest::Suffix(suffix), true) => text
                .len()
                .checked_sub(suffix.len())
                .is_some_and(|at| text[at..].eq_ignore_ascii_case(suffix.as_bytes())),
            (StringTest::Contains(part), false) => {
                memchr::memmem::find(text, part.as_bytes()).is_some()
            }
            (StringTest::Contains(part), true) => text
                .windows(part.len().max(1))
                .any(|window| window.eq_ignore_ascii_case(part.as_bytes())),
            (StringTest::Regex(regex), _) => regex.matches(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(test: StringTest, ignore_case: bool) -> impl Fn(&str) -> bool {
        let matcher = StringMatcher { test, ignore_case };
        move |text| matcher.matches(text.as_bytes())
    }

    #[test]
    fn each_kind_looks_at_its_part() {
        assert!(matcher(StringTest::Exact("ab".into()), false)("ab"));
        assert!(!matcher(StringTest::Exact("ab".into()), false)("abc"));
        assert!(matcher(StringTest::Prefix("ab".into()), false)("abc"));
        assert!(!matcher(StringTest::Prefix("ab".into()), false)("a"));
        assert!(matcher(StringTest::Suffix("bc".into()), false)("abc"));
        assert!(!matcher(StringTest::Suffix("bc".into()), false)("c"));
        assert!(matcher(StringTest::Contains("b".into()), false)("abc"));
        assert!(!matcher(StringTest::Contains("b".into()), false)("aBc"));
        let regex = StringTest::Regex(FullRegex::new("a.c").unwrap());
        assert!(matcher(regex.clone(), false)("abc") && !matcher(regex, false)("abcd"));
    }

    #[test]
    fn letter_case_may_be_ignored() {
        for (test, yes, no) in [
            (StringTest::Exact("ab".into()), "AB", "ABC"),
            (StringTest::Prefix("ab".into()), "ABC", "A"),
            (StringTest::Suffix("bc".into()), "ABC", "C"),
            (StringTest::Contains("b".into()), "ABC", ""),
        ] {
            let matches = matcher(test, true);
            assert!(matches(yes) && !matches(no), "{yes} {no}");
        }
    }
}

//! Replacing what a regular expression finds (`envoy.type.matcher.v3.RegexMatchAndSubstitute`).

use envoy_types::pb::envoy::r#type::matcher::v3 as wire;
use regex::bytes::Captures;

use super::regex::{FullRegex, ThreadRegex};
use crate::report::At;
use crate::text_fault::TextFault;

/// `envoy.type.matcher.v3.RegexMatchAndSubstitute`: every match in a text is replaced.
#[derive(Debug, Clone)]
pub struct RegexRewrite {
    pattern: ThreadRegex,
    substitution: Vec<Piece>,
}

/// A piece of a substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text.
    Literal(String),
    /// `\1`; `\0` is the whole match.
    Group(usize),
}

impl RegexRewrite {
    pub(crate) fn from_wire(wire: &wire::RegexMatchAndSubstitute, at: &At<'_>) -> Option<Self> {
        let pattern_at = at.field("pattern");
        let regex = &wire.pattern.as_ref()?.regex;
        let pattern =
            ThreadRegex::new(regex).map_err(|fault| pattern_at.field("regex").error(fault)).ok()?;
        let substitution = pieces(&wire.substitution, pattern.groups())
            .map_err(|fault| at.field("substitution").error(fault))
            .ok()?;
        Some(Self { pattern, substitution })
    }

    /// Replaces a text that `pattern` matches; another one stays.
    pub(crate) fn of_whole(pattern: &FullRegex, substitution: Vec<Piece>) -> Self {
        Self { pattern: pattern.thread_regex().clone(), substitution }
    }

    /// Appends `text` with every match replaced to `out`. Bytes that match nothing stay.
    pub fn rewrite(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut kept = 0;
        self.pattern.with_copy(|regex| {
            for captures in regex.captures_iter(text) {
                let found = captures.get(0).expect("group 0 is the match");
                out.extend_from_slice(&text[kept..found.start()]);
                self.substitute(&captures, out);
                kept = found.end();
            }
        });
        out.extend_from_slice(&text[kept..]);
    }

    fn substitute(&self, captures: &Captures<'_>, out: &mut Vec<u8>) {
        for piece in &self.substitution {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Group(group) => {
                    let group = captures.get(*group).map_or(&b""[..], |group| group.as_bytes());
                    out.extend_from_slice(group);
                }
            }
        }
    }
}

/// The pieces of a substitution, in which a backslash stands before a group's number or another
/// backslash; there are `groups` groups.
fn pieces(text: &str, groups: usize) -> Result<Vec<Piece>, TextFault> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut letters = text.chars().enumerate();
    while let Some((character, letter)) = letters.next() {
        if letter != '\\' {
            literal.push(letter);
            continue;
        }
        match letters.next().map(|(_, letter)| letter) {
            Some('\\') => literal.push('\\'),
            Some(digit @ '0'..='9') => {
                let group = digit as usize - '0' as usize;
                if group > groups {
                    let message = format!("group \\{group} is not there: the regex has {groups}");
                    return Err(TextFault::at(character, message)
                        .help("put what it stands for in parentheses in 'pattern'"));
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Group(group));
            }
            _ => {
                let message = "a backslash stands before a digit or another backslash";
                return Err(TextFault::at(character, message)
                    .help("write \\1 for the first group, \\\\ for a backslash"));
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pattern: &str, substitution: &str, text: &str) -> String {
        let pattern = ThreadRegex::new(pattern).unwrap();
        let substitution = pieces(substitution, pattern.groups()).unwrap();
        let mut out = Vec::new();
        RegexRewrite { pattern, substitution }.rewrite(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_match_is_replaced() {
        assert_eq!(rewritten("one", "two", "/one/x/one"), "/two/x/two");
        assert_eq!(rewritten("^(.*?)one(.*)$", r"\1two\2", "/one/x/one"), "/two/x/one");
        assert_eq!(rewritten("x*", "-", "/axb"), "-/-a-b-");
        assert_eq!(rewritten("nothing", "x", "/a"), "/a");
        assert_eq!(rewritten(".*", "", "/a"), "");
    }

    #[test]
    fn groups_are_numbered_and_may_be_empty() {
        assert_eq!(rewritten("(a)|(b)", r"<\1\2\0>", "ab"), "<aa><bb>");
        assert_eq!(rewritten("a", r"\\\\$1", "a"), r"\\$1");
    }

    #[test]
    fn bad_substitutions_are_refused() {
        assert_eq!(
            pieces(r"\2", 1).unwrap_err().message,
            r"group \2 is not there: the regex has 1"
        );
        assert!(pieces(r"\x", 1).is_err() && pieces("a\\", 1).is_err());
    }
}

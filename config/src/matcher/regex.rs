//! Regular expressions (`envoy.type.matcher.v3.RegexMatcher`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex::bytes::Regex;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::re2::Translation;
use crate::report::At;
use crate::text_fault::TextFault;

/// A regular expression that has to match a whole text, as RE2 reads it. Finding a match takes time
/// in proportion to the text, whatever the pattern.
#[derive(Debug, Clone)]
pub struct FullRegex {
    pattern: Arc<str>,
    whole: ThreadRegex,
    literal_prefix: Arc<[u8]>,
}

/// A regular expression as many threads may use it.
///
/// A `Regex` keeps its scratch memory behind a lock. So every thread that asks gets a copy of its
/// own, made when it first asks: threads share nothing that is written.
#[derive(Debug, Clone)]
pub(super) struct ThreadRegex {
    regex: Arc<Regex>,
    /// The place of this regex in every thread's copies.
    id: usize,
}

static IDS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static COPIES: RefCell<Vec<Option<Regex>>> = const { RefCell::new(Vec::new()) };
}

impl FullRegex {
    /// Reads a pattern of RE2's syntax; the error says at which of its characters it is bad.
    pub fn new(pattern: &str) -> Result<Self, TextFault> {
        let hir = parse(pattern)?;
        let literal_prefix = literal_prefix(&hir).into();
        let whole = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
        Ok(Self { pattern: pattern.into(), whole: ThreadRegex::of(&whole)?, literal_prefix })
    }

    pub(crate) fn from_wire(
        wire: &envoy_types::pb::envoy::r#type::matcher::v3::RegexMatcher,
        at: &At<'_>,
    ) -> Option<Self> {
        at.regexes().of(&wire.regex).map_err(|fault| at.field("regex").error(fault)).ok()
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What every matching text begins with; often empty.
    pub fn literal_prefix(&self) -> &[u8] {
        &self.literal_prefix
    }

    /// The regex that matches whole texts only.
    pub(super) fn thread_regex(&self) -> &ThreadRegex {
        &self.whole
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.whole.with_copy(|regex| regex.is_match(text))
    }
}

/// The patterns that a load has met, each compiled once: a large file repeats a few.
#[derive(Debug, Default)]
pub(crate) struct Regexes(RefCell<HashMap<String, FullRegex>>);

impl Regexes {
    fn of(&self, pattern: &str) -> Result<FullRegex, TextFault> {
        if let Some(known) = self.0.borrow().get(pattern) {
            return Ok(known.clone());
        }
        let regex = FullRegex::new(pattern)?;
        self.0.borrow_mut().insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// Reads a pattern of RE2's syntax.
fn parse(pattern: &str) -> Result<Hir, TextFault> {
    let translation = Translation::of(pattern);
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .build()
        .parse(&translation.pattern)
        .map_err(|error| describe(&error, pattern, &translation))
}

impl ThreadRegex {
    /// A pattern of RE2's syntax that is looked for anywhere in a text.
    pub(super) fn new(pattern: &str) -> Result<Self, TextFault> {
        Self::of(&parse(pattern)?)
    }

    fn of(hir: &Hir) -> Result<Self, TextFault> {
        let regex = Regex::new(&hir.to_string());
        let regex = regex.map_err(|error| TextFault::of_all(format!("bad regex: {error}")))?;
        Ok(Self { regex: Arc::new(regex), id: IDS.fetch_add(1, Ordering::Relaxed) })
    }

    /// How many groups there are beside the whole match.
    pub(super) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// Asks the thread's own copy.
    pub(super) fn with_copy<R>(&self, ask: impl FnOnce(&Regex) -> R) -> R {
        COPIES.with_borrow_mut(|copies| {
            if copies.len() <= self.id {
                copies.resize(self.id + 1, None);
            }
            ask(copies[self.id].get_or_insert_with(|| Regex::clone(&self.regex)))
        })
    }
}

impl PartialEq for FullRegex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for FullRegex {}

fn describe(error: &regex_syntax::Error, pattern: &str, translation: &Translation) -> TextFault {
    let (span, kind) = match error {
        regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string()),
        other => return TextFault::of_all(format!("bad regex: {other}")),
    };
    let at = translation.origin(span.start.offset);
    let character = pattern[..at].chars().count();
    let message = format!("bad regex at its character {}: {kind}", character + 1);
    TextFault::at(character, message).help(cure(&pattern[at..]))
}

/// What would make a good regex of one that is bad where `rest` begins.
fn cure(rest: &str) -> String {
    let mut letters = rest.chars();
    match (letters.next(), letters.next()) {
        (Some('\\'), Some('0'..='9')) => "RE2's syntax has no back-references".to_owned(),
        (Some('\\'), _) => "a backslash of the text itself is written \\\\".to_owned(),
        (Some('('), Some('?')) => {
            "RE2's syntax has no look-around; of groups it has (...), (?:...), (?i) and (?P<name>...)"
                .to_owned()
        }
        (Some(letter @ ('(' | ')' | '[' | '*' | '+' | '?' | '{')), _) => {
            format!("where '{letter}' is meant as a letter, write \\{letter}")
        }
        _ => "the syntax is RE2's: https://github.com/google/re2/wiki/Syntax".to_owned(),
    }
}

/// The bytes that every match of `hir` begins with.
fn literal_prefix(hir: &Hir) -> Vec<u8> {
    let mut prefix = Vec::new();
    collect_prefix(hir, &mut prefix);
    prefix
}

/// Appends what `hir` begins with; false where something that is no literal may follow.
fn collect_prefix(hir: &Hir, prefix: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(Look::Start | Look::StartLF) => true,
        HirKind::Literal(literal) => {
            prefix.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(capture) => collect_prefix(&capture.sub, prefix),
        HirKind::Concat(parts) => parts.iter().all(|part| collect_prefix(part, prefix)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> FullRegex {
        FullRegex::new(pattern).unwrap()
    }

    #[test]
    fn the_whole_text_has_to_match() {
        let alternatives = regex("/a|/b");
        assert!(alternatives.matches(b"/a") && alternatives.matches(b"/b"));
        assert!(!alternatives.matches(b"/a/") && !alternatives.matches(b"x/b"));
        assert!(!regex("/a").matches(b"/a\n"));
        assert!(regex("^/a$").matches(b"/a"));
    }

    #[test]
    fn classes_are_of_ascii_and_any_bytes_may_be_asked() {
        assert!(!regex(r"\d").matches("٣".as_bytes()));
        assert!(regex(".").matches("é".as_bytes()));
        assert!(!regex(".*").matches(b"\xff"));
        assert!(!regex(".*").matches(b"a\nb"));
    }

    #[test]
    fn errors_say_where() {
        let error = |pattern: &str| FullRegex::new(pattern).unwrap_err().to_string();
        assert_eq!(error("/a("), "bad regex at its character 3: unclosed group");
        assert!(error(r"\d\d[z-a]").starts_with("bad regex at its character 6: "));
        assert!(error("é(?=a)").starts_with("bad regex at its character 2: look-around"));
        assert!(error("*").starts_with("bad regex at its character 1: "));
    }

    #[test]
    fn the_literal_prefix_is_what_every_match_begins_with() {
        assert_eq!(regex("/api/v[0-9]+").literal_prefix(), b"/api/v");
        assert_eq!(regex("/a|/b").literal_prefix(), b"");
        assert_eq!(regex("/(foo)/bar.*").literal_prefix(), b"/foo/bar");
        assert_eq!(regex("^/a+").literal_prefix(), b"/");
        assert_eq!(regex("(?i)/a").literal_prefix(), b"/");
        assert_eq!(regex("/ab?").literal_prefix(), b"/a");
    }

    #[test]
    fn every_thread_asks_a_copy_of_its_own() {
        let shared = regex("a+");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(shared.matches(b"aaa") && !shared.matches(b"ab")));
            }
        });
    }
}

//! What a user is told about a configuration: diagnostics with file, line, column, path and cure.

use std::fmt::{self, Display, Formatter, Write};

use serde::Serialize;

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration is used, and something about it deserves a look.
    Warning,
}

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// The file, or the name of the fragment, as given to [`load`](crate::load).
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The column behind what the finding is about, on the same line.
    pub end_column: usize,
    /// The full path of the field, such as `static_resources.listeners[0].address`; empty for the
    /// file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would cure it, where that is known.
    pub help: Option<String>,
    /// Whether [`LoadOptions::allow_unsupported`](crate::LoadOptions::allow_unsupported) with its path
    /// makes a warning of it.
    pub can_be_ignored: bool,
    /// The line of the text, or the part of a long one around the column.
    pub excerpt: Excerpt,
}

/// A part of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The part, tabs turned into blanks.
    pub text: String,
    /// Where in `text` the finding is, in characters from 1.
    pub column: usize,
}

/// Characters of a line that are shown before the finding, and from there on.
const SHOWN_BEFORE: usize = 60;
const SHOWN_AFTER: usize = 100;

impl Excerpt {
    /// The part of `line` around `column`.
    pub(crate) fn of(line: &str, column: usize) -> Self {
        let skipped = if column > SHOWN_BEFORE + SHOWN_AFTER { column - SHOWN_BEFORE } else { 0 };
        let shown = line.chars().skip(skipped).take(SHOWN_BEFORE + SHOWN_AFTER);
        let text: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
        let column = column.saturating_sub(skipped).max(1);
        Self { text: text.trim_end().to_owned(), column }
    }
}

/// One line, as compilers write it.
impl Display for Diagnostic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Diagnostic {
    fn headline(&self, f: &mut impl Write) -> fmt::Result {
        let Self { file, line, column, message, .. } = self;
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{file}:{line}:{column}: {severity}: {message}")
    }

    /// Several lines: the finding, the line of the text with the place underlined, the path, the cure.
    pub fn rendered(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _infallible = self.render(&mut out);
        out
    }

    fn render(&self, out: &mut String) -> fmt::Result {
        self.headline(out)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let Excerpt { text, column } = &self.excerpt;
        if !text.is_empty() {
            let room = (text.chars().count() + 1).saturating_sub(*column).max(1);
            let width = self.end_column.saturating_sub(self.column).clamp(1, room);
            let (indent, carets) = (" ".repeat(column - 1), "^".repeat(width));
            write!(out, "\n{margin} |\n{number} | {text}\n{margin} | {indent}{carets}")?;
        }
        if !self.path.is_empty() {
            write!(out, "\n{margin} = at {}", self.path)?;
        }
        if let Some(help) = &self.help {
            write!(out, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be used. Holds at least one error, and the warnings found on the way.
#[derive(Debug, Clone, thiserror::Error)]
pub struct LoadError {
    /// In the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Errors beyond those listed; a file of another kind would otherwise yield thousands.
    pub errors_not_listed: usize,
}

/// Told once, behind all that is not supported.
const HOW_TO_IGNORE: &str = "What Envoy knows and ringmain does not support can be ignored where you judge \
                             it harmless: --allow-unsupported 'PATH', with the path behind 'at'";

impl LoadError {
    /// All diagnostics with their lines of the text, for people.
    pub fn rendered(&self) -> String {
        let mut out: Vec<_> = self.diagnostics.iter().map(Diagnostic::rendered).collect();
        out.extend(self.more());
        if self.diagnostics.iter().any(|diagnostic| diagnostic.can_be_ignored) {
            out.push(HOW_TO_IGNORE.to_owned());
        }
        out.join("\n\n")
    }

    fn more(&self) -> Option<String> {
        match self.errors_not_listed {
            0 => None,
            1 => Some("and 1 more error".to_owned()),
            more => Some(format!("and {more} more errors")),
        }
    }
}

impl Display for LoadError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<_> = self.diagnostics.iter().map(ToString::to_string).collect();
        lines.extend(self.more());
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(line: &str, column: usize, width: usize) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            file: "envoy.yaml".into(),
            line: 15,
            column,
            end_column: column + width,
            path: "a.prefx".into(),
            message: "unknown field 'prefx'".into(),
            help: Some("did you mean 'prefix'?".into()),
            can_be_ignored: false,
            excerpt: Excerpt::of(line, column),
        }
    }

    #[test]
    fn a_finding_is_shown_like_a_compilers() {
        let expected = "envoy.yaml:15:5: error: unknown field 'prefx'\n   \
                        |\n15 |   \u{20} prefx: é\n   |     ^^^^^\n   = at a.prefx\n   \
                        = help: did you mean 'prefix'?";
        assert_eq!(diagnostic("\t   prefx: é  ", 5, 5).rendered(), expected);
    }

    #[test]
    fn of_a_long_line_the_part_that_matters_is_shown() {
        let line = format!("{{{}\"prefx\": 1}}", "x".repeat(5000));
        let excerpt = Excerpt::of(&line, 5002);
        assert_eq!(excerpt.text.chars().nth(excerpt.column - 1), Some('"'));
        assert!(excerpt.text.len() <= SHOWN_BEFORE + SHOWN_AFTER);
        assert!(diagnostic(&line, 5002, 7).rendered().contains("^^^^^^^\n"));
    }

    #[test]
    fn carets_stay_within_the_line() {
        assert!(diagnostic("ab", 2, 9).rendered().contains("\n   |  ^\n"));
        assert!(diagnostic("ab", 9, 0).rendered().contains("\n   |         ^\n"));
    }
}

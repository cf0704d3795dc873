//! What is told of a text that is no YAML, or too much of it. serde_yaml's words are libyaml's: where
//! those leave out the place or name what follows from a fault instead of it, better ones are found here.

use crate::place::{Lines, Place};
use crate::report::Path;

/// Nesting beyond which a text is refused, in words.
pub(super) const TOO_DEEP: &str = "nested too deeply";

/// What serde_yaml says of a whole text that is one scalar, where that is not written as it is meant.
const TEXT_ALONE: &str = "invalid type: unit variant, expected newtype variant";

/// A text that cannot be read.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    /// What is being read there, as far as that is known.
    pub(crate) path: Path,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl SyntaxError {
    /// A fault at `place` that nothing else is known of.
    pub(crate) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, path: Path::default(), message: message.into(), help: None }
    }

    /// What serde_yaml found in `text`, when it was reading what is at `path`.
    pub(super) fn of(error: &serde_yaml::Error, text: &str, path: Path) -> Self {
        let place = error
            .location()
            .map_or(Place::START, |at| Place { line: at.line(), column: at.column() });
        let here = format!(" at line {} column {}", place.line, place.column);
        let message = error.to_string().replacen(&here, "", 1);
        let lines = Lines::new(text);
        if message == "recursion limit exceeded" {
            Self { path, ..Self::at(place, TOO_DEEP) }
        } else if let Some(error) = control_character(&message, &lines) {
            error
        } else if let Some(error) = brackets_not_indented(&message, &lines) {
            error
        } else if let Some(error) = begins_nothing(&message, &lines, place) {
            error
        } else if message == TEXT_ALONE {
            Self::at(place, "expected a mapping, found text")
        } else {
            Self::at(place, message)
        }
    }
}

/// libyaml tells the byte and no line.
fn control_character(message: &str, lines: &Lines<'_>) -> Option<SyntaxError> {
    let offset = message.strip_prefix("control characters are not allowed at position ")?;
    let offset = offset.parse().ok()?;
    let character = u32::from(lines.text().get(offset..)?.chars().next()?);
    let place = lines.place(offset);
    let message = format!("the control character U+{character:04X} is not allowed in YAML");
    let help = format!("in double quotes it can be written as \\u{character:04x}");
    Some(SyntaxError { help: Some(help), ..SyntaxError::at(place, message) })
}

/// A list or mapping in brackets is taken for a key where it is not indented more than its own key.
fn brackets_not_indented(message: &str, lines: &Lines<'_>) -> Option<SyntaxError> {
    let place = message
        .strip_prefix("could not find expected ':', while scanning a simple key at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let place = Place { line: line.parse().ok()?, column: column.parse().ok()? };
    let mut from_there = lines.line(place.line).chars().skip(place.column.checked_sub(1)?);
    if !matches!(from_there.next(), Some('[' | '{')) {
        return None;
    }
    let message = "a value in brackets must be indented more than its key";
    let help = "YAML 1.2 demands it, though Envoy does not; indent this line";
    Some(SyntaxError { help: Some(help.to_owned()), ..SyntaxError::at(place, message) })
}

/// A tab where there is to be indentation, or a character that YAML keeps for itself.
fn begins_nothing(message: &str, lines: &Lines<'_>, place: Place) -> Option<SyntaxError> {
    if !message.starts_with("found character that cannot start any token") {
        return None;
    }
    let (message, help) = match lines.line(place.line).chars().nth(place.column.checked_sub(1)?)? {
        '\t' => ("a tab cannot indent a line".to_owned(), "write blanks"),
        other => (format!("'{other}' cannot begin a value"), "put the value in quotes"),
    };
    Some(SyntaxError { help: Some(help.to_owned()), ..SyntaxError::at(place, message) })
}

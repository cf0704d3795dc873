//! Finds the line and column of a path, once something is to be said about it.

use std::cell::OnceCell;

use memchr::memchr_iter;

use crate::report::{Anchor, Path, Step};
use crate::schema;
use crate::text::{Content, Document, NodeId, TYPE, TYPED_STRUCTS};

/// Line and column in characters, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// Where a text begins.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A text by its lines.
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// Where each line begins, once a line was asked for.
    starts: OnceCell<Vec<usize>>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, starts: OnceCell::new() }
    }

    /// All lines.
    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    fn starts(&self) -> &[usize] {
        self.starts.get_or_init(|| {
            let breaks = memchr_iter(b'\n', self.text.as_bytes()).map(|at| at + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// The line with this number, from 1, without its end; empty where there is none.
    pub(crate) fn line(&self, number: usize) -> &'t str {
        let starts = self.starts();
        let Some(start) = number.checked_sub(1).and_then(|index| starts.get(index)) else {
            return "";
        };
        let end = starts.get(number).map_or(self.text.len(), |next| next - 1);
        self.text[*start..end].trim_end_matches('\r')
    }

    /// The place of the character at the byte `offset`.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let starts = self.starts();
        let line = starts.partition_point(|start| *start <= offset);
        let before = &self.text[starts[line - 1]..offset];
        Place { line, column: before.chars().count() + 1 }
    }

    /// `place`, or the nearest one that the text has.
    pub(crate) fn within(&self, place: Place) -> Place {
        let line = place.line.clamp(1, self.starts().len());
        let column_max = self.line(line).chars().count() + 1;
        let column = if line < place.line { column_max } else { place.column.clamp(1, column_max) };
        Place { line, column }
    }
}

/// What a path leads to in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) place: Place,
    /// Characters of the line that it takes.
    pub(crate) width: usize,
    /// Whether the whole path was found, and not only a part of it.
    pub(crate) whole: bool,
}

/// The place of `path`, or else of the longest part of it that the text has.
pub(crate) fn locate(
    document: &Document<'_>,
    lines: &Lines<'_>,
    path: &Path,
    anchor: Anchor,
) -> Located {
    let located = |node, whole| {
        let (place, width) = document.place(node, lines);
        Located { place, width, whole }
    };
    let steps = &path.0;
    if let Some(node) = find(document, steps, anchor) {
        let character = match anchor {
            Anchor::Character(character) => document.character(node, character, lines),
            _ => None,
        };
        return match character {
            Some(place) => Located { place, width: 1, whole: true },
            None => located(node, true),
        };
    }
    // A field that is missing is shown at the key of what it is missing from.
    let shorter = (1..steps.len()).rev().find_map(|end| find(document, &steps[..end], Anchor::Key));
    match shorter.or(document.root()) {
        Some(node) => located(node, steps.is_empty()),
        None => Located { place: Place::START, width: 0, whole: false },
    }
}

/// The key or value at the end of `steps`.
fn find(document: &Document<'_>, steps: &[Step], anchor: Anchor) -> Option<NodeId> {
    let mut found = document.root()?;
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        found = match (step, document.content(found)) {
            (Step::Index(index), Content::List(items)) => *items.get(*index)?,
            // A single value may stand for a list of one.
            (Step::Index(0), _) => found,
            (Step::Field(_) | Step::Key(_), Content::Map(entries)) => {
                let second = is_last && anchor == Anchor::SecondKey;
                let (key, value) = entry(document, entries, step, usize::from(second))?;
                let is_of_key = matches!(anchor, Anchor::Key | Anchor::SecondKey);
                if is_last && is_of_key { key } else { value }
            }
            _ => return None,
        };
    }
    Some(found)
}

/// The entry that `step` names, after `skip` others of that name.
fn entry(
    document: &Document<'_>,
    entries: &[NodeId],
    step: &Step,
    skip: usize,
) -> Option<(NodeId, NodeId)> {
    let is_named = |entry: &&[NodeId]| {
        let key = document.words(entry[0]);
        match step {
            Step::Field(name) => key == name || same_field(key, name),
            Step::Key(name) => key == name,
            Step::Index(_) => false,
        }
    };
    if let Some(entry) = entries.chunks_exact(2).filter(is_named).nth(skip) {
        return Some((entry[0], entry[1]));
    }
    // What a TypedStruct stands for is written one level deeper.
    let named = |name| entries.chunks_exact(2).find(|entry| document.words(entry[0]) == name);
    let url = document.words(named(TYPE)?[1]);
    schema::type_name(url).filter(|name| TYPED_STRUCTS.contains(name))?;
    match document.content(named("value")?[1]) {
        Content::Map(entries) => entry(document, entries, step, skip),
        _ => None,
    }
}

/// Whether two spellings, `snake_case` and `lowerCamelCase`, name one field.
fn same_field(a: &str, b: &str) -> bool {
    let letters = |name: &str| name.replace('_', "").to_ascii_lowercase();
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n  - b: 1\n    camelCase: x\n    b: 2\n  - {c: [3, 4]}\nd: &anchor\n  e: 5\nf: *anchor\n";

    fn place(path: &[Step], anchor: Anchor) -> (usize, usize, bool) {
        let document = Document::parse(TEXT, false).unwrap();
        let located = locate(&document, &Lines::new(TEXT), &Path(path.to_vec()), anchor);
        (located.place.line, located.place.column, located.whole)
    }

    fn field(name: &str) -> Step {
        Step::Field(name.into())
    }

    #[test]
    fn finds_keys_and_values() {
        let path = [field("a"), Step::Index(0), field("b")];
        assert_eq!(place(&path, Anchor::Key), (2, 5, true));
        assert_eq!(place(&path, Anchor::Value), (2, 8, true));
        assert_eq!(place(&path, Anchor::SecondKey), (4, 5, true));
        let path = [field("a"), Step::Index(1), field("c"), Step::Index(1)];
        assert_eq!(place(&path, Anchor::Value), (5, 13, true));
    }

    #[test]
    fn a_place_counts_characters_and_quotes() {
        let text = "a: {é: \"1\",\r\n 'b': |\n  c\n}";
        let text = text.replace("|\n  c", "\"\\n\"");
        let document = Document::parse(&text, false).unwrap();
        let lines = Lines::new(&text);
        let located = |name: &str, anchor| {
            let path = Path(vec![field("a"), field(name)]);
            let located = locate(&document, &lines, &path, anchor);
            (located.place.line, located.place.column, located.width)
        };
        assert_eq!(located("é", Anchor::Key), (1, 5, 1));
        assert_eq!(located("é", Anchor::Value), (1, 8, 3));
        assert_eq!(located("b", Anchor::Key), (2, 2, 3));
        assert_eq!(located("b", Anchor::Value), (2, 7, 1));
    }

    #[test]
    fn finds_a_character_within_a_text() {
        let text = "é: [ab(, 'a''b(', \"\\\\d\\x41(\", a(\n  b]\nf: |\n  a(\n";
        let document = Document::parse(text, false).unwrap();
        let lines = Lines::new(text);
        let place = |steps: &[Step], character| {
            let path = Path(steps.to_vec());
            let located = locate(&document, &lines, &path, Anchor::Character(character));
            (located.place.line, located.place.column)
        };
        let item = |index| [field("é"), Step::Index(index)];
        assert_eq!(place(&item(0), 2), (1, 7));
        assert_eq!(place(&item(1), 3), (1, 15));
        assert_eq!(place(&item(2), 3), (1, 27));
        // What is written over several lines is shown at its beginning.
        assert_eq!(place(&item(3), 3), (1, 31));
        assert_eq!(place(&[field("f")], 1), (3, 4));
    }

    #[test]
    fn finds_a_field_by_its_other_spelling() {
        let path = [field("a"), Step::Index(0), field("camel_case")];
        assert_eq!(place(&path, Anchor::Value), (3, 16, true));
    }

    #[test]
    fn shows_what_a_missing_field_is_missing_from() {
        assert_eq!(place(&[field("d"), field("x"), field("y")], Anchor::Value), (6, 1, false));
        assert_eq!(place(&[field("a"), Step::Index(1), field("x")], Anchor::Key), (5, 5, false));
        assert_eq!(place(&[field("x")], Anchor::Key), (1, 1, false));
    }

    #[test]
    fn an_alias_is_shown_at_its_anchor() {
        assert_eq!(place(&[field("f"), field("e")], Anchor::Value), (7, 6, true));
    }

    #[test]
    fn finds_what_a_typed_struct_stands_for() {
        let text = "a: {\"@type\": x/xds.type.v3.TypedStruct, type_url: x/y, value: {b: 1}}";
        let document = Document::parse(text, false).unwrap();
        let path = Path(vec![field("a"), field("b")]);
        let located = locate(&document, &Lines::new(text), &path, Anchor::Key);
        assert_eq!(located.place, Place { line: 1, column: 64 });
    }
}

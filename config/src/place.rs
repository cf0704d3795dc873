//! Finds the line and column of a path, once something is to be said about it.
//!
//! serde_yaml tells the place of an error only, and the right one only for an error raised while the
//! key or value itself is read. So this walks the text again and raises an error at the path's end.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::report::{Anchor, Path, Step};

/// Line and column in characters, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The place of `path`, or else of the longest part of it that the text has; and whether it was
/// found whole.
pub(crate) fn locate(text: &str, path: &Path, anchor: Anchor) -> (Place, bool) {
    let steps = &path.0;
    if let Some(place) = walk(text, steps, anchor) {
        return (place, true);
    }
    // A field that is missing is shown at the key of what it is missing from.
    let shorter = (1..steps.len()).rev().find_map(|end| walk(text, &steps[..end], Anchor::Key));
    (shorter.unwrap_or(Place { line: 1, column: 1 }), steps.is_empty())
}

fn walk(text: &str, steps: &[Step], anchor: Anchor) -> Option<Place> {
    let found = Cell::new(false);
    let seed = Seek { steps, anchor, found: &found };
    let error = seed.deserialize(serde_yaml::Deserializer::from_str(text).next()?).err()?;
    let location = error.location().filter(|_| found.get())?;
    Some(Place { line: location.line(), column: location.column() })
}

/// Reads a value, and fails at the end of the path.
#[derive(Clone, Copy)]
struct Seek<'a> {
    steps: &'a [Step],
    anchor: Anchor,
    found: &'a Cell<bool>,
}

impl Seek<'_> {
    fn raise<T, E: Error>(&self) -> Result<T, E> {
        self.found.set(true);
        Err(E::custom("here"))
    }

    /// Whether the key is what the path ends with, and not the value behind it.
    fn ends_at_key(&self) -> bool {
        self.steps.len() == 1 && self.anchor != Anchor::Value
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.leaf()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.leaf()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.leaf()
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.leaf()
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        self.leaf()?;
        IgnoredAny.visit_enum(tagged).map(|_| ())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return self.raise() };
        let wanted = if let Step::Index(index) = step { Some(*index) } else { None };
        for index in 0.. {
            let next = if Some(index) == wanted {
                list.next_element_seed(Seek { steps: rest, ..self })?.is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            if !next {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.steps.split_first() else { return self.raise() };
        let mut skip = usize::from(self.anchor == Anchor::SecondKey && self.steps.len() == 1);
        while let Some(matches) = map.next_key_seed(Key { seek: &self, step, skip: &mut skip })? {
            if matches {
                map.next_value_seed(Seek { steps: rest, ..self })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl Seek<'_> {
    fn leaf<E: Error>(&self) -> Result<(), E> {
        if self.steps.is_empty() { self.raise() } else { Ok(()) }
    }
}

/// Reads a key: whether it is the next step, after `skip` others of that name. Fails where the path
/// ends at this key.
struct Key<'a> {
    seek: &'a Seek<'a>,
    step: &'a Step,
    skip: &'a mut usize,
}

impl Key<'_> {
    fn check<E: Error>(&mut self, key: &str) -> Result<bool, E> {
        let matches = match self.step {
            Step::Field(name) => key == name || same_field(key, name),
            Step::Key(name) => key == name,
            Step::Index(_) => false,
        };
        if matches && *self.skip > 0 {
            *self.skip -= 1;
            return Ok(false);
        }
        if matches && self.seek.ends_at_key() { self.seek.raise() } else { Ok(matches) }
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(mut self, key: &str) -> Result<bool, E> {
        self.check(key)
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
        let (place, whole) = locate(TEXT, &Path(path.to_vec()), anchor);
        (place.line, place.column, whole)
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
}

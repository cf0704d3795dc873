//! Text that looks like a decimal number, such as a header value `1.10`.
//!
//! Envoy takes it as written. serde_yaml hands over a float, which no longer knows its last zero. Such
//! values are rare: a walk that meets one notes the path, another reads those paths as text, and
//! the file is then walked again with that knowledge.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::report::{At, Path, Step};

/// A path as plain words, as keys of maps and of messages look the same without a schema.
type Words = Vec<String>;

/// Which values were met, and how they are written.
#[derive(Default)]
pub(super) struct Numerals {
    met: RefCell<HashSet<Words>>,
    written: HashMap<Words, String>,
}

impl Numerals {
    /// How the number at this place is written, unless that is yet to be found out.
    pub(super) fn as_written(&self, at: &At<'_>) -> Option<&str> {
        let words = words(at.path());
        let written = self.written.get(&words);
        if written.is_none() {
            self.met.borrow_mut().insert(words);
        }
        written.map(String::as_str)
    }

    /// The spelling of all that were met, or `None` if there were none.
    pub(super) fn read_as_written(&self, text: &str) -> Option<Self> {
        let met = self.met.borrow();
        if met.is_empty() {
            return None;
        }
        let mut written = HashMap::new();
        let document = serde_yaml::Deserializer::from_str(text).next()?;
        let mut path = Words::new();
        let seed = Collect { met: &met, path: &mut path, written: &mut written };
        // The text was walked before, so it is well-formed; without a spelling the number stands.
        seed.deserialize(document).ok()?;
        Some(Self { met: RefCell::default(), written })
    }
}

fn words(path: Path) -> Words {
    let word = |step| match step {
        Step::Field(name) | Step::Key(name) => name,
        Step::Index(index) => index.to_string(),
    };
    path.0.into_iter().map(word).collect()
}

/// Reads a value, and keeps the text of wanted ones.
struct Collect<'a> {
    met: &'a HashSet<Words>,
    path: &'a mut Words,
    written: &'a mut HashMap<Words, String>,
}

impl Collect<'_> {
    fn child(&mut self) -> Collect<'_> {
        Collect { met: self.met, path: self.path, written: self.written }
    }
}

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.met.contains(self.path) {
            deserializer.deserialize_str(self)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.met.contains(self.path) {
            self.written.insert(self.path.clone(), text.to_owned());
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        IgnoredAny.visit_enum(tagged).map(|_| ())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            self.path.push(index.to_string());
            let next = list.next_element_seed(self.child())?;
            self.path.pop();
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(super::object::KeyText)? {
            self.path.push(key);
            map.next_value_seed(self.child())?;
            self.path.pop();
        }
        Ok(())
    }
}

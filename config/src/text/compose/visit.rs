//! What serde_yaml is asked for: a scalar as it is written, the place of anything else, and then what is in it.

use std::fmt::{self, Display, Formatter};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::Composer;
use crate::place::Place;
use crate::text::document::{Kind, Node, NodeId};

/// A key with this tag is for anchors only, as in Envoy.
const IGNORE: &str = "ignore";
/// The tag of `! 5`, which is text whatever it looks like.
const NON_SPECIFIC: &str = "!";

/// What stands next in the text.
pub(super) enum Next<'t> {
    /// A scalar; it is read by now.
    Scalar(Scalar<'t>),
    /// Something else, or an alias for it. Of the two only an alias is read by now.
    Unread(Unread),
}

pub(super) struct Scalar<'t> {
    pub(super) words: Words<'t>,
    pub(super) tag: Tag,
}

pub(super) enum Words<'t> {
    /// A part of the text.
    AsWritten(&'t str),
    /// What an escaped, folded or block scalar stands for, and its place.
    Other(String, Place),
}

/// A list, a mapping, or a null with a tag.
#[derive(Clone, Copy)]
pub(super) struct Unread {
    pub(super) place: Place,
    pub(super) tag: Tag,
    /// Whether it was seen in the text, and not asked for.
    pub(super) is_ahead: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    NonSpecific,
    Ignore,
    Other,
}

/// Reads a scalar, and tells the place of anything else.
pub(super) struct Peek;

impl<'de> DeserializeSeed<'de> for Peek {
    type Value = Next<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Next<'de>, D::Error> {
        deserializer.deserialize_enum("", &[], self).or_else(|error| match unread_at(&error) {
            Some(place) => Ok(Next::Unread(Unread { place, tag: Tag::None, is_ahead: false })),
            None => Err(error),
        })
    }
}

impl<'de> Visitor<'de> for Peek {
    type Value = Next<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Next<'de>, A::Error> {
        let (variant, content) = access.variant_seed(VariantSeed)?;
        let tag = match variant {
            Variant::Scalar(words) => {
                return Ok(Next::Scalar(Scalar { words, tag: Tag::None }));
            }
            Variant::Tag(tag) => tag,
        };
        Ok(match content.newtype_variant_seed(self)? {
            Next::Scalar(scalar) => Next::Scalar(Scalar { tag, ..scalar }),
            Next::Unread(unread) => Next::Unread(Unread { tag, ..unread }),
        })
    }
}

/// To serde a scalar is a variant's name, and so is the tag of anything.
enum Variant<'t> {
    Scalar(Words<'t>),
    Tag(Tag),
}

struct VariantSeed;

impl<'de> DeserializeSeed<'de> for VariantSeed {
    type Value = Variant<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Variant<'de>, D::Error> {
        let mut other = None;
        let error = match deserializer.deserialize_str(Raw(&mut other)) {
            Ok(words) => return Ok(Variant::Scalar(Words::AsWritten(words))),
            Err(error) => error,
        };
        match (other, place_of(&error.to_string())) {
            (Some(words), Some((_, place))) => Ok(Variant::Scalar(Words::Other(words, place))),
            // What is no part of the text has no place.
            (Some(tag), None) => Ok(Variant::Tag(match tag.as_str() {
                NON_SPECIFIC => Tag::NonSpecific,
                IGNORE => Tag::Ignore,
                _ => Tag::Other,
            })),
            (None, _) => Err(error),
        }
    }
}

/// Reads text; fails, so as to learn the place, with what is no part of the whole text.
struct Raw<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for Raw<'_> {
    type Value = &'de str;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<&'de str, E> {
        Ok(text)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'de str, E> {
        *self.0 = Some(text.to_owned());
        Err(E::custom("no part of the text"))
    }
}

/// Reads what `Peek` left unread.
pub(super) struct Inside<'c, 't> {
    pub(super) composer: &'c mut Composer<'t>,
    pub(super) unread: Unread,
}

impl<'t> DeserializeSeed<'t> for Inside<'_, 't> {
    type Value = NodeId;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<NodeId, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Inside<'_, 't> {
    type Value = NodeId;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a list or mapping")
    }

    fn visit_map<A: MapAccess<'t>>(self, map: A) -> Result<NodeId, A::Error> {
        self.composer.mapping(self.unread, map)
    }

    fn visit_seq<A: SeqAccess<'t>>(self, list: A) -> Result<NodeId, A::Error> {
        self.composer.sequence(self.unread, list)
    }

    fn visit_unit<E: Error>(self) -> Result<NodeId, E> {
        if self.unread.is_ahead {
            return Err(E::custom("nothing, where something was seen"));
        }
        Ok(self.composer.push(self.unread.node(Kind::Null)))
    }

    fn visit_enum<A: EnumAccess<'t>>(self, access: A) -> Result<NodeId, A::Error> {
        let (IgnoredAny, content) = access.variant()?;
        content.newtype_variant_seed(self)
    }
}

/// Reads the topmost list or mapping, and fails then, so that its place is learnt.
pub(super) struct Root<'c, 't>(pub(super) &'c mut Composer<'t>);

impl<'t> Root<'_, 't> {
    fn end<E: Error>(self, root: NodeId) -> Result<(), E> {
        self.0.document.root = Some(root);
        Err(E::custom("the root ends here"))
    }
}

impl<'t> DeserializeSeed<'t> for Root<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Root<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a list or mapping")
    }

    /// A text without content.
    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'t>>(self, map: A) -> Result<(), A::Error> {
        let root = self.0.mapping(Unread::ROOT, map)?;
        self.end(root)
    }

    fn visit_seq<A: SeqAccess<'t>>(self, list: A) -> Result<(), A::Error> {
        let root = self.0.sequence(Unread::ROOT, list)?;
        self.end(root)
    }

    fn visit_enum<A: EnumAccess<'t>>(self, access: A) -> Result<(), A::Error> {
        let (IgnoredAny, content) = access.variant()?;
        content.newtype_variant_seed(self)
    }
}

impl Unread {
    /// The root, whose place is not known yet. It is before all others.
    pub(super) const ROOT: Self = Self { place: Place::START, tag: Tag::None, is_ahead: false };

    pub(super) fn node(self, kind: Kind) -> Node {
        Node::at(self.place, kind, self.tag == Tag::Other)
    }
}

/// Where serde_yaml found a list, a mapping or a tagged null in place of a scalar.
fn unread_at(error: &impl Display) -> Option<Place> {
    let error = error.to_string();
    let (message, place) = place_of(&error)?;
    let unread = [
        "invalid type: map, expected a YAML tag starting with '!'",
        "invalid type: sequence, expected a YAML tag starting with '!'",
        "from YAML is not supported yet",
    ];
    unread.iter().any(|unread| message.ends_with(unread)).then_some(place)
}

/// Splits the place off the text of an error; a generic error of serde tells it in words only.
fn place_of(error: &str) -> Option<(&str, Place)> {
    let (message, place) = error.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some((message, Place { line: line.parse().ok()?, column: column.parse().ok()? }))
}

//! From text to tree: serde_yaml reads the text, and this keeps what it reads as it is written.
//!
//! serde_yaml converts plain scalars by rules that are not Envoy's, and tells places in errors only. Three
//! of its properties give the raw text and all places in one walk:
//! - What is asked for as an enum is a scalar, to be had as its raw text, or else an error at the place
//!   of a list or mapping, which is left unread and can be asked for again.
//! - A scalar that reads as it is written is borrowed from the text, so where it lies is its place.
//! - An error that is raised while any other scalar is read gets that scalar's place.
//!
//! An alias is read as what it stands for; it is known by its place, which was seen before.

use std::fmt::{self, Display, Formatter};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::document::{Document, Kind, Node, NodeId};
use super::syntax_error::{SyntaxError, TOO_DEEP};
use crate::place::{Lines, Place};
use crate::report::{Path, Step};

/// The longest text; nodes count in 32 bits.
const TEXT_BYTES_MAX: usize = 1 << 30;
/// Nesting beyond which a text is refused; readers of the tree recurse.
const DEPTH_MAX: u8 = 128;
/// Steps of a path that are told; what is nested deeply is not told apart by what is within.
const STEPS_SHOWN_MAX: usize = 10;
/// How often the nodes of a text may be repeated by aliases, all in all.
const REPETITION_MAX: u32 = 100;
/// The same as a number of nodes, for large texts.
const REPEATED_NODES_MAX: u32 = 10_000_000;
/// A key with this tag is for anchors only, as in Envoy.
const IGNORE: &str = "ignore";
/// The tag of `! 5`, which is text whatever it looks like.
const NON_SPECIFIC: &str = "!";
const KEY_IS_NO_TEXT: &str = "a key must be text, not a list or mapping";

/// Reads the first document of `text`.
pub(super) fn compose(text: &str, json: bool) -> Result<Document<'_>, SyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SyntaxError::at(Place::START, "the text is longer than 1 GiB"));
    }
    let mut composer = Composer {
        document: Document::new(text, json),
        located: Vec::new(),
        first_key: None,
        depth: 0,
        within: Vec::new(),
        failure: None,
    };
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let outcome = match documents.next() {
        Some(document) => composer.root(document),
        None => Ok(()),
    };
    outcome.map_err(|error| {
        composer.failure.take().unwrap_or_else(|| SyntaxError::of(&error, text, composer.path()))
    })?;
    composer.document.has_more = documents.next().is_some();
    Ok(composer.document)
}

struct Composer<'t> {
    document: Document<'t>,
    /// The nodes that hold their place, in the order of the text.
    located: Vec<NodeId>,
    /// The place of the first key. The root begins no later, but its own place is known last.
    first_key: Option<Place>,
    depth: u8,
    /// The way from the root to what is being read.
    within: Vec<Within>,
    /// Why the walk was ended, where that was not serde_yaml.
    failure: Option<SyntaxError>,
}

/// A step into a list or mapping.
enum Within {
    Key(NodeId),
    Index(usize),
}

impl<'t> Composer<'t> {
    fn root(&mut self, document: serde_yaml::Deserializer<'t>) -> Result<(), serde_yaml::Error> {
        let Err(error) = document.deserialize_any(Root(self)) else { return Ok(()) };
        if let (Some(root), Some(at)) = (self.document.root, error.location()) {
            // All was read: the error is there to tell the root's place.
            self.document.node_mut(root).put(Place { line: at.line(), column: at.column() });
            return Ok(());
        }
        if self.document.len() > 0 {
            return Err(error);
        }
        // A scalar, which was converted; read it again as it is written.
        let again = serde_yaml::Deserializer::from_str(self.document.text()).next();
        if let Some(Next::Scalar(scalar)) =
            again.map(|again| Peek.deserialize(again)).transpose()?
        {
            self.document.root = Some(self.scalar(scalar));
        }
        Ok(())
    }

    fn mapping<A: MapAccess<'t>>(
        &mut self,
        unread: Unread,
        mut map: A,
    ) -> Result<NodeId, A::Error> {
        let id = self.begin(Kind::Map, unread)?;
        let mut children = Vec::new();
        while let Some(key) = map.next_key_seed(Peek)? {
            let key = match key {
                Next::Scalar(key) => key,
                Next::Unread(unread) => return Err(self.fail(unread.place, KEY_IS_NO_TEXT)),
            };
            let is_for_anchors = key.tag == Tag::Ignore;
            let key = self.scalar(key);
            if self.first_key.is_none() {
                let lines = Lines::new(self.document.text());
                self.first_key = Some(self.document.place(key, &lines).0);
            }
            let next = map.next_value_seed(Peek)?;
            let value = match self.read(next)? {
                Ok(value) => value,
                Err(unread) => {
                    self.within.push(Within::Key(key));
                    let value = map.next_value_seed(Inside { composer: self, unread })?;
                    self.within.pop();
                    value
                }
            };
            if !is_for_anchors {
                self.adopt(id, key)?;
                self.adopt(id, value)?;
                children.extend([key, value]);
            }
        }
        self.end(id, &children);
        Ok(id)
    }

    fn sequence<A: SeqAccess<'t>>(
        &mut self,
        unread: Unread,
        mut list: A,
    ) -> Result<NodeId, A::Error> {
        let id = self.begin(Kind::List, unread)?;
        let mut children = Vec::new();
        for index in 0.. {
            let Some(next) = list.next_element_seed(Peek)? else { break };
            let item = match self.read(next)? {
                Ok(item) => Some(item),
                Err(unread) => {
                    self.within.push(Within::Index(index));
                    let item = list.next_element_seed(Inside { composer: self, unread })?;
                    self.within.pop();
                    item
                }
            };
            if let Some(item) = item {
                self.adopt(id, item)?;
                children.push(item);
            }
        }
        self.end(id, &children);
        Ok(id)
    }

    /// The node of what is read already: a scalar, or an alias for something seen before.
    fn read<E: Error>(&mut self, next: Next<'t>) -> Result<Result<NodeId, Unread>, E> {
        let unread = match next {
            Next::Scalar(scalar) => return Ok(Ok(self.scalar(scalar))),
            Next::Unread(unread) => unread,
        };
        let known = [false, true].map(|is_scalar| self.located_at(unread.place, is_scalar));
        match known.into_iter().flatten().next() {
            Some(id) if !self.document.node(id).is_open() => Ok(Ok(id)),
            None if self.is_new(unread.place) => Ok(Err(unread)),
            _ => Err(self.fail(unread.place, "an alias within what it stands for")),
        }
    }

    /// Whether `place` is behind all that was seen, so that what begins there is not the root again.
    fn is_new(&self, place: Place) -> bool {
        let last = self.located.last().and_then(|id| self.document.node(*id).place());
        Some(place) > last.max(self.first_key)
    }

    fn scalar(&mut self, scalar: Scalar<'t>) -> NodeId {
        let Scalar { words, tag } = scalar;
        let mut node = match words {
            Words::AsWritten(words) => self.document.as_written(words),
            Words::Other(words, place) => match self.located_at(place, true) {
                Some(id) => return id,
                None => self.document.kept(&words, place),
            },
        };
        if tag == Tag::NonSpecific && node.kind == Kind::Plain {
            node.kind = Kind::Quoted;
        }
        node.is_tagged = tag == Tag::Other;
        self.push(node)
    }

    fn begin<E: Error>(&mut self, kind: Kind, unread: Unread) -> Result<NodeId, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.fail(unread.place, TOO_DEEP));
        }
        self.depth += 1;
        Ok(self.push(unread.node(kind)))
    }

    fn end(&mut self, id: NodeId, children: &[NodeId]) {
        self.depth -= 1;
        self.document.close(id, children);
    }

    fn push(&mut self, node: Node) -> NodeId {
        let is_located = node.place().is_some();
        let id = self.document.push(node);
        if is_located {
            self.located.push(id);
        }
        id
    }

    /// Counts `child` as a part of `parent`.
    fn adopt<E: Error>(&mut self, parent: NodeId, child: NodeId) -> Result<(), E> {
        let (weight, height) = {
            let child = self.document.node(child);
            (child.weight, child.height)
        };
        let written = self.document.len();
        let node = self.document.node_mut(parent);
        node.weight = node.weight.saturating_add(weight);
        node.height = node.height.max(height.saturating_add(1));
        let repeated = node.weight.saturating_sub(written);
        let place = node.place().unwrap_or(Place::START);
        if self.depth.saturating_add(height) > DEPTH_MAX {
            return Err(self.fail(place, TOO_DEEP));
        }
        if repeated > REPEATED_NODES_MAX || repeated / REPETITION_MAX > written {
            return Err(self.fail(place, "aliases (`*name`) repeat too much of the file"));
        }
        Ok(())
    }

    /// The node that begins at `place`, if it holds its place.
    fn located_at(&self, place: Place, is_scalar: bool) -> Option<NodeId> {
        let key = |id: &NodeId| {
            let node = self.document.node(*id);
            (node.place(), !node.holds_others())
        };
        let found = self.located.binary_search_by_key(&(Some(place), is_scalar), key).ok()?;
        Some(self.located[found])
    }

    fn fail<E: Error>(&mut self, place: Place, message: &str) -> E {
        let path = self.path();
        self.failure = Some(SyntaxError { path, ..SyntaxError::at(place, message) });
        E::custom(message)
    }

    /// The path of what is being read, or the first steps of a long one.
    fn path(&self) -> Path {
        let steps = self.within.iter().take(STEPS_SHOWN_MAX).map(|within| match within {
            Within::Key(key) => Step::Field(self.document.words(*key).to_owned()),
            Within::Index(index) => Step::Index(*index),
        });
        Path(steps.collect())
    }
}

/// What stands next in the text.
enum Next<'t> {
    /// A scalar; it is read by now.
    Scalar(Scalar<'t>),
    /// Something else, or an alias for it. Of the two only an alias is read by now.
    Unread(Unread),
}

struct Scalar<'t> {
    words: Words<'t>,
    tag: Tag,
}

enum Words<'t> {
    /// A part of the text.
    AsWritten(&'t str),
    /// What an escaped, folded or block scalar stands for, and its place.
    Other(String, Place),
}

/// A list, a mapping, or a null with a tag.
#[derive(Clone, Copy)]
struct Unread {
    place: Place,
    tag: Tag,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    None,
    NonSpecific,
    Ignore,
    Other,
}

/// Reads a scalar, and tells the place of anything else.
struct Peek;

impl<'de> DeserializeSeed<'de> for Peek {
    type Value = Next<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Next<'de>, D::Error> {
        deserializer.deserialize_enum("", &[], self).or_else(|error| match unread_at(&error) {
            Some(place) => Ok(Next::Unread(Unread { place, tag: Tag::None })),
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
struct Inside<'c, 't> {
    composer: &'c mut Composer<'t>,
    unread: Unread,
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
        Ok(self.composer.push(self.unread.node(Kind::Null)))
    }

    fn visit_enum<A: EnumAccess<'t>>(self, access: A) -> Result<NodeId, A::Error> {
        let (IgnoredAny, content) = access.variant()?;
        content.newtype_variant_seed(self)
    }
}

/// Reads the topmost list or mapping, and fails then, so that its place is learnt.
struct Root<'c, 't>(&'c mut Composer<'t>);

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
    const ROOT: Self = Self { place: Place::START, tag: Tag::None };

    fn node(self, kind: Kind) -> Node {
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

#[cfg(test)]
mod tests {
    use super::super::document::Content;
    use super::*;

    fn parse(text: &str) -> Result<Document<'_>, String> {
        compose(text, false).map_err(|error| error.message)
    }

    /// The tree without places, in one line.
    fn shown(document: &Document<'_>, id: NodeId) -> String {
        match document.content(id) {
            Content::Scalar(_) => document.words(id).to_owned(),
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| shown(document, *item)).collect();
                format!("[{}]", items.join(" "))
            }
            Content::Map(entries) => {
                let entries: Vec<_> = entries
                    .chunks_exact(2)
                    .map(|entry| {
                        format!("{}={}", document.words(entry[0]), shown(document, entry[1]))
                    })
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    fn tree(text: &str) -> String {
        let document = parse(text).unwrap();
        document.root.map(|root| shown(&document, root)).unwrap_or_default()
    }

    #[test]
    fn a_tree_is_what_is_written() {
        assert_eq!(tree("a: [1, {b: c}]\nd: |\n  e\n"), "{a=[1 {b=c}] d=e\n}");
        assert_eq!(tree("{\"a\": \"b\\u0041\"}"), "{a=bA}");
        assert_eq!(
            tree("a: 0x10\nb: 1.50\nc: ~\nd: 'yes'\ne: 0b1"),
            "{a=0x10 b=1.50 c=~ d=yes e=0b1}"
        );
        assert_eq!(tree(r#"a: "\\1""#), r"{a=\1}");
        assert_eq!(tree("1.50"), "1.50");
        assert_eq!(tree("# nothing"), "");
    }

    #[test]
    fn an_alias_stands_for_its_anchor() {
        assert_eq!(tree("a: &x {b: 1}\nc: [*x, *x]"), "{a={b=1} c=[{b=1} {b=1}]}");
        assert_eq!(tree("a: &x \"b\\n\"\nc: [*x, &y d, *y]"), "{a=b\n c=[b\n d d]}");
        assert_eq!(tree("a: &x !t {}\nb: &y !t\nc: [*x, *y, z]"), "{a={} b= c=[{}  z]}");
        assert_eq!(parse("a: &x [*x]").err().unwrap(), "an alias within what it stands for");
        for root in ["--- &x {a: *x}", "\n&x {a: b, c: *x}", "--- &x [{a: *x}]", "--- &x\na:\n- *x"]
        {
            assert_eq!(parse(root).err().unwrap(), "an alias within what it stands for", "{root}");
        }
        assert!(parse("a: *x").err().unwrap().contains("unknown anchor"));
    }

    #[test]
    fn a_key_may_be_for_anchors_only() {
        assert_eq!(tree("!ignore x: {y: &y 5}\na: *y\n!ignore z: 1"), "{a=5}");
        assert_eq!(tree("!ignore x: &y {z: 5}\na: *y"), "{a={z=5}}");
    }

    #[test]
    fn only_the_first_document_counts() {
        let document = parse("a: 1\n---\nb: [").unwrap();
        assert!(document.has_more);
        assert_eq!(shown(&document, document.root.unwrap()), "{a=1}");
    }

    #[test]
    fn keys_are_text() {
        assert!(parse("? [a]\n: b").is_err());
        assert!(parse("a: &x [1]\n*x : 5").is_err());
        assert_eq!(tree("1: a\ntrue: b"), "{1=a true=b}");
    }

    #[test]
    fn depth_and_repetition_have_limits() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let depth_max = usize::from(DEPTH_MAX);
        assert!(parse(&nested(depth_max)).is_ok());
        assert_eq!(parse(&nested(depth_max + 1)).err().unwrap(), TOO_DEEP);
        let mut bomb = String::from("a0: &a0 x\n");
        for level in 1..8 {
            let last = format!("*a{},", level - 1).repeat(20);
            bomb += &format!("a{level}: &a{level} [{last}]\n");
        }
        assert!(parse(&bomb).err().unwrap().starts_with("aliases"));
        let mut deep = String::from("a0: &a0 x\n");
        for level in 1..200 {
            deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert_eq!(parse(&deep).err().unwrap(), TOO_DEEP);
    }

    #[test]
    fn a_text_is_not_copied_for_its_aliases() {
        let text = format!("a: &a |\n  {}\nb: [{}]", "x".repeat(1000), "*a,".repeat(300));
        assert!(parse(&text).unwrap().kept_bytes() < 2000);
    }

    #[test]
    fn a_fault_of_the_text_has_its_place() {
        let error = compose("a: [1\nb: 2", false).err().unwrap();
        assert_eq!(error.place, Place { line: 2, column: 2 });
        assert!(!error.message.contains("line 2 column 2"), "{}", error.message);
    }
}

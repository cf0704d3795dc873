//! From text to tree: serde_yaml reads the text, and this keeps what it reads as it is written.
//!
//! serde_yaml converts plain scalars by rules that are not Envoy's, and tells places in errors only. Three
//! of its properties give the raw text and all places in one walk:
//! - What is asked for as an enum is a scalar, to be had as its raw text, or else an error at the place
//!   of a list or mapping, which is left unread and can be asked for again.
//! - A scalar that reads as it is written is borrowed from the text, so where it lies is its place.
//! - An error that is raised while any other scalar is read gets that scalar's place.
//!
//! Most lists and mappings need not be asked for: where they begin is seen in the text ([`ahead`]).
//!
//! An alias is read as what it stands for; it is known by its place, which was seen before.

mod ahead;
mod visit;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};

use self::visit::{Inside, Next, Peek, Root, Scalar, Tag, Unread, Words};

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
const KEY_IS_NO_TEXT: &str = "a key must be text, not a list or mapping";

/// Reads the first document of `text`.
pub(super) fn compose(text: &str, json: bool) -> Result<Document<'_>, SyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SyntaxError::at(Place::START, "the text is longer than 1 GiB"));
    }
    compose_with(text, json, true).or_else(|_| compose_with(text, json, false))
}

fn compose_with(text: &str, json: bool, looks_ahead: bool) -> Result<Document<'_>, SyntaxError> {
    let mut composer = Composer {
        document: Document::new(text, json),
        lines: Lines::new(text),
        looks_ahead,
        read_to: None,
        furthest: 0,
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
    lines: Lines<'t>,
    /// Whether lists and mappings are looked for in the text.
    looks_ahead: bool,
    /// The byte behind what was read last, where that is known.
    read_to: Option<usize>,
    /// The byte behind the last scalar of all.
    furthest: usize,
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
                self.first_key = Some(self.document.place(key, &self.lines).0);
            }
            let next = match self.value_ahead(key) {
                Some(unread) => Err(unread),
                None => {
                    let next = map.next_value_seed(Peek)?;
                    self.read(next)?
                }
            };
            let value = match next {
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
            let next = match self.item_ahead() {
                Some(unread) => Err(unread),
                None => {
                    let Some(next) = list.next_element_seed(Peek)? else { break };
                    self.read(next)?
                }
            };
            let item = match next {
                Ok(item) => item,
                Err(unread) => {
                    self.within.push(Within::Index(index));
                    let item = list.next_element_seed(Inside { composer: self, unread })?;
                    self.within.pop();
                    let Some(item) = item else { break };
                    item
                }
            };
            self.adopt(id, item)?;
            children.push(item);
        }
        self.end(id, &children);
        Ok(id)
    }

    /// The value of `key`, if that was read last and a list or mapping is seen to follow.
    fn value_ahead(&mut self, key: NodeId) -> Option<Unread> {
        let end = self.read_to.filter(|_| self.looks_ahead)?;
        let start = self.document.written(key)?.start;
        self.ahead(ahead::value(self.document.text(), start, end)?)
    }

    /// The next item of a list, if there is one and it is seen to be a list or mapping.
    fn item_ahead(&mut self) -> Option<Unread> {
        let from = self.read_to.filter(|_| self.looks_ahead)?;
        self.ahead(ahead::item(self.document.text(), from)?)
    }

    fn ahead(&mut self, at: usize) -> Option<Unread> {
        let is_bracket = matches!(self.document.text().as_bytes()[at], b'{' | b'[');
        self.read_to = Some(at + usize::from(is_bracket));
        Some(Unread { place: self.lines.place(at), tag: Tag::None, is_ahead: true })
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
        self.read_to = None;
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
        let id = self.push(node);
        // What an alias repeats lies before what was read.
        let written = self.document.written(id).filter(|written| written.start >= self.furthest);
        self.read_to = written.map(|written| written.end);
        self.furthest = self.read_to.unwrap_or(self.furthest);
        id
    }

    fn begin<E: Error>(&mut self, kind: Kind, unread: Unread) -> Result<NodeId, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.fail(unread.place, TOO_DEEP));
        }
        self.depth += 1;
        if !unread.is_ahead {
            self.read_to = None;
        }
        Ok(self.push(unread.node(kind)))
    }

    fn end(&mut self, id: NodeId, children: &[NodeId]) {
        self.depth -= 1;
        if children.is_empty() {
            self.read_to = None;
        }
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

#[cfg(test)]
mod tests;

//! A text as a tree whose every node knows its place.
//!
//! Scalars are parts of the text wherever they read as they are written, and
//! keep their own words otherwise. JSON is YAML.

use std::ops::Range;

use super::SyntaxError;
use super::compose::compose;
use super::scalar::Scalar;
use crate::place::{Lines, Place};

/// A node of a [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

/// What a node holds.
pub(crate) enum Content<'d> {
    /// A single value.
    Scalar(Scalar<'d>),
    /// A list.
    List(&'d [NodeId]),
    /// A mapping, as keys (always scalars) and values in turn.
    Map(&'d [NodeId]),
}

/// The first document of a text.
pub(crate) struct Document<'t> {
    text: &'t str,
    /// The words of scalars that are no part of the text.
    kept: String,
    nodes: Vec<Node>,
    children: Vec<NodeId>,
    /// The topmost node; `None` in a text without content.
    pub(super) root: Option<NodeId>,
    /// Whether the text is JSON, where a number is never text.
    json: bool,
    /// Whether other documents follow, which Envoy does not read.
    pub(crate) has_more: bool,
}

/// A node as it is kept.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Whether a YAML tag stands before it.
    pub(super) is_tagged: bool,
    /// The depth of what it holds.
    pub(super) height: u8,
    /// Into the text, `kept` or `children`.
    start: u32,
    len: u32,
    /// The place; 0 where `start` tells it.
    line: u32,
    column: u32,
    /// The nodes it holds and itself, those that aliases repeat counted again.
    pub(super) weight: u32,
}

/// What kind a node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A scalar without quotes.
    Plain,
    /// A scalar in quotes, or one that its tag makes text.
    Quoted,
    /// A scalar in quotes or in a block that is no part of the text.
    Kept,
    /// Nothing behind a tag.
    Null,
    List,
    Map,
}

/// The length of a list or mapping that is yet to be filled.
const OPEN: u32 = u32::MAX;

impl Node {
    /// A node that knows its place; a list or mapping is yet to be filled.
    pub(super) fn at(place: Place, kind: Kind, is_tagged: bool) -> Self {
        let mut node = Self::new(kind, 0, 0);
        node.is_tagged = is_tagged;
        if node.holds_others() {
            node.len = OPEN;
        }
        node.put(place);
        node
    }

    fn new(kind: Kind, start: usize, len: usize) -> Self {
        let (start, len) = (number(start), number(len));
        Self { kind, is_tagged: false, height: 0, start, len, line: 0, column: 0, weight: 1 }
    }

    /// Whether it is a list or mapping.
    pub(super) fn holds_others(&self) -> bool {
        matches!(self.kind, Kind::List | Kind::Map)
    }

    /// Whether it is a list or mapping that is not yet at its end.
    pub(super) fn is_open(&self) -> bool {
        self.holds_others() && self.len == OPEN
    }

    /// The place, where the node itself knows it.
    pub(super) fn place(&self) -> Option<Place> {
        let place = Place { line: self.line as usize, column: self.column as usize };
        (self.line != 0).then_some(place)
    }

    /// Moves the node to `place`.
    pub(super) fn put(&mut self, place: Place) {
        (self.line, self.column) = (number(place.line), number(place.column));
    }

    fn range(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

/// Whatever is counted here is less than the bytes of a text, which is refused beyond 1 GiB.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Where the character of that number of a scalar in quotes is written, in characters from the quote;
/// `None` where that is on another line.
fn in_quotes(written: &str, number: usize) -> Option<usize> {
    let mut written = written.chars();
    let quote = written.next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut column = 1;
    for _ in 0..number {
        let more = match (quote, written.next()?) {
            ('\'', '\'') => 1,
            ('"', '\\') => match written.clone().next()? {
                'x' => 3,
                'u' => 5,
                'U' => 9,
                _ => 1,
            },
            _ => 0,
        };
        column += 1 + more;
        if more > 0 {
            written.nth(more - 1)?;
        }
    }
    written.next().map(|_| column)
}

impl<'t> Document<'t> {
    /// Reads the first document of `text`.
    pub(crate) fn parse(text: &'t str, json: bool) -> Result<Self, SyntaxError> {
        compose(text, json)
    }

    /// A document without content.
    pub(super) fn new(text: &'t str, json: bool) -> Self {
        let (kept, nodes, children) = (String::new(), Vec::new(), Vec::new());
        Self { text, kept, nodes, children, root: None, json, has_more: false }
    }

    /// What is read.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> u32 {
        number(self.nodes.len())
    }

    /// Adds a node.
    pub(super) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.len() - 1)
    }

    /// Fills the list or mapping `id`.
    pub(super) fn close(&mut self, id: NodeId, children: &[NodeId]) {
        let start = number(self.children.len());
        self.children.extend(children);
        let node = self.node_mut(id);
        (node.start, node.len) = (start, number(children.len()));
    }

    /// A scalar that is a part of the text.
    pub(super) fn as_written(&self, words: &'t str) -> Node {
        let start = (words.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let mut node = Node::new(Kind::Plain, start, words.len());
        if self.opening_quote(&node.range()).is_some() {
            node.kind = Kind::Quoted;
        }
        node
    }

    /// A scalar that is no part of the text.
    pub(super) fn kept(&mut self, words: &str, place: Place) -> Node {
        let mut node = Node::new(Kind::Kept, self.kept.len(), words.len());
        self.kept.push_str(words);
        node.put(place);
        node
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// The topmost node; `None` in a text without content.
    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// What `id` holds.
    pub(crate) fn content(&self, id: NodeId) -> Content<'_> {
        let node = self.node(id);
        match node.kind {
            Kind::Plain if self.json => Content::Scalar(Scalar::of_json(self.words(id))),
            Kind::Plain => Content::Scalar(Scalar::of_plain(self.words(id))),
            Kind::Quoted | Kind::Kept => Content::Scalar(Scalar::of_quoted(self.words(id))),
            Kind::Null => Content::Scalar(Scalar::Null),
            Kind::List => Content::List(&self.children[node.range()]),
            Kind::Map => Content::Map(&self.children[node.range()]),
        }
    }

    /// The words of a scalar, such as a key; empty for a list or mapping.
    pub(crate) fn words(&self, id: NodeId) -> &str {
        let node = self.node(id);
        match node.kind {
            Kind::Plain | Kind::Quoted => &self.text[node.range()],
            Kind::Kept => &self.kept[node.range()],
            Kind::Null | Kind::List | Kind::Map => "",
        }
    }

    /// Whether a YAML tag stands before the node. It has no effect, as in Envoy.
    pub(crate) fn is_tagged(&self, id: NodeId) -> bool {
        self.node(id).is_tagged
    }

    /// The bytes of a scalar that is a part of the text, with its quotes.
    pub(super) fn written(&self, id: NodeId) -> Option<Range<usize>> {
        let node = self.node(id);
        if !matches!(node.kind, Kind::Plain | Kind::Quoted) || node.len == 0 {
            return None;
        }
        let range = node.range();
        Some(match self.opening_quote(&range) {
            Some(quote) => quote..range.end + 1,
            None => range,
        })
    }

    /// Where the node begins, and how many characters of that line it takes.
    pub(crate) fn place(&self, id: NodeId, lines: &Lines<'_>) -> (Place, usize) {
        let node = self.node(id);
        if let Some(place) = node.place() {
            return (place, 1);
        }
        let range = node.range();
        let written = match self.opening_quote(&range) {
            Some(quote) => quote..range.end + 1,
            None => range,
        };
        (lines.place(written.start), self.text[written].chars().count())
    }

    /// Where the character of that number, from 0, of a scalar is; `None` where that is written in a way
    /// that lines and characters do not tell.
    pub(crate) fn character(&self, id: NodeId, number: usize, lines: &Lines<'_>) -> Option<Place> {
        let node = self.node(id);
        if matches!(node.kind, Kind::Plain | Kind::Quoted) {
            let words = self.words(id);
            let ends = std::iter::once(words.len());
            let mut starts = words.char_indices().map(|(start, _)| start).chain(ends);
            return Some(lines.place(node.range().start + starts.nth(number)?));
        }
        let Place { line, column } = node.place().filter(|_| node.kind == Kind::Kept)?;
        let written: String = lines.line(line).chars().skip(column - 1).collect();
        Some(Place { line, column: column + in_quotes(&written, number)? })
    }

    /// Where the quote before a part of the text is, if that is in quotes.
    fn opening_quote(&self, range: &Range<usize>) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let quote = *bytes.get(range.end).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let before = range.start.checked_sub(1)?;
        if bytes[before] == quote {
            return Some(before);
        }
        // What follows a plain scalar is no quote, so an escape stands between, as in "\\1".
        let is_escaped = !range.is_empty();
        is_escaped.then(|| self.text[..range.start].rfind(char::from(quote))).flatten()
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }
}

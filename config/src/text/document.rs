//! A text as a tree whose every node knows its place.
//!
//! YAML gives events; this keeps them, 32 bytes a node, so that a finding about any part of a file
//! finds its line and column at once, and so that a scalar is known as it is written. JSON is YAML.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::SyntaxError;
use super::scalar::Scalar;
use crate::place::Place;

/// Nesting beyond which a text is refused; readers of the tree recurse.
const DEPTH_MAX: usize = 128;
/// How often the nodes of a text may be repeated by aliases, all in all.
const REPETITION_MAX: u64 = 100;
/// The same as a number of nodes, for large texts.
const REPEATED_NODES_MAX: u64 = 10_000_000;
/// A key with this tag is for anchors only, as in Envoy.
const IGNORE: &str = "ignore";

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
pub(crate) struct Document {
    words: String,
    nodes: Vec<Node>,
    children: Vec<NodeId>,
    root: Option<NodeId>,
    /// Whether the text is JSON, where a number is never text.
    json: bool,
    /// Whether other documents follow, which Envoy does not read.
    pub(crate) has_more: bool,
}

struct Node {
    kind: Kind,
    tagged: bool,
    /// Into `words` or `children`.
    start: u32,
    len: u32,
    line: u32,
    column: u32,
    /// Characters on the first line.
    width: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    List,
    Map,
}

impl Document {
    /// Reads the first document of `text`.
    pub(crate) fn parse(text: &str, json: bool) -> Result<Self, SyntaxError> {
        let mut builder = Builder::new(json);
        for event in Parser::new_from_str(text) {
            let (event, span) = event?;
            if builder.take(event, span)? {
                break;
            }
        }
        Ok(builder.document)
    }

    /// The topmost node; `None` in a text without content.
    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// What `id` holds.
    pub(crate) fn content(&self, id: NodeId) -> Content<'_> {
        let node = self.node(id);
        match node.kind {
            Kind::Plain if self.json => Content::Scalar(Scalar::of_json(self.words(node))),
            Kind::Plain => Content::Scalar(Scalar::of_plain(self.words(node))),
            Kind::Quoted => Content::Scalar(Scalar::of_quoted(self.words(node))),
            Kind::List => Content::List(self.children(node)),
            Kind::Map => Content::Map(self.children(node)),
        }
    }

    /// The words of a scalar, such as a key; empty for a list or mapping.
    pub(crate) fn text(&self, id: NodeId) -> &str {
        let node = self.node(id);
        if matches!(node.kind, Kind::List | Kind::Map) { "" } else { self.words(node) }
    }

    /// Whether a YAML tag stands before the node. It has no effect, as in Envoy.
    pub(crate) fn is_tagged(&self, id: NodeId) -> bool {
        self.node(id).tagged
    }

    /// Where the node begins, and how many characters of that line it takes.
    pub(crate) fn place(&self, id: NodeId) -> (Place, usize) {
        let node = self.node(id);
        let place = Place { line: node.line as usize, column: node.column as usize };
        (place, node.width as usize)
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn words(&self, node: &Node) -> &str {
        &self.words[node.start as usize..(node.start + node.len) as usize]
    }

    fn children(&self, node: &Node) -> &[NodeId] {
        &self.children[node.start as usize..(node.start + node.len) as usize]
    }
}

/// A node that aliases may stand for.
#[derive(Clone, Copy)]
struct Anchored {
    id: NodeId,
    weight: u64,
    height: usize,
}

/// A list or mapping that is not yet at its end.
struct Open {
    id: NodeId,
    anchor: usize,
    children: Vec<NodeId>,
    /// The nodes it holds, those that aliases repeat counted again.
    weight: u64,
    /// The depth of what it holds.
    height: usize,
    /// Whether the next value belongs to a key for anchors only.
    ignoring: bool,
}

struct Builder {
    document: Document,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
}

impl Builder {
    fn new(json: bool) -> Self {
        let document = Document {
            words: String::new(),
            nodes: Vec::new(),
            children: Vec::new(),
            root: None,
            json,
            has_more: false,
        };
        Self { document, open: Vec::new(), anchors: HashMap::new() }
    }

    /// Takes an event; true after the first document.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, SyntaxError> {
        match event {
            Event::DocumentStart(_) if self.document.root.is_some() => {
                self.document.has_more = true;
                return Ok(true);
            }
            Event::Scalar(text, style, anchor, tag) => {
                // `! 5` is text whatever it looks like.
                let as_text = tag.as_ref().is_some_and(|tag| is_non_specific(tag));
                let quoted = as_text || style != ScalarStyle::Plain;
                let kind = if quoted { Kind::Quoted } else { Kind::Plain };
                let start = self.document.words.len();
                self.document.words.push_str(&text);
                let id = self.node(kind, &span, tag.as_deref(), start, text.len())?;
                self.add(Anchored { id, weight: 1, height: 0 }, anchor, &span, tag.as_deref())?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Kind::List, anchor, &span, tag.as_deref())?;
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Kind::Map, anchor, &span, tag.as_deref())?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span)?,
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor).copied() else {
                    return Err(at(&span, "an alias within what it stands for"));
                };
                self.add(anchored, 0, &span, None)?;
            }
            _ => {}
        }
        Ok(false)
    }

    fn node(
        &mut self,
        kind: Kind,
        span: &Span,
        tag: Option<&Tag>,
        start: usize,
        len: usize,
    ) -> Result<NodeId, SyntaxError> {
        let number = |number: usize| {
            u32::try_from(number).map_err(|_| at(span, "the text is longer than 4 GiB"))
        };
        let width = if span.start.line() == span.end.line() { span.len() } else { 1 };
        let node = Node {
            kind,
            tagged: tag.is_some_and(|tag| !is_non_specific(tag)),
            start: number(start)?,
            len: number(len)?,
            line: number(span.start.line())?,
            column: number(span.start.col() + 1)?,
            width: number(width)?,
        };
        let id = NodeId(number(self.document.nodes.len())?);
        self.document.nodes.push(node);
        Ok(id)
    }

    fn begin(
        &mut self,
        kind: Kind,
        anchor: usize,
        span: &Span,
        tag: Option<&Tag>,
    ) -> Result<(), SyntaxError> {
        if self.open.len() == DEPTH_MAX {
            return Err(at(span, "nested too deeply"));
        }
        if self.expects_key() {
            return Err(at(span, "a key must be text, not a list or mapping"));
        }
        let id = self.node(kind, span, tag, 0, 0)?;
        let children = Vec::new();
        self.open.push(Open { id, anchor, children, weight: 1, height: 1, ignoring: false });
        Ok(())
    }

    fn end(&mut self, span: &Span) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let start = self.document.children.len();
        self.document.children.extend(&open.children);
        let range = (u32::try_from(start), u32::try_from(open.children.len()));
        let (Ok(start), Ok(len)) = range else {
            return Err(at(span, "the text is longer than 4 GiB"));
        };
        let node = &mut self.document.nodes[open.id.0 as usize];
        (node.start, node.len) = (start, len);
        let anchored = Anchored { id: open.id, weight: open.weight, height: open.height };
        self.add(anchored, open.anchor, span, None)
    }

    /// Whether the next node is a key.
    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| {
            let kind = self.document.node(open.id).kind;
            kind == Kind::Map && open.children.len().is_multiple_of(2) && !open.ignoring
        })
    }

    /// Adds a finished node to what is open.
    fn add(
        &mut self,
        anchored: Anchored,
        anchor: usize,
        span: &Span,
        tag: Option<&Tag>,
    ) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.anchors.insert(anchor, anchored);
        }
        let Anchored { id, weight, height } = anchored;
        let is_key = self.expects_key();
        let written = self.document.nodes.len() as u64;
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else {
            self.document.root = Some(id);
            return Ok(());
        };
        if is_key {
            let kind = self.document.nodes[id.0 as usize].kind;
            if matches!(kind, Kind::List | Kind::Map) {
                return Err(at(span, "a key must be text, not a list or mapping"));
            }
            if tag.is_some_and(|tag| tag.handle == "!" && tag.suffix == IGNORE) {
                open.ignoring = true;
                return Ok(());
            }
        } else if open.ignoring {
            open.ignoring = false;
            return Ok(());
        }
        if depth + height > DEPTH_MAX {
            return Err(at(span, "nested too deeply"));
        }
        open.children.push(id);
        open.weight += weight;
        open.height = open.height.max(height + 1);
        let repeated = open.weight.saturating_sub(written);
        if repeated > REPEATED_NODES_MAX || repeated / REPETITION_MAX > written {
            return Err(at(span, "aliases (`*name`) repeat too much of the file"));
        }
        Ok(())
    }
}

fn is_non_specific(tag: &Tag) -> bool {
    (tag.handle.as_str(), tag.suffix.as_str()) == ("", "!")
        || (tag.handle.as_str(), tag.suffix.as_str()) == ("!", "")
}

fn at(span: &Span, message: &str) -> SyntaxError {
    let place = Place { line: span.start.line(), column: span.start.col() + 1 };
    SyntaxError { place, message: message.to_owned() }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        let at = error.marker();
        let place = Place { line: at.line(), column: at.col() + 1 };
        Self { place, message: error.info().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, String> {
        Document::parse(text, false).map_err(|error| error.message)
    }

    /// The tree without places, in one line.
    fn shown(document: &Document, id: NodeId) -> String {
        match document.content(id) {
            Content::Scalar(_) => document.text(id).to_owned(),
            Content::List(items) => {
                let items: Vec<_> = items.iter().map(|item| shown(document, *item)).collect();
                format!("[{}]", items.join(" "))
            }
            Content::Map(entries) => {
                let entries: Vec<_> = entries
                    .chunks_exact(2)
                    .map(|entry| {
                        format!("{}={}", document.text(entry[0]), shown(document, entry[1]))
                    })
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    fn tree(text: &str) -> String {
        let document = parse(text).unwrap();
        document.root().map(|root| shown(&document, root)).unwrap_or_default()
    }

    #[test]
    fn a_tree_is_what_is_written() {
        assert_eq!(tree("a: [1, {b: c}]\nd: |\n  e\n"), "{a=[1 {b=c}] d=e\n}");
        assert_eq!(tree("{\"a\": \"b\\u0041\"}"), "{a=bA}");
        assert_eq!(tree("# nothing"), "");
    }

    #[test]
    fn an_alias_stands_for_its_anchor() {
        assert_eq!(tree("a: &x {b: 1}\nc: [*x, *x]"), "{a={b=1} c=[{b=1} {b=1}]}");
        assert_eq!(parse("a: &x [*x]").err().unwrap(), "an alias within what it stands for");
    }

    #[test]
    fn a_key_may_be_for_anchors_only() {
        assert_eq!(tree("!ignore x: {y: &y 5}\na: *y\n!ignore z: 1"), "{a=5}");
    }

    #[test]
    fn only_the_first_document_counts() {
        let document = parse("a: 1\n---\nb: [").unwrap();
        assert!(document.has_more);
        assert_eq!(shown(&document, document.root().unwrap()), "{a=1}");
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
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(parse(&nested(DEPTH_MAX + 1)).err().unwrap(), "nested too deeply");
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
        assert_eq!(parse(&deep).err().unwrap(), "nested too deeply");
    }
}

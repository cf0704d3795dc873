use super::*;
use crate::text::document::Content;

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
                .map(|entry| format!("{}={}", document.words(entry[0]), shown(document, entry[1])))
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
    assert_eq!(tree("a: 0x10\nb: 1.50\nc: ~\nd: 'yes'\ne: 0b1"), "{a=0x10 b=1.50 c=~ d=yes e=0b1}");
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
    for root in ["--- &x {a: *x}", "\n&x {a: b, c: *x}", "--- &x [{a: *x}]", "--- &x\na:\n- *x"] {
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

/// The tree with the places of all that is in it.
fn placed(document: &Document<'_>, id: NodeId, lines: &Lines<'_>, out: &mut String) {
    let (Place { line, column }, _) = document.place(id, lines);
    *out += &format!("{line}:{column} {:?}\n", document.words(id));
    if let Content::List(nodes) | Content::Map(nodes) = document.content(id) {
        nodes.iter().for_each(|node| placed(document, *node, lines, out));
        *out += "end\n";
    }
}

#[test]
fn what_is_seen_ahead_is_what_would_be_read() {
    let all = |text: &str, looks_ahead| {
        let document = compose_with(text, false, looks_ahead).map_err(|error| error.message)?;
        let mut out = String::new();
        if let Some(root) = document.root {
            placed(&document, root, &Lines::new(text), &mut out);
        }
        Ok::<_, String>(out)
    };
    for text in [
        include_str!("../../../tests/loading/front_proxy.yaml"),
        "a:\n- b\n- c: 1\n  d:\n    e: {f: [g, {h: i}], \"j\": []}\n-\n  k: l\n- - m\n  - n: o\n",
        "a: # x: y\n  # - z\n  b: {c: d} # {\n  e: [f, [g]] # ]\nh:\n\n  - i # : {\n",
        "- a:\n- b:\n- c: {}\n- []\n- {d: {}, e: [{}, {f: g}]}\n",
        "a: &x {b: c}\nd: *x\n&y e: {f: g}\nh: {i: j}\n",
        "&k a: {b: 1}\n*k : {c: 2}\n",
        "a: \"b\\n\"\nc: {d: e}\nf: |\n  g: {h}\ni: {j: k}\n",
        "a: 'b: {c'\nd: x{y\ne:\n  f:g\nh: !t {i: j}\n",
        "a:\n  b: c\n  d\n",
        "{\"a\":{\"b\": {\"c\": [{\"d\": 1}, {\"e\":[2]}]}}}",
    ] {
        assert_eq!(all(text, true), all(text, false), "{text}");
    }
}

#[test]
fn what_was_taken_for_something_else_is_read_again() {
    let text = "a:\n  b:\n    c: d\n  ? e\n  : f\n";
    assert_eq!(tree(text), "{a={b={c=d} e=f}}");
    assert_eq!(tree("a: >\n  b: c\nd: {e: f}"), "{a=b: c\n d={e=f}}");
}

//! A radix tree over byte strings: finds every key that is a prefix of a text in one walk.

use smallvec::SmallVec;

/// Keys with values. The walk costs the length of the text, however many keys there are.
#[derive(Debug)]
pub struct RadixTree<V> {
    nodes: Vec<Node<V>>,
}

#[derive(Debug)]
struct Node<V> {
    /// The bytes between the parent and this node.
    label: Box<[u8]>,
    /// Children by the first byte of their label, sorted by it.
    children: Vec<(u8, u32)>,
    values: SmallVec<[V; 1]>,
}

const ROOT: usize = 0;

impl<V> Default for RadixTree<V> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(&[])] }
    }
}

impl<V> Node<V> {
    fn new(label: &[u8]) -> Self {
        Self { label: label.into(), children: Vec::new(), values: SmallVec::new() }
    }

    fn child(&self, first: u8) -> Option<usize> {
        let at = self.children.binary_search_by_key(&first, |(byte, _)| *byte).ok()?;
        Some(self.children[at].1 as usize)
    }
}

impl<V> RadixTree<V> {
    /// Adds `value` under `key`; a key may hold several.
    pub fn insert(&mut self, key: &[u8], value: V) {
        let mut at = ROOT;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            at = match self.nodes[at].child(first) {
                Some(child) => {
                    let shared = shared_prefix(&self.nodes[child].label, rest);
                    if shared < self.nodes[child].label.len() {
                        self.split(child, shared);
                    }
                    rest = &rest[shared..];
                    child
                }
                None => {
                    let leaf = self.add_child(at, rest);
                    rest = &[];
                    leaf
                }
            };
        }
        self.nodes[at].values.push(value);
    }

    fn add_child(&mut self, parent: usize, label: &[u8]) -> usize {
        let child = self.nodes.len();
        self.nodes.push(Node::new(label));
        let children = &mut self.nodes[parent].children;
        let at = children.partition_point(|(byte, _)| *byte < label[0]);
        children.insert(at, (label[0], u32::try_from(child).expect("fewer than 4 billion keys")));
        child
    }

    /// Cuts a node in two: its first `at` label bytes stay, the rest moves to a child.
    fn split(&mut self, node: usize, at: usize) {
        let upper = Node::new(&self.nodes[node].label[..at]);
        let mut lower = std::mem::replace(&mut self.nodes[node], upper);
        lower.label = lower.label[at..].into();
        let first = lower.label[0];
        let lower_index = self.nodes.len();
        self.nodes.push(lower);
        let lower_index = u32::try_from(lower_index).expect("fewer than 4 billion keys");
        self.nodes[node].children.push((first, lower_index));
    }

    /// Calls `found` with the length and the values of every key that `text` starts with, the
    /// shortest first.
    pub fn prefixes_of<'t>(
        &'t self,
        text: impl IntoIterator<Item = u8>,
        mut found: impl FnMut(usize, &'t [V]),
    ) {
        let mut text = text.into_iter();
        let mut at = ROOT;
        let mut length = 0;
        loop {
            let node = &self.nodes[at];
            if !node.values.is_empty() {
                found(length, &node.values);
            }
            let Some(first) = text.next() else { return };
            let Some(child) = node.child(first) else { return };
            let label = &self.nodes[child].label;
            if !label[1..].iter().all(|byte| text.next() == Some(*byte)) {
                return;
            }
            length += label.len();
            at = child;
        }
    }
}

fn shared_prefix(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(tree: &RadixTree<&'static str>, text: &str) -> Vec<(usize, &'static str)> {
        let mut all = Vec::new();
        tree.prefixes_of(text.bytes(), |length, values| {
            all.extend(values.iter().map(|value| (length, *value)));
        });
        all
    }

    #[test]
    fn yields_every_prefix_shortest_first() {
        let mut tree = RadixTree::default();
        for key in ["/", "/api/v1", "/api", "/apple", "/api/v1/users", "/api"] {
            tree.insert(key.as_bytes(), key);
        }
        assert_eq!(
            prefixes(&tree, "/api/v1/x"),
            [(1, "/"), (4, "/api"), (4, "/api"), (7, "/api/v1")]
        );
        assert_eq!(prefixes(&tree, "/app"), [(1, "/")]);
        assert_eq!(prefixes(&tree, ""), []);
    }

    #[test]
    fn the_empty_key_is_a_prefix_of_everything() {
        let mut tree = RadixTree::default();
        tree.insert(b"", "empty");
        assert_eq!(prefixes(&tree, ""), [(0, "empty")]);
        assert_eq!(prefixes(&tree, "x"), [(0, "empty")]);
    }

    /// The tree against a plain scan, over many small keys that share prefixes.
    #[test]
    fn agrees_with_a_scan_of_the_keys() {
        let mut state = 7_u32;
        let mut word = || {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            let length = (state >> 16) % 7;
            (0..length)
                .map(|at| char::from(b'a' + u8::try_from((state >> (at * 3)) & 1).expect("a bit")))
                .collect::<String>()
        };
        let keys: Vec<String> = (0..60).map(|_| word()).collect();
        let mut tree = RadixTree::default();
        for (index, key) in keys.iter().enumerate() {
            tree.insert(key.as_bytes(), index);
        }
        for _ in 0..500 {
            let text = word();
            let mut found = Vec::new();
            tree.prefixes_of(text.bytes(), |_, values| found.extend_from_slice(values));
            found.sort_unstable();
            let scanned: Vec<usize> =
                (0..keys.len()).filter(|&index| text.starts_with(&keys[index])).collect();
            assert_eq!(found, scanned, "text {text:?}");
        }
    }
}

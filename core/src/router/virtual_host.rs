//! Finding the virtual host of an authority: exact, then longest suffix, then longest prefix,
//! then `*`.

use std::collections::HashMap;

use ringmain_config::route as config;
use ringmain_config::route::Domain;
use smallvec::SmallVec;

use super::radix_tree::RadixTree;
use super::route_match::RouteMatcher;

/// A virtual host and its routes.
#[derive(Debug)]
pub struct CompiledVirtualHost {
    /// As written.
    pub config: config::VirtualHost,
    /// Finds the route of a path.
    pub matcher: RouteMatcher,
}

/// The domains of a route configuration.
#[derive(Debug, Default)]
pub struct DomainTrie {
    exact: HashMap<Box<[u8]>, u32>,
    /// Keys are reversed, so that a suffix is a prefix.
    suffixes: RadixTree<u32>,
    prefixes: RadixTree<u32>,
    any: Option<u32>,
}

impl DomainTrie {
    /// Compiles the domains of `virtual_hosts`; they are lower case and unique.
    pub fn new(virtual_hosts: &[config::VirtualHost]) -> Self {
        let mut trie = Self::default();
        for (index, virtual_host) in virtual_hosts.iter().enumerate() {
            let index = u32::try_from(index).expect("fewer than 4 billion virtual hosts");
            for domain in &virtual_host.domains {
                trie.insert(domain, index);
            }
        }
        trie
    }

    fn insert(&mut self, domain: &Domain, index: u32) {
        match domain {
            Domain::Exact(name) => {
                self.exact.insert(name.as_bytes().into(), index);
            }
            Domain::Suffix(suffix) => {
                let reversed: Vec<u8> = suffix.bytes().rev().collect();
                self.suffixes.insert(&reversed, index);
            }
            Domain::Prefix(prefix) => self.prefixes.insert(prefix.as_bytes(), index),
            Domain::Any => self.any = Some(index),
        }
    }

    /// The index of the virtual host that serves `authority`, in any letter case.
    pub fn find(&self, authority: &[u8]) -> Option<u32> {
        let lower: SmallVec<[u8; 128]> =
            authority.iter().map(|byte| byte.to_ascii_lowercase()).collect();
        let authority = lower.as_slice();
        self.exact
            .get(authority)
            .copied()
            .or_else(|| longest(&self.suffixes, authority.iter().rev().copied(), authority.len()))
            .or_else(|| longest(&self.prefixes, authority.iter().copied(), authority.len()))
            .or(self.any)
    }
}

/// Which of `domains`, those of one virtual host, serves `authority`.
pub fn serving_domain<'d>(domains: &'d [Domain], authority: &[u8]) -> Option<&'d Domain> {
    let mut trie = DomainTrie::default();
    for (index, domain) in (0..).zip(domains) {
        trie.insert(domain, index);
    }
    trie.find(authority).map(|index| &domains[index as usize])
}

/// The longest key that `text` starts with and that leaves at least one byte to the wildcard.
fn longest(
    tree: &RadixTree<u32>,
    text: impl Iterator<Item = u8>,
    text_length: usize,
) -> Option<u32> {
    let mut found = None;
    tree.prefixes_of(text, |length, values| {
        if length < text_length {
            found = values.first().copied();
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(domains: &[Domain]) -> DomainTrie {
        let mut trie = DomainTrie::default();
        for (index, domain) in domains.iter().enumerate() {
            trie.insert(domain, u32::try_from(index).expect("few"));
        }
        trie
    }

    #[test]
    fn exact_beats_suffix_beats_prefix_beats_any() {
        let trie = trie(&[
            Domain::Any,
            Domain::Prefix("www.".into()),
            Domain::Suffix(".foo.com".into()),
            Domain::Exact("www.foo.com".into()),
        ]);
        assert_eq!(trie.find(b"WWW.foo.COM"), Some(3));
        assert_eq!(trie.find(b"www2.foo.com"), Some(2));
        assert_eq!(trie.find(b"www.bar.com"), Some(1));
        assert_eq!(trie.find(b"bar"), Some(0));
    }

    #[test]
    fn the_longest_wildcard_wins_and_covers_a_byte() {
        let trie = trie(&[
            Domain::Suffix(".foo.com".into()),
            Domain::Suffix(".a.foo.com".into()),
            Domain::Suffix("-bar.foo.com".into()),
        ]);
        assert_eq!(trie.find(b"x.a.foo.com"), Some(1));
        assert_eq!(trie.find(b"x-bar.foo.com"), Some(2));
        assert_eq!(trie.find(b"b.foo.com"), Some(0));
        assert_eq!(trie.find(b".a.foo.com"), Some(0));
        assert_eq!(trie.find(b".foo.com"), None);
        assert_eq!(trie.find(b"foo.com"), None);
    }

    #[test]
    fn the_port_is_part_of_the_authority() {
        let trie = trie(&[Domain::Exact("www.foo.com".into())]);
        assert_eq!(trie.find(b"www.foo.com:8080"), None);
    }
}

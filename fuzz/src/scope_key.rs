//! Scope keys: the index of scopes finds what a plain reading of the header finds.
//!
//! The first byte chooses the separators, the second the fragments, and the rest is the header's value. Scopes are made
//! of the value's own words, so that many are hit.

use ringmain::router::Routes;
use ringmain_config::http_connection_manager::RouteSpecifier;
use ringmain_config::route::{Extract, HeaderValueExtractor, RouteScope, ScopedRoutes};
use ringmain_proto_codec::HeaderMap;

use crate::route_match::configuration;

const SEPARATORS: [&str; 4] = [",", ";", "::", ""];
const WORDS_MAX: usize = 20;

/// Checks `bytes`.
pub fn check(bytes: &[u8]) {
    let [choice, shape, value @ ..] = bytes else { return };
    let Ok(value) = std::str::from_utf8(value) else { return };
    if value.contains(['\r', '\n', '\0']) {
        return;
    }
    let separators = (
        SEPARATORS[usize::from(choice % 4)],
        // A separator of key and value is never empty.
        SEPARATORS[usize::from(choice / 4 % 3)],
    );
    let words = words(value);
    let fragments = fragments(*shape, separators, &words);
    let scopes = scopes(&words, fragments.len());
    let keys: Vec<Vec<String>> = scopes.iter().map(|scope| scope.key.clone()).collect();
    let scoped = ScopedRoutes { fragments: fragments.clone(), scopes };
    let routes = Routes::new(RouteSpecifier::ScopedRoutes(Box::new(scoped)));
    let mut headers = HeaderMap::new();
    headers.append(b"x", value.as_bytes());
    let expected = scan(&keys, &fragments, value);
    assert_eq!(routes.table_for(&headers), expected, "{fragments:?} {value:?}");
    assert_eq!(routes.table_for(&HeaderMap::new()), None);
}

/// What may be part of a key: the pieces between any of the separators, each once.
fn words(value: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![value.to_owned()];
    for word in [""].into_iter().chain(value.split([',', ';', ':', '='])) {
        if words.len() < WORDS_MAX && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// One fragment or two: by place or by key.
fn fragments(shape: u8, separators: (&str, &str), words: &[String]) -> Vec<HeaderValueExtractor> {
    let one = |bits: u8| HeaderValueExtractor {
        name: "x".to_owned(),
        element_separator: separators.0.to_owned(),
        extract: match bits & 1 {
            0 => Extract::Index(usize::from(bits >> 1 & 3)),
            _ => Extract::Element {
                key: words[usize::from(bits >> 1) % words.len()].clone(),
                separator: separators.1.to_owned(),
            },
        },
    };
    match shape & 0x80 {
        0 => vec![one(shape & 0x7f)],
        _ => vec![one(shape & 7), one(shape >> 3 & 0xf)],
    }
}

/// A scope of every word, or of every pair.
fn scopes(words: &[String], fragments: usize) -> Vec<RouteScope> {
    let keys: Vec<Vec<String>> = match fragments {
        1 => words.iter().map(|word| vec![word.clone()]).collect(),
        _ => words
            .iter()
            .flat_map(|first| words.iter().map(|second| vec![first.clone(), second.clone()]))
            .collect(),
    };
    let scope = |key| RouteScope {
        name: String::new(),
        key,
        route_configuration: configuration(Vec::new()),
    };
    keys.into_iter().map(scope).collect()
}

/// The place of the scope whose key the header has, by Envoy's words for it.
fn scan(keys: &[Vec<String>], fragments: &[HeaderValueExtractor], value: &str) -> Option<u32> {
    let parts = fragments.iter().map(|fragment| part(fragment, value));
    let key: Vec<String> = parts.collect::<Option<_>>()?;
    keys.iter().position(|known| *known == key).and_then(|at| u32::try_from(at).ok())
}

fn part(fragment: &HeaderValueExtractor, value: &str) -> Option<String> {
    let elements: Vec<&str> = match &fragment.element_separator[..] {
        "" => vec![value],
        separator => value.split(separator).collect(),
    };
    match &fragment.extract {
        Extract::Index(index) => elements.get(*index).map(|element| (*element).to_owned()),
        Extract::Element { key, separator } => elements.iter().find_map(|element| {
            let (name, value) = element.split_once(&separator[..]).unwrap_or((element, ""));
            (name == key).then(|| value.to_owned())
        }),
    }
}

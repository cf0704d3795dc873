//! The route configuration that a request uses: the only one, or the one of its scope.

use std::collections::HashMap;

use ringmain_config::http_connection_manager::RouteSpecifier;
use ringmain_config::route::{
    ClusterWeight, Extract, HeaderValueExtractor, Route, RouteConfiguration,
};
use ringmain_proto_codec::HeaderMap;
use smallvec::SmallVec;

use super::route_match::RouteRequest;
use super::route_table::{Found, RouteRef, RouteTable};
use super::virtual_host::CompiledVirtualHost;

/// The route configurations of a connection manager.
#[derive(Debug)]
pub struct Routes {
    tables: Vec<RouteTable>,
    scopes: Option<Scopes>,
}

/// Tables by scope.
#[derive(Debug)]
struct Scopes {
    fragments: Vec<HeaderValueExtractor>,
    tables: HashMap<Box<[u8]>, u32>,
}

/// Parts of keys are put one behind the other, each with its length.
type Key = SmallVec<[u8; 128]>;

impl Routes {
    /// Compiles what a connection manager has.
    pub fn new(specifier: RouteSpecifier) -> Self {
        match specifier {
            RouteSpecifier::RouteConfig(config) => {
                Self { tables: vec![RouteTable::new(*config)], scopes: None }
            }
            RouteSpecifier::ScopedRoutes(scoped) => {
                let mut keys = HashMap::new();
                let mut tables = Vec::with_capacity(scoped.scopes.len());
                for (index, scope) in scoped.scopes.into_iter().enumerate() {
                    let mut key = Key::new();
                    scope.key.iter().for_each(|part| add_part(part.as_bytes(), &mut key));
                    let index = u32::try_from(index).expect("fewer than 4 billion scopes");
                    keys.insert(key.as_slice().into(), index);
                    tables.push(RouteTable::new(scope.route_configuration));
                }
                let scopes = Scopes { fragments: scoped.fragments, tables: keys };
                Self { tables, scopes: Some(scopes) }
            }
        }
    }

    /// What takes `request`.
    pub fn find(&self, request: &RouteRequest<'_>) -> Found {
        match self.table_for(request.headers) {
            Some(table) => self.tables[table as usize].find(table, request),
            None => Found::Nothing,
        }
    }

    /// Which of the tables a request of `headers` uses; none where its scope is unknown.
    pub fn table_for(&self, headers: &HeaderMap) -> Option<u32> {
        match &self.scopes {
            None => Some(0),
            Some(scopes) => scopes.find(headers),
        }
    }

    /// All route configurations.
    pub fn tables(&self) -> &[RouteTable] {
        &self.tables
    }

    /// The table of a route.
    pub fn table(&self, route: RouteRef) -> &RouteTable {
        &self.tables[route.table as usize]
    }

    /// The route configuration of a route, without its virtual hosts.
    pub fn config(&self, route: RouteRef) -> &RouteConfiguration {
        &self.table(route).config
    }

    /// The virtual host of a route.
    pub fn virtual_host(&self, route: RouteRef) -> &CompiledVirtualHost {
        self.table(route).virtual_host(route)
    }

    /// The route itself.
    pub fn route(&self, route: RouteRef) -> &Route {
        self.table(route).route(route)
    }

    /// The entry `at` of the route's `weighted_clusters`.
    pub fn weighted(&self, route: RouteRef, at: u32) -> Option<&ClusterWeight> {
        self.table(route).weighted(route, at)
    }
}

impl Scopes {
    fn find(&self, headers: &HeaderMap) -> Option<u32> {
        let mut key = Key::new();
        for fragment in &self.fragments {
            let value = headers.get_by_name(fragment.name.as_bytes())?;
            add_part(extract(fragment, value)?, &mut key);
        }
        self.tables.get(key.as_slice()).copied()
    }
}

fn add_part(part: &[u8], key: &mut Key) {
    key.extend_from_slice(&part.len().to_le_bytes());
    key.extend_from_slice(part);
}

/// The part of a key that a header's `value` has.
fn extract<'v>(fragment: &HeaderValueExtractor, value: &'v [u8]) -> Option<&'v [u8]> {
    let mut elements =
        Elements { rest: Some(value), separator: fragment.element_separator.as_bytes() };
    match &fragment.extract {
        Extract::Index(index) => elements.nth(*index),
        Extract::Element { key, separator } => elements.find_map(|element| {
            let (name, value) = split_once(element, separator.as_bytes());
            (name == key.as_bytes()).then_some(value)
        }),
    }
}

/// The parts of a text between separators; all of it where there is no separator.
struct Elements<'v, 's> {
    rest: Option<&'v [u8]>,
    separator: &'s [u8],
}

impl<'v> Iterator for Elements<'v, '_> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        let rest = self.rest?;
        let at = memchr::memmem::find(rest, self.separator).filter(|_| !self.separator.is_empty());
        self.rest = at.map(|at| &rest[at + self.separator.len()..]);
        Some(&rest[..at.unwrap_or(rest.len())])
    }
}

fn split_once<'v>(text: &'v [u8], separator: &[u8]) -> (&'v [u8], &'v [u8]) {
    match memchr::memmem::find(text, separator) {
        Some(at) => (&text[..at], &text[at + separator.len()..]),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(element_separator: &str, extract: Extract) -> HeaderValueExtractor {
        HeaderValueExtractor {
            name: "x".into(),
            element_separator: element_separator.into(),
            extract,
        }
    }

    fn ask<'v>(fragment: &HeaderValueExtractor, value: &'v str) -> Option<&'v str> {
        super::extract(fragment, value.as_bytes()).map(|part| std::str::from_utf8(part).unwrap())
    }

    #[test]
    fn an_element_is_told_by_its_place() {
        assert_eq!(ask(&fragment("", Extract::Index(0)), "a,b"), Some("a,b"));
        assert_eq!(ask(&fragment(",", Extract::Index(1)), "a,b,c"), Some("b"));
        assert_eq!(ask(&fragment(",", Extract::Index(1)), "a"), None);
        assert_eq!(ask(&fragment("::", Extract::Index(2)), "a::b::"), Some(""));
    }

    #[test]
    fn an_element_is_told_by_its_key() {
        let tenant = Extract::Element { key: "tenant".into(), separator: "=".into() };
        let tenant = fragment(";", tenant);
        assert_eq!(ask(&tenant, "x=1;tenant=acme"), Some("acme"));
        assert_eq!(ask(&tenant, "tenant=a;tenant=b"), Some("a"));
        assert_eq!(ask(&tenant, "tenant=a=b"), Some("a=b"));
        assert_eq!(ask(&tenant, "tenant"), Some(""));
        assert_eq!(ask(&tenant, " tenant=a"), None);
    }

    #[test]
    fn parts_of_keys_do_not_run_together() {
        let key = |parts: &[&str]| {
            let mut key = Key::new();
            parts.iter().for_each(|part| add_part(part.as_bytes(), &mut key));
            key
        };
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
    }
}

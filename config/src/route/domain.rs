//! The domains of virtual hosts.

use std::collections::HashMap;

use super::Scope;
use crate::report::{At, Note};

/// One entry of `domains`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `www.foo.com`.
    Exact(String),
    /// `*.foo.com`, `*-bar.foo.com`: holds what follows the `*`.
    Suffix(String),
    /// `foo.*`, `foo-*`: holds what precedes the `*`.
    Prefix(String),
    /// `*`.
    Any,
}

impl Domain {
    /// Domains in lower case of the virtual host at `host`, none of which may be among `others`, those of
    /// the virtual hosts before it.
    pub(super) fn list_from_wire(
        wire: &[String],
        host: usize,
        others: &mut HashMap<String, usize>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("domains");
        let mut domains = Vec::with_capacity(wire.len());
        for (index, domain) in wire.iter().enumerate() {
            let domain = domain.to_ascii_lowercase();
            domains.push(Self::new(&domain));
            if let Some(first) = others.get(&domain) {
                let note = Note::from(match domain.as_str() {
                    "*" => "only one virtual host may have the domain '*'".to_owned(),
                    _ => format!("duplicate domain '{domain}'"),
                });
                at.index(index).error(match *first == host {
                    true => note.help("remove one of the two"),
                    false => note.help(format!(
                        "virtual_hosts[{first}] has it; remove it here or there, or put the routes of both \
                         into one"
                    )),
                });
            }
            if let Some((field, what, without)) = scope.taken.from(&domain) {
                let note =
                    format!("'{domain}' is never matched: '{field}' takes {what} away first");
                at.index(index).warn(Note::from(note).help(format!("write '{without}'")));
            }
            others.entry(domain).or_insert(host);
        }
        domains
    }

    /// A domain by where its `*` is; anywhere else than at an end it is a letter like others.
    pub(super) fn new(domain: &str) -> Self {
        if domain == "*" {
            Self::Any
        } else if let Some(rest) = domain.strip_prefix('*') {
            Self::Suffix(rest.to_owned())
        } else if let Some(rest) = domain.strip_suffix('*') {
            Self::Prefix(rest.to_owned())
        } else {
            Self::Exact(domain.to_owned())
        }
    }
}

/// What is taken from hosts before virtual hosts are found by them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TakenFromHosts {
    /// `ignore_port_in_host_matching` of the route configuration.
    pub(crate) ignored_port: bool,
    /// `strip_any_host_port` of the connection manager.
    pub(crate) any_port: bool,
    /// `strip_trailing_host_dot` of the connection manager.
    pub(crate) trailing_dot: bool,
}

impl TakenFromHosts {
    /// What of `domain` no host has then: the field that says so, the part, and what is left.
    fn from(self, domain: &str) -> Option<(&'static str, &'static str, &str)> {
        let without_port = without_port(domain);
        match (without_port, domain.strip_suffix('.')) {
            (Some(rest), _) if self.ignored_port => {
                Some(("ignore_port_in_host_matching", "the port", rest))
            }
            (Some(rest), _) if self.any_port => Some(("strip_any_host_port", "the port", rest)),
            (_, Some(rest)) if self.trailing_dot => {
                Some(("strip_trailing_host_dot", "the dot", rest))
            }
            _ => None,
        }
    }
}

fn without_port(domain: &str) -> Option<&str> {
    let (host, port) = domain.rsplit_once(':')?;
    port.parse::<u16>().is_ok().then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_by_where_their_star_is() {
        assert_eq!(Domain::new("a.b"), Domain::Exact("a.b".into()));
        assert_eq!(Domain::new("*.a.b"), Domain::Suffix(".a.b".into()));
        assert_eq!(Domain::new("a.*"), Domain::Prefix("a.".into()));
        assert_eq!(Domain::new("a*b"), Domain::Exact("a*b".into()));
        assert_eq!(Domain::new("*"), Domain::Any);
    }
}

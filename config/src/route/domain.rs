//! The domains of virtual hosts.

use std::collections::HashSet;

use super::Scope;
use crate::report::At;

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
    /// Domains in lower case, none of which may be among `others`, those of other virtual hosts.
    pub(super) fn list_from_wire(
        wire: &[String],
        others: &mut HashSet<String>,
        scope: &Scope<'_>,
        at: &At<'_>,
    ) -> Vec<Self> {
        let at = at.field("domains");
        let mut domains = Vec::with_capacity(wire.len());
        for (index, domain) in wire.iter().enumerate() {
            let domain = domain.to_ascii_lowercase();
            domains.push(Self::new(&domain));
            if others.contains(&domain) {
                at.index(index).error(match domain.as_str() {
                    "*" => "only one virtual host may have the domain '*'".to_owned(),
                    _ => format!("duplicate domain '{domain}'"),
                });
            }
            if scope.ignores_ports && has_port(&domain) {
                at.index(index).warn(format!(
                    "'{domain}' is never matched: 'ignore_port_in_host_matching' takes the port away first"
                ));
            }
            others.insert(domain);
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

fn has_port(domain: &str) -> bool {
    domain.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
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

//! What permissions and principals come to: conditions that a subject fulfils or not.

use std::net::IpAddr;
use std::ops::Range;

use ringmain_config::address::CidrRange;
use ringmain_config::matcher::{FilterStateMatcher, HeaderMatcher, MetadataMatcher, StringMatcher};
use ringmain_config::rbac::{MetadataSource, Permission, Principal};
use ringmain_proto_codec::KnownHeader;

use super::{CidrSet, Subject};
use crate::http::header_matching::CompiledHeaderMatcher;
use crate::router::path_of;
use crate::transport_socket::tls::TlsInfo;

/// A condition.
#[derive(Debug)]
pub enum Rule {
    /// Holds for everybody, or for nobody.
    Constant(bool),
    /// Holds where all do.
    All(Box<[Rule]>),
    /// Holds where one does.
    Any(Box<[Rule]>),
    /// Holds where it does not.
    Not(Box<Rule>),
    /// An address lies in one of the ranges.
    Address(Address, CidrSet),
    /// Our port lies in the range.
    Port(Range<u32>),
    /// A header is as wanted.
    Header(CompiledHeaderMatcher),
    /// The path without query and fragment is as wanted.
    Path(StringMatcher),
    /// What the client named in TLS is as wanted.
    ServerName(StringMatcher),
    /// The connection has TLS, and the client's certificate a name as wanted.
    Authenticated(Option<StringMatcher>),
    /// An object of the stream is as wanted.
    Object(FilterStateMatcher),
    /// Metadata are as wanted.
    Metadata(MetadataMatcher, MetadataSource),
}

/// Whose address is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// [`Subject::local`].
    Local,
    /// [`Subject::direct_remote`].
    DirectRemote,
    /// [`Subject::remote`].
    Remote,
}

/// A condition that is not compiled yet: ranges of addresses wait for others to be joined with.
pub enum Draft {
    /// An address lies in the range.
    Range(Address, CidrRange),
    /// Any other condition.
    Rule(Rule),
}

impl Rule {
    /// One of `drafts` has to hold. All ranges of the same address become one set.
    pub fn any_of(drafts: impl Iterator<Item = Draft>) -> Self {
        let mut rules = Vec::new();
        let mut ranges: Vec<(Address, Vec<CidrRange>)> = Vec::new();
        for draft in drafts {
            match draft {
                Draft::Rule(rule) => rules.push(rule),
                Draft::Range(address, range) => {
                    match ranges.iter_mut().find(|(other, _)| *other == address) {
                        Some((_, list)) => list.push(range),
                        None => ranges.push((address, vec![range])),
                    }
                }
            }
        }
        let sets = ranges.into_iter();
        rules.extend(sets.map(|(address, list)| Self::Address(address, CidrSet::new(list))));
        if rules.iter().any(|rule| matches!(rule, Self::Constant(true))) {
            return Self::Constant(true);
        }
        Self::Any(rules.into())
    }

    /// What `permission` asks for.
    pub fn of_permission(permission: &Permission) -> Draft {
        Draft::Rule(match permission {
            Permission::DestinationIp(range) => return Draft::Range(Address::Local, *range),
            Permission::Any => Self::Constant(true),
            Permission::And(all) => Self::all(all, Self::of_permission),
            Permission::Or(any) => Self::any_of(any.iter().map(Self::of_permission)),
            Permission::Not(inner) => Self::not(Self::of_permission(inner)),
            Permission::Header(header) => Self::header(header),
            Permission::UrlPath(path) => Self::Path(path.clone()),
            Permission::DestinationPort(port) => Self::Port((*port).into()..u32::from(*port) + 1),
            Permission::DestinationPortRange(ports) => Self::Port(ports.clone()),
            Permission::RequestedServerName(name) => Self::ServerName(name.clone()),
            Permission::Metadata(matcher, source) => Self::Metadata(matcher.clone(), *source),
        })
    }

    /// What `principal` asks for.
    pub fn of_principal(principal: &Principal) -> Draft {
        Draft::Rule(match principal {
            Principal::DirectRemoteIp(range) | Principal::SourceIp(range) => {
                return Draft::Range(Address::DirectRemote, *range);
            }
            Principal::RemoteIp(range) => return Draft::Range(Address::Remote, *range),
            Principal::Any => Self::Constant(true),
            Principal::And(all) => Self::all(all, Self::of_principal),
            Principal::Or(any) => Self::any_of(any.iter().map(Self::of_principal)),
            Principal::Not(inner) => Self::not(Self::of_principal(inner)),
            Principal::Authenticated(name) => Self::Authenticated(name.clone()),
            Principal::Header(header) => Self::header(header),
            Principal::UrlPath(path) => Self::Path(path.clone()),
            Principal::FilterState(matcher) => Self::Object(matcher.clone()),
            Principal::Metadata(matcher, source) => Self::Metadata(matcher.clone(), *source),
        })
    }

    fn all<T>(parts: &[T], compile: impl Fn(&T) -> Draft) -> Self {
        Self::All(parts.iter().map(|part| Self::alone(compile(part))).collect())
    }

    fn not(inner: Draft) -> Self {
        Self::Not(Box::new(Self::alone(inner)))
    }

    fn alone(draft: Draft) -> Self {
        match draft {
            Draft::Rule(rule) => rule,
            Draft::Range(address, range) => Self::Address(address, CidrSet::new([range])),
        }
    }

    fn header(matcher: &HeaderMatcher) -> Self {
        Self::Header(CompiledHeaderMatcher::new(matcher.clone()))
    }

    /// Whether `subject` fulfils the condition.
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Constant(holds) => *holds,
            Self::All(rules) => rules.iter().all(|rule| rule.holds(subject)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(subject)),
            Self::Not(rule) => !rule.holds(subject),
            Self::Address(address, set) => address.of(subject).is_some_and(|ip| set.contains(ip)),
            Self::Port(ports) => {
                subject.local.is_some_and(|local| ports.contains(&local.port().into()))
            }
            Self::Header(matcher) => matcher.matches(subject.headers),
            Self::Path(matcher) => subject
                .headers
                .get(KnownHeader::Path)
                .is_some_and(|path| matcher.matches(path_of(path))),
            Self::ServerName(matcher) => matcher.matches(subject.server_name),
            Self::Authenticated(name) => subject.tls.is_some_and(|tls| {
                name.as_ref().is_none_or(|name| has_name(tls, &|bytes| name.matches(bytes)))
            }),
            Self::Object(matcher) => subject
                .objects
                .and_then(|objects| objects.get(&matcher.key))
                .is_some_and(|object| matcher.string_match.matches(&object.text)),
            Self::Metadata(matcher, MetadataSource::Dynamic) => {
                let metadata = subject.dynamic_metadata;
                matcher.matches(metadata.and_then(|metadata| metadata.0.get(&matcher.filter)))
            }
            Self::Metadata(matcher, MetadataSource::Route) => subject
                .route_metadata
                .is_some_and(|metadata| matcher.matches(metadata.0.get(&matcher.filter))),
        }
    }
}

/// Like Envoy, looks at URIs, DNS names and the subject, which is empty where there is no certificate.
fn has_name(tls: &TlsInfo, matches: &dyn Fn(&[u8]) -> bool) -> bool {
    let Some(peer) = tls.peer() else { return matches(b"") };
    let names = peer.uri_sans.iter().chain(&peer.dns_sans).chain([&peer.subject]);
    names.into_iter().any(|name| matches(name.as_bytes()))
}

impl Address {
    fn of(self, subject: &Subject<'_>) -> Option<IpAddr> {
        match self {
            Self::Local => subject.local.map(|local| local.ip()),
            Self::DirectRemote => subject.direct_remote,
            Self::Remote => subject.remote.map(|remote| remote.ip()),
        }
    }
}

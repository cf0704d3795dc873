//! Access policies: compiled ones decide as a plain reading of Envoy's rules does.
//!
//! The bytes are choices: how many policies, of what parts, and then the subjects to ask about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringmain::rbac::{Engine, Subject};
use ringmain_config::address::CidrRange;
use ringmain_config::matcher::{HeaderMatcher, HeaderTest, StringMatcher, StringTest};
use ringmain_config::rbac::{Action, Permission, Policy, Principal, Rbac, Rules};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

/// How deep conditions stand within each other.
const DEPTH_MAX: u8 = 3;
const SUBJECTS_MAX: usize = 50;

/// Asks the policies in `bytes` about the subjects in it.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let config = choices.rbac();
    let engine = Engine::new(&Rules::Policies(config.clone()));
    for _ in 0..SUBJECTS_MAX {
        if choices.0.is_empty() {
            return;
        }
        let headers = choices.headers();
        let subject = Subject {
            headers: &headers,
            direct_remote: choices.ip(),
            remote: choices.socket(1),
            local: {
                let port = u16::from(79 + choices.below(5));
                choices.socket(port)
            },
            server_name: b"",
            tls: None,
            dynamic_metadata: None,
            objects: None,
            route_metadata: None,
        };
        let policy = config.policies.values().position(|policy| {
            policy.permissions.iter().any(|one| permits(one, &subject))
                && policy.principals.iter().any(|one| is(one, &subject))
        });
        let allowed = match config.action {
            Action::Allow => policy.is_some(),
            Action::Deny => policy.is_none(),
            Action::Log => true,
        };
        let decision = engine.decide(&subject);
        assert_eq!(
            (decision.policy, decision.allowed),
            (policy, allowed),
            "{config:?} {subject:?}"
        );
    }
}

fn permits(permission: &Permission, subject: &Subject<'_>) -> bool {
    match permission {
        Permission::Any => true,
        Permission::And(all) => all.iter().all(|one| permits(one, subject)),
        Permission::Or(any) => any.iter().any(|one| permits(one, subject)),
        Permission::Not(one) => !permits(one, subject),
        Permission::Header(header) => has(header, subject),
        Permission::UrlPath(path) => is_on(path, subject),
        Permission::DestinationIp(range) => is_in(range, subject.local.map(|local| local.ip())),
        Permission::DestinationPort(port) => {
            subject.local.is_some_and(|local| *port == local.port())
        }
        Permission::DestinationPortRange(ports) => {
            subject.local.is_some_and(|local| ports.contains(&local.port().into()))
        }
        Permission::RequestedServerName(name) => name.matches(subject.server_name),
        Permission::Metadata(matcher, _) => matcher.matches(None),
    }
}

fn is(principal: &Principal, subject: &Subject<'_>) -> bool {
    match principal {
        Principal::Any => true,
        Principal::And(all) => all.iter().all(|one| is(one, subject)),
        Principal::Or(any) => any.iter().any(|one| is(one, subject)),
        Principal::Not(one) => !is(one, subject),
        Principal::Authenticated(_) => false,
        Principal::Header(header) => has(header, subject),
        Principal::UrlPath(path) => is_on(path, subject),
        Principal::SourceIp(range) | Principal::DirectRemoteIp(range) => {
            is_in(range, subject.direct_remote)
        }
        Principal::RemoteIp(range) => is_in(range, subject.remote.map(|remote| remote.ip())),
        Principal::Metadata(matcher, _) => matcher.matches(None),
        // There are no objects.
        Principal::FilterState(_) => false,
    }
}

/// A Unix socket lies in no range.
fn is_in(range: &CidrRange, address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| range.contains(address))
}

fn has(header: &HeaderMatcher, subject: &Subject<'_>) -> bool {
    header.matches(subject.headers.get_all_by_name(header.name.as_bytes()))
}

fn is_on(path: &StringMatcher, subject: &Subject<'_>) -> bool {
    let target = subject.headers.get(KnownHeader::Path);
    target.is_some_and(|target| {
        let end = target.iter().position(|byte| matches!(byte, b'?' | b'#'));
        path.matches(&target[..end.unwrap_or(target.len())])
    })
}

/// The bytes not used yet; zeros behind their end.
struct Choices<'b>(&'b [u8]);

impl Choices<'_> {
    fn below(&mut self, bound: u8) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first % bound
    }

    fn list<T>(&mut self, depth: u8, one: fn(&mut Self, u8) -> T) -> Vec<T> {
        (0..=self.below(4)).map(|_| one(self, depth)).collect()
    }

    fn rbac(&mut self) -> Rbac {
        let action = [Action::Allow, Action::Deny, Action::Log][usize::from(self.below(3))];
        let names = ["a", "b", "c", "d"];
        let count = usize::from(self.below(5));
        let policies = names.iter().take(count).map(|name| {
            let permissions = self.list(DEPTH_MAX, Self::permission);
            let principals = self.list(DEPTH_MAX, Self::principal);
            ((*name).to_owned(), Policy { permissions, principals })
        });
        Rbac { action, policies: policies.collect() }
    }

    fn permission(&mut self, depth: u8) -> Permission {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Permission::Any,
            1 => Permission::Header(self.header()),
            2 => Permission::UrlPath(self.path()),
            3 => Permission::DestinationPort(u16::from(79 + self.below(5))),
            4 => Permission::DestinationPortRange(80..u32::from(81 + self.below(4))),
            5 => Permission::DestinationIp(self.range()),
            6 => Permission::And(self.list(depth - 1, Self::permission)),
            7 => Permission::Or(self.list(depth - 1, Self::permission)),
            _ => Permission::Not(Box::new(self.permission(depth - 1))),
        }
    }

    fn principal(&mut self, depth: u8) -> Principal {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Principal::Any,
            1 => Principal::Header(self.header()),
            2 => Principal::UrlPath(self.path()),
            3 => Principal::SourceIp(self.range()),
            4 => Principal::DirectRemoteIp(self.range()),
            5 => Principal::RemoteIp(self.range()),
            6 => Principal::And(self.list(depth - 1, Self::principal)),
            7 => Principal::Or(self.list(depth - 1, Self::principal)),
            _ => Principal::Not(Box::new(self.principal(depth - 1))),
        }
    }

    fn header(&mut self) -> HeaderMatcher {
        let value = self.below(3).to_string();
        HeaderMatcher {
            name: "x".into(),
            test: HeaderTest::String(StringMatcher::new(StringTest::Exact(value))),
            invert_match: self.below(2) == 1,
            treat_missing_header_as_empty: self.below(2) == 1,
        }
    }

    fn path(&mut self) -> StringMatcher {
        StringMatcher::new(StringTest::Prefix(format!("/{}", self.below(3))))
    }

    fn range(&mut self) -> CidrRange {
        let fixed = self.below(10);
        if fixed == 9 {
            return self.long_range();
        }
        let prefix_len = 24 + fixed;
        let mask = u32::MAX << (32 - u32::from(prefix_len));
        let address = u32::from(Ipv4Addr::new(10, 0, 0, self.below(u8::MAX)));
        CidrRange { address_prefix: Ipv4Addr::from(address & mask).into(), prefix_len }
    }

    /// A range of IPv6, in which there may be a whole address of IPv4.
    fn long_range(&mut self) -> CidrRange {
        let prefix_len = self.below(129);
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0);
        let address = self.long_ip().to_bits() & mask;
        CidrRange { address_prefix: Ipv6Addr::from_bits(address).into(), prefix_len }
    }

    /// One of few, so that ranges are met: of a network, or of IPv4 within IPv6.
    fn long_ip(&mut self) -> Ipv6Addr {
        let last = self.below(u8::MAX);
        match self.below(3) {
            0 => Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped(),
            network => {
                Ipv6Addr::new(0x2001, 0xdb8, 0, network.into(), 0, 0, 0, u16::from(last) << 4)
            }
        }
    }

    /// The IP address of an end, where that is no Unix socket.
    fn ip(&mut self) -> Option<IpAddr> {
        match self.below(16) {
            15 => None,
            10..15 => Some(self.long_ip().into()),
            network => Some(Ipv4Addr::new(10, 0, network % 2, self.below(u8::MAX)).into()),
        }
    }

    fn socket(&mut self, port: u16) -> Option<SocketAddr> {
        self.ip().map(|ip| SocketAddr::new(ip, port))
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.below(8) > 0 {
            let target = format!("/{}?q", self.below(3));
            headers.append_known(KnownHeader::Path, target.as_bytes());
        }
        for _ in 0..self.below(3) {
            headers.append(b"x", self.below(3).to_string().as_bytes());
        }
        headers
    }
}

//! The hash of a request, by its route's `hash_policy`, for balancers that choose hosts by it.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;

use ringmain_config::address::Address;
use ringmain_config::matcher::RegexRewrite;
use ringmain_config::route::{HashCookie, HashPolicy, HashSource};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;
use xxhash_rust::xxh64::xxh64;

use crate::http::header_matching::{cookie, query_parameter};
use crate::http::stream::StreamInfo;
use crate::http::stream_objects::StreamObjects;
use crate::ip_text::ip_text;

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// The client, as far as it can be trusted.
    pub remote: &'a Address,
    /// The other end of the connection.
    pub direct_remote: &'a Address,
    /// Our end of it.
    pub local: &'a Address,
}

impl<'a> Ends<'a> {
    /// Those of a stream.
    pub fn of(info: &'a StreamInfo) -> Self {
        Self { remote: &info.remote, direct_remote: &info.direct_remote, local: &info.local }
    }
}

/// The hash by `policies`, where one of them finds anything. Cookies that the client is to get are
/// added to `set_cookies`, each as a `set-cookie` field's value.
pub fn request_hash(
    policies: &[HashPolicy],
    headers: &HeaderMap,
    objects: &StreamObjects,
    ends: Ends<'_>,
    set_cookies: &mut Vec<Vec<u8>>,
) -> Option<u64> {
    let mut combined: Option<u64> = None;
    for policy in policies {
        let hash = match &policy.source {
            HashSource::Header(name, rewrite) => header_hash(headers, name, rewrite.as_ref()),
            HashSource::Cookie(wanted) => cookie_hash(headers, wanted, ends, set_cookies),
            HashSource::SourceIp(true) => ends.remote.ip().map(ip_hash),
            HashSource::SourceIp(false) => None,
            HashSource::FilterState(key) => {
                let object = objects.get(key).filter(|object| object.is_hashable);
                object.map(|object| xxh64(&object.text, 0))
            }
            HashSource::QueryParameter(name) => {
                let target = headers.get(KnownHeader::Path).unwrap_or_default();
                query_parameter(target, name.as_bytes()).map(|value| xxh64(value, 0))
            }
        };
        if let Some(hash) = hash {
            // Turned, so that the same value twice does not come to nothing.
            combined = Some(combined.unwrap_or(0).rotate_left(1) ^ hash);
        }
        if policy.terminal && combined.is_some() {
            break;
        }
    }
    combined
}

/// All values of the field, whatever their order: each is the seed of the next.
fn header_hash(headers: &HeaderMap, name: &str, rewrite: Option<&RegexRewrite>) -> Option<u64> {
    let mut values: SmallVec<[Cow<'_, [u8]>; 4]> =
        headers.get_all_by_name(name.as_bytes()).map(Cow::Borrowed).collect();
    if let Some(rewrite) = rewrite {
        for value in &mut values {
            let mut rewritten = Vec::with_capacity(value.len());
            rewrite.rewrite(value, &mut rewritten);
            *value = Cow::Owned(rewritten);
        }
    }
    values.sort_unstable();
    let hash = values.iter().fold(0, |seed, value| xxh64(value, seed));
    (!values.is_empty()).then_some(hash)
}

fn cookie_hash(
    headers: &HeaderMap,
    wanted: &HashCookie,
    ends: Ends<'_>,
    set_cookies: &mut Vec<Vec<u8>>,
) -> Option<u64> {
    if let Some(value) = cookie(headers, wanted.name.as_bytes()).filter(|value| !value.is_empty()) {
        return Some(xxh64(value, 0));
    }
    wanted.ttl?;
    // The same for all requests of a connection, so that those that race get the same cookie.
    let mut addresses = SmallVec::<[u8; 96]>::new();
    write!(addresses, "{}{}", ends.direct_remote, ends.local)
        .expect("writing to memory does not fail");
    let value = format!("{:016x}", xxh64(&addresses, 0));
    set_cookies.push(set_cookie(wanted, &value));
    Some(xxh64(value.as_bytes(), 0))
}

fn set_cookie(wanted: &HashCookie, value: &str) -> Vec<u8> {
    let mut text = format!("{}=\"{value}\"", wanted.name);
    if let Some(ttl) = wanted.ttl.filter(|ttl| ttl.as_secs() > 0) {
        text += &format!("; Max-Age={}", ttl.as_secs());
    }
    if !wanted.path.is_empty() {
        text += &format!("; Path={}", wanted.path);
    }
    for (name, value) in &wanted.attributes {
        text += "; ";
        text += name;
        if !value.is_empty() {
            text += "=";
            text += value;
        }
    }
    text += "; HttpOnly";
    text.into_bytes()
}

/// That of an address, by its text.
pub fn ip_hash(ip: IpAddr) -> u64 {
    xxh64(&ip_text(ip), 0)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use std::time::Duration;

    use super::*;

    const fn address(ip: [u8; 4], port: u16) -> Address {
        let [a, b, c, d] = ip;
        Address::Socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port))
    }

    const ENDS: Ends = Ends {
        remote: &address([10, 0, 0, 9], 0),
        direct_remote: &address([127, 0, 0, 1], 1),
        local: &address([127, 0, 0, 1], 2),
    };

    fn by(source: HashSource) -> HashPolicy {
        HashPolicy { source, terminal: false }
    }

    fn header(name: &str) -> HashPolicy {
        by(HashSource::Header(name.to_owned(), None))
    }

    fn hash(policies: &[HashPolicy], fields: &[(&str, &str)]) -> (Option<u64>, Vec<String>) {
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Path, b"/p?user=ann&x=1");
        for (name, value) in fields {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        let mut cookies = Vec::new();
        let objects = StreamObjects::default();
        let hash = request_hash(policies, &headers, &objects, ENDS, &mut cookies);
        let cookies = cookies.into_iter().map(|one| String::from_utf8_lossy(&one).into_owned());
        (hash, cookies.collect())
    }

    #[test]
    fn what_is_not_there_has_no_hash() {
        let nothing = [
            header("x-a"),
            by(HashSource::SourceIp(false)),
            by(HashSource::QueryParameter("none".into())),
        ];
        assert_eq!(hash(&nothing, &[]).0, None);
        assert_eq!(hash(&[], &[]).0, None);
    }

    #[test]
    fn sources_are_hashed_by_their_text() {
        let one = |policy: HashPolicy| hash(&[policy], &[("x-a", "v")]).0;
        assert_eq!(one(header("x-a")), Some(xxh64(b"v", 0)));
        assert_eq!(one(by(HashSource::SourceIp(true))), Some(xxh64(b"10.0.0.9", 0)));
        assert_eq!(one(by(HashSource::QueryParameter("user".into()))), Some(xxh64(b"ann", 0)));
    }

    #[test]
    fn the_order_of_a_fields_values_does_not_matter() {
        let one = hash(&[header("x-a")], &[("x-a", "1"), ("x-a", "2")]).0;
        assert_eq!(one, hash(&[header("x-a")], &[("x-a", "2"), ("x-a", "1")]).0);
        assert_eq!(one, Some(xxh64(b"2", xxh64(b"1", 0))));
    }

    #[test]
    fn hashes_are_turned_and_combined_up_to_a_terminal_one() {
        let fields = [("x-a", "1"), ("x-b", "1")];
        let (a, b) = (xxh64(b"1", 0), xxh64(b"1", 0));
        let both = hash(&[header("x-a"), header("x-b")], &fields).0;
        assert_eq!(both, Some(a.rotate_left(1) ^ b));
        let terminal = HashPolicy { terminal: true, ..header("x-a") };
        assert_eq!(hash(&[terminal.clone(), header("x-b")], &fields).0, Some(a));
        assert_eq!(hash(&[terminal, header("x-b")], &fields[1..]).0, Some(b));
    }

    #[test]
    fn a_client_without_the_cookie_gets_one() {
        let cookie = |ttl| {
            by(HashSource::Cookie(HashCookie {
                name: "s".into(),
                ttl,
                path: "/p".into(),
                attributes: vec![
                    ("Secure".into(), String::new()),
                    ("SameSite".into(), "Lax".into()),
                ],
            }))
        };
        let (found, cookies) = hash(&[cookie(Some(Duration::from_secs(9)))], &[]);
        let value = format!("{:016x}", xxh64(b"127.0.0.1:1127.0.0.1:2", 0));
        assert_eq!(found, Some(xxh64(value.as_bytes(), 0)));
        let attributes = "Max-Age=9; Path=/p; Secure; SameSite=Lax; HttpOnly";
        assert_eq!(cookies, [format!("s=\"{value}\"; {attributes}")]);
        assert!(!hash(&[cookie(Some(Duration::ZERO))], &[]).1[0].contains("Max-Age"));

        assert_eq!(hash(&[cookie(None)], &[]), (None, Vec::new()));
        let sent = [("cookie", "a=b; s=\"v\"")];
        assert_eq!(hash(&[cookie(Some(Duration::ZERO))], &sent), (Some(xxh64(b"v", 0)), vec![]));
    }
}

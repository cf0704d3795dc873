//! Descriptors: what the actions of rate limits make of a request, and by what its bucket is found.
//!
//! A descriptor is written as one run of bytes, each key and value behind its length, so that two are the
//! same where their bytes are.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringmain_config::http_filter::VhRateLimits;
use ringmain_config::route::{
    Action, Entry, Looked, QueryParameterMatcher, RateLimit, RateLimitAction,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use crate::http::filter::FilterView;
use crate::http::header_matching::query_parameter;

/// Room for a descriptor as most are.
pub type Descriptor = SmallVec<[u8; 128]>;

/// The descriptor of these entries.
pub fn descriptor_of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Descriptor {
    let mut descriptor = Descriptor::new();
    entries.into_iter().for_each(|entry| push(&entry.key, entry.value.as_bytes(), &mut descriptor));
    descriptor
}

fn push(key: &str, value: &[u8], descriptor: &mut Descriptor) {
    for part in [key.as_bytes(), value] {
        descriptor.extend_from_slice(&(part.len() as u64).to_ne_bytes());
        descriptor.extend_from_slice(part);
    }
}

/// What a route and its virtual host say of limits: none where the route does not forward.
pub fn of_route<'m>(
    view: &FilterView<'_, 'm>,
    option: VhRateLimits,
) -> impl Iterator<Item = &'m RateLimit> {
    let routes = &view.manager.routes;
    let found = view.exchange.info.route.and_then(|route| match &routes.route(route).action {
        Action::Route(action) => Some((action, &routes.virtual_host(route).config)),
        _ => None,
    });
    let (of_route, of_host): (&[_], &[_]) = match found {
        None => (&[], &[]),
        Some((action, host)) => {
            let takes_host = action.include_vh_rate_limits
                || match option {
                    VhRateLimits::Override => action.rate_limits.is_empty(),
                    VhRateLimits::Include => true,
                    VhRateLimits::Ignore => false,
                };
            (&action.rate_limits, if takes_host { &host.rate_limits } else { &[] })
        }
    };
    of_route.iter().chain(of_host)
}

/// Writes the descriptor that `limit` makes of the request. `None`: one of the actions finds nothing.
pub fn write(
    limit: &RateLimit,
    view: &FilterView<'_, '_>,
    descriptor: &mut Descriptor,
) -> Option<()> {
    descriptor.clear();
    limit.actions.iter().try_for_each(|action| write_entry(action, view, descriptor))
}

fn write_entry(
    action: &RateLimitAction,
    view: &FilterView<'_, '_>,
    descriptor: &mut Descriptor,
) -> Option<()> {
    let headers = &view.exchange.request.headers;
    let remote = view.exchange.info.remote.ip();
    match action {
        RateLimitAction::SourceCluster => {
            push("source_cluster", view.worker.compiled.service_cluster.as_bytes(), descriptor);
        }
        RateLimitAction::DestinationCluster => {
            let cluster = &view.worker.compiled.clusters[view.exchange.info.cluster?];
            push("destination_cluster", cluster.config.name.as_bytes(), descriptor);
        }
        RateLimitAction::RequestHeader(header) => {
            let value = headers.get_by_name(header.name.as_bytes());
            return push_looked(header, value, descriptor);
        }
        RateLimitAction::QueryParameter(parameter) => {
            let value = decoded_parameter(headers, &parameter.name);
            return push_looked(parameter, value.as_deref(), descriptor);
        }
        RateLimitAction::RemoteAddress => {
            push("remote_address", &written(format_args!("{}", remote?)), descriptor);
        }
        RateLimitAction::MaskedRemoteAddress { v4_prefix_mask_len, v6_prefix_mask_len } => {
            let value = match remote? {
                IpAddr::V4(address) => masked_v4(address, *v4_prefix_mask_len),
                IpAddr::V6(address) => masked_v6(address, *v6_prefix_mask_len),
            };
            push("masked_remote_address", &value, descriptor);
        }
        RateLimitAction::GenericKey(entry) => push_entry(entry, descriptor),
        RateLimitAction::HeaderValueMatch { entry, expect_match, headers: matchers } => {
            let all = matchers
                .iter()
                .all(|matcher| matcher.matches(headers.get_all_by_name(matcher.name.as_bytes())));
            return push_if(all == *expect_match, entry, descriptor);
        }
        RateLimitAction::QueryParameterValueMatch { entry, expect_match, query_parameters } => {
            let matches = |matcher: &QueryParameterMatcher| {
                matcher.matches(decoded_parameter(headers, &matcher.name).as_deref())
            };
            let all = query_parameters.iter().all(matches);
            return push_if(all == *expect_match, entry, descriptor);
        }
        RateLimitAction::RemoteAddressMatch { entry, ranges, invert_match } => {
            let remote = remote?;
            let is_in = ranges.iter().any(|range| range.contains(remote));
            return push_if(is_in != *invert_match, entry, descriptor);
        }
    }
    Some(())
}

fn push_entry(entry: &Entry, descriptor: &mut Descriptor) {
    push(&entry.key, entry.value.as_bytes(), descriptor);
}

fn push_if(holds: bool, entry: &Entry, descriptor: &mut Descriptor) -> Option<()> {
    holds.then(|| push_entry(entry, descriptor))
}

fn push_looked(looked: &Looked, value: Option<&[u8]>, descriptor: &mut Descriptor) -> Option<()> {
    match value {
        Some(value) => push(&looked.descriptor_key, value, descriptor),
        None if looked.skip_if_absent => {}
        None => return None,
    }
    Some(())
}

/// The first parameter of that name, with `%` codes decoded (RFC 3986 §2.1).
fn decoded_parameter(headers: &HeaderMap, name: &str) -> Option<SmallVec<[u8; 64]>> {
    let target = headers.get(KnownHeader::Path)?;
    let mut rest = query_parameter(target, name.as_bytes())?;
    let mut decoded = SmallVec::new();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(hex);
        decoded.push(code.unwrap_or(*first));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    Some(decoded)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let code = digits.iter().try_fold(0, |code, byte| Some(code * 16 + digit(*byte)?))?;
    u8::try_from(code).ok()
}

fn masked_v4(address: Ipv4Addr, len: u8) -> SmallVec<[u8; 64]> {
    let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
    written(format_args!("{}/{len}", Ipv4Addr::from(u32::from(address) & mask)))
}

fn masked_v6(address: Ipv6Addr, len: u8) -> SmallVec<[u8; 64]> {
    let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
    written(format_args!("{}/{len}", Ipv6Addr::from(u128::from(address) & mask)))
}

fn written(arguments: std::fmt::Arguments<'_>) -> SmallVec<[u8; 64]> {
    let mut text = SmallVec::new();
    text.write_fmt(arguments).expect("writing to memory does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Path, b"/p?a=x%20y%2&b=%zz%4&c=%41");
        let decoded = |name| decoded_parameter(&headers, name).map(|value| value.to_vec());
        assert_eq!(decoded("a").unwrap(), b"x y%2");
        assert_eq!(decoded("b").unwrap(), b"%zz%4");
        assert_eq!(decoded("c").unwrap(), b"A");
        assert_eq!(decoded("d"), None);
    }

    #[test]
    fn addresses_are_masked() {
        let v4 = |len| String::from_utf8(masked_v4([10, 1, 2, 3].into(), len).to_vec()).unwrap();
        assert_eq!((v4(0), v4(8)), ("0.0.0.0/0".into(), "10.0.0.0/8".into()));
        assert_eq!(v4(32), "10.1.2.3/32");
        let v6 = masked_v6("2001:db8::1".parse().unwrap(), 32);
        assert_eq!(&v6[..], b"2001:db8::/32");
    }

    #[test]
    fn descriptors_tell_where_their_parts_end() {
        let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
        let one = descriptor_of(&[entry("ab", "c")]);
        assert_ne!(one, descriptor_of(&[entry("a", "bc")]));
        assert_ne!(one, descriptor_of(&[entry("ab", ""), entry("", "c")]));
        assert_eq!(one, descriptor_of(&[entry("ab", "c")]));
    }
}

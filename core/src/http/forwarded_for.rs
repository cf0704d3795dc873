//! Who the client is: `x-forwarded-for`, trusted hops, and whether the request is internal.

use std::net::{IpAddr, SocketAddr};

use ringmain_config::address::Address;
use ringmain_config::original_ip_detection::{
    CustomHeaderDetection, OriginalIpDetection, XffDetection,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::ConnectionManager;
use super::local_reply::{self, LocalReply};
use super::request_headers::append_to_list;
use crate::ip_text::ip_text;

/// The outcome for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client as far as it can be trusted.
    pub remote: Address,
    /// Whether that is inside `internal_address_config`.
    pub internal: bool,
    /// Whether we are the first proxy that it meets.
    pub edge: bool,
}

/// Who the client is, as far as that was found out.
struct Detected {
    /// Where that was found.
    address: Option<Address>,
    /// Whether the address can make the request an internal one.
    may_be_internal: bool,
    /// Whether our peer stays out of `x-forwarded-for`.
    skips_append: bool,
}

impl Detected {
    fn nobody() -> Self {
        Self { address: None, may_be_internal: false, skips_append: true }
    }
}

/// Decides who the client is and appends our peer to `x-forwarded-for` where configured.
pub fn client_address(
    manager: &ConnectionManager,
    headers: &mut HeaderMap,
    peer: &Address,
    local_ip: IpAddr,
) -> Result<ClientAddress, LocalReply> {
    let config = &manager.config;
    let hops = config.xff_num_trusted_hops as usize;
    let detected = if config.use_remote_address {
        let trusted = hops.checked_sub(1).and_then(|hops| from_right(headers, hops));
        Detected {
            address: Some(trusted.unwrap_or_else(|| peer.clone())),
            may_be_internal: !headers.contains(KnownHeader::XForwardedFor),
            skips_append: config.skip_xff_append,
        }
    } else if config.original_ip_detection.is_empty() {
        behind_hops(headers, hops)
    } else {
        detect(&config.original_ip_detection, headers, peer)?
    };
    // Who has no IP address cannot be told of.
    if let Some(ip) = peer.ip().filter(|_| !detected.skips_append) {
        append(headers, if ip.is_loopback() { local_ip } else { ip });
    }
    let is_internal = |address: &Address| is_internal(manager, address);
    let internal = detected.may_be_internal && detected.address.as_ref().is_some_and(is_internal);
    Ok(ClientAddress {
        remote: detected.address.unwrap_or_else(|| peer.clone()),
        internal,
        edge: config.use_remote_address && !internal,
    })
}

fn behind_hops(headers: &HeaderMap, hops: usize) -> Detected {
    let address = from_right(headers, hops);
    Detected { address, may_be_internal: is_single(headers), ..Detected::nobody() }
}

/// What the first of `extensions` finds that finds anything.
fn detect(
    extensions: &[OriginalIpDetection],
    headers: &HeaderMap,
    peer: &Address,
) -> Result<Detected, LocalReply> {
    let mut detected = Detected::nobody();
    for extension in extensions {
        detected = match extension {
            OriginalIpDetection::Xff(xff) => by_xff(xff, headers, peer),
            OriginalIpDetection::CustomHeader(custom) => by_header(custom, headers)?,
        };
        if detected.address.is_some() {
            break;
        }
    }
    Ok(detected)
}

fn by_xff(config: &XffDetection, headers: &HeaderMap, peer: &Address) -> Detected {
    let trusted = &config.xff_trusted_cidrs;
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let found = if trusted.is_empty() {
        behind_hops(headers, config.xff_num_trusted_hops as usize)
    } else if peer.ip().is_some_and(is_trusted) {
        let address = first_untrusted(headers, is_trusted);
        Detected { address, may_be_internal: is_single(headers), ..Detected::nobody() }
    } else {
        // As in Envoy: who is not trusted is told of in any case.
        return Detected { skips_append: false, ..Detected::nobody() };
    };
    Detected { skips_append: config.skip_xff_append, ..found }
}

/// From the right end of `x-forwarded-for` the first address that is not trusted, or else the last.
fn first_untrusted(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<Address> {
    let mut last = None;
    for entry in headers.get(KnownHeader::XForwardedFor)?.rsplit(|byte| *byte == b',') {
        let address = parse(entry)?;
        last = Some(without_port(address));
        if !is_trusted(address) {
            break;
        }
    }
    last
}

fn by_header(config: &CustomHeaderDetection, headers: &HeaderMap) -> Result<Detected, LocalReply> {
    let address = headers.get_by_name(config.header_name.as_bytes()).and_then(parse);
    let address = address.map(without_port);
    match (&address, config.reject_with_status) {
        (None, Some(status)) => Err(local_reply::undetected(status)),
        _ => Ok(Detected {
            address,
            may_be_internal: config.allow_extension_to_set_address_as_trusted,
            ..Detected::nobody()
        }),
    }
}

fn is_internal(manager: &ConnectionManager, address: &Address) -> bool {
    let config = &manager.config;
    match address.ip() {
        Some(ip) => config.internal_address_ranges.iter().any(|range| range.contains(ip)),
        None => config.unix_sockets_are_internal,
    }
}

/// The address `skip` places from the right end of `x-forwarded-for`, port 0.
fn from_right(headers: &HeaderMap, skip: usize) -> Option<Address> {
    let list = headers.get(KnownHeader::XForwardedFor)?;
    list.rsplit(|byte| *byte == b',').nth(skip).and_then(parse).map(without_port)
}

/// An address without a port.
fn parse(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

fn without_port(ip: IpAddr) -> Address {
    SocketAddr::new(ip, 0).into()
}

fn is_single(headers: &HeaderMap) -> bool {
    headers.get(KnownHeader::XForwardedFor).is_some_and(|list| !list.contains(&b','))
}

fn append(headers: &mut HeaderMap, address: IpAddr) {
    append_to_list(headers, KnownHeader::XForwardedFor, b",", &ip_text(address));
}

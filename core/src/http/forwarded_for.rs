//! Who the client is: `x-forwarded-for`, trusted hops, and whether the request is internal.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::ConnectionManager;
use super::request_headers::append_to_list;

/// The outcome for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client as far as it can be trusted.
    pub remote: SocketAddr,
    /// Whether that is inside `internal_address_config`.
    pub internal: bool,
    /// Whether we are the first proxy that it meets.
    pub edge: bool,
}

/// Decides who the client is and appends our peer to `x-forwarded-for` where configured.
pub fn client_address(
    manager: &ConnectionManager,
    headers: &mut HeaderMap,
    peer: SocketAddr,
    local_ip: IpAddr,
) -> ClientAddress {
    let config = &manager.config;
    let hops = config.xff_num_trusted_hops as usize;
    let (trusted, single) = if config.use_remote_address {
        let single = !headers.contains(KnownHeader::XForwardedFor);
        let trusted = hops.checked_sub(1).and_then(|hops| from_right(headers, hops));
        if !config.skip_xff_append {
            append(headers, if peer.ip().is_loopback() { local_ip } else { peer.ip() });
        }
        (Some(trusted.unwrap_or(peer)), single)
    } else {
        (from_right(headers, hops), is_single(headers))
    };
    let internal = single && trusted.is_some_and(|trusted| is_internal(manager, trusted.ip()));
    ClientAddress {
        remote: trusted.unwrap_or(peer),
        internal,
        edge: config.use_remote_address && !internal,
    }
}

fn is_internal(manager: &ConnectionManager, address: IpAddr) -> bool {
    manager.config.internal_address_ranges.iter().any(|range| range.contains(address))
}

/// The address `skip` places from the right end of `x-forwarded-for`, port 0.
fn from_right(headers: &HeaderMap, skip: usize) -> Option<SocketAddr> {
    let list = headers.get(KnownHeader::XForwardedFor)?;
    let entry = list.rsplit(|byte| *byte == b',').nth(skip)?;
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0))
}

fn is_single(headers: &HeaderMap) -> bool {
    headers.get(KnownHeader::XForwardedFor).is_some_and(|list| !list.contains(&b','))
}

fn append(headers: &mut HeaderMap, address: IpAddr) {
    let mut text: SmallVec<[u8; 64]> = SmallVec::new();
    write!(text, "{address}").expect("writing to memory does not fail");
    append_to_list(headers, KnownHeader::XForwardedFor, b",", &text);
}

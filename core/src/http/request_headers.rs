//! Preparing a request's headers before routing (Envoy's header rules for the connection manager).

use ringmain_proto_codec::h1::RequestHead;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::ConnectionManager;
use super::forwarded_client_cert::forward_client_cert;
use super::forwarded_for::client_address;
use super::local_reply::{self, LocalReply};
use super::referer;
use super::request_id::RequestIds;
use super::stream::StreamInfo;
use crate::ip_text::ip_text;
use crate::server::Compiled;

/// Headers that only internal clients may set.
const INTERNAL_ONLY: [KnownHeader; 14] = [
    KnownHeader::XEnvoyRetriableStatusCodes,
    KnownHeader::XEnvoyRetriableHeaderNames,
    KnownHeader::XEnvoyRetryOn,
    KnownHeader::XEnvoyRetryGrpcOn,
    KnownHeader::XEnvoyMaxRetries,
    KnownHeader::XEnvoyUpstreamAltStatName,
    KnownHeader::XEnvoyUpstreamRqTimeoutMs,
    KnownHeader::XEnvoyUpstreamRqPerTryTimeoutMs,
    KnownHeader::XEnvoyUpstreamRqTimeoutAltResponse,
    KnownHeader::XEnvoyExpectedRqTimeoutMs,
    KnownHeader::XEnvoyForceTrace,
    KnownHeader::XEnvoyIpTags,
    KnownHeader::XEnvoyOriginalUrl,
    KnownHeader::XEnvoyHedgeOnPerTryTimeout,
];

/// Headers that an edge proxy takes away beyond those.
const EDGE_ONLY: [KnownHeader; 4] = [
    KnownHeader::XEnvoyOriginalPath,
    KnownHeader::XEnvoyDecoratorOperation,
    KnownHeader::XEnvoyDownstreamServiceCluster,
    KnownHeader::XEnvoyDownstreamServiceNode,
];

/// Makes the headers of `head` what the filters and the router may see, and notes in `info` who the
/// client is. Where that must be known and is not, the request is to be refused.
pub fn prepare_request(
    manager: &ConnectionManager,
    compiled: &Compiled,
    head: &mut RequestHead,
    info: &mut StreamInfo,
    request_ids: &RequestIds,
) -> Result<(), LocalReply> {
    let config = &manager.config;
    let headers = &mut head.headers;
    remove_hop_by_hop(headers, head.upgrade);
    fold_lists(headers);
    if headers.get(KnownHeader::Referer).is_some_and(|referer| !referer::is_valid(referer)) {
        headers.remove(KnownHeader::Referer);
    }
    headers.remove(KnownHeader::XEnvoyInternal);
    let client = client_address(manager, headers, &info.remote, compiled.local_ip)?;
    info.remote = client.remote;
    info.internal = client.internal;
    let untrusted_proto = config.use_remote_address && config.xff_num_trusted_hops == 0;
    if untrusted_proto || !headers.contains(KnownHeader::XForwardedProto) {
        let proto: &[u8] = if info.downstream_tls.is_some() { b"https" } else { b"http" };
        headers.set(KnownHeader::XForwardedProto, proto);
    }
    if config.append_x_forwarded_port
        && (untrusted_proto || !headers.contains(KnownHeader::XForwardedPort))
    {
        set_forwarded_port(headers, info);
    }
    match &config.scheme_to_overwrite {
        Some(scheme) => {
            headers.set(KnownHeader::XForwardedProto, scheme.as_bytes());
            headers.set(KnownHeader::Scheme, scheme.as_bytes());
        }
        None => set_scheme(headers),
    }
    if client.internal {
        headers.set(KnownHeader::XEnvoyInternal, b"true");
    } else {
        remove_untrusted(headers, client.edge);
    }
    if config.add_user_agent {
        add_user_agent(compiled, headers);
    }
    append_via(headers, &config.via);
    if let Some(ip) = info.remote.ip().filter(|_| client.edge) {
        headers.set(KnownHeader::XEnvoyExternalAddress, &ip_text(ip));
    }
    if config.generate_request_id {
        let replace = client.edge && !config.preserve_external_request_id;
        if replace || headers.get(KnownHeader::XRequestId).is_none_or(<[u8]>::is_empty) {
            headers.set(KnownHeader::XRequestId, &request_ids.generate());
        }
    }
    forward_client_cert(config, info.downstream_tls.as_deref(), headers);
    Ok(())
}

/// `append_x_forwarded_port`: the port that the client came to. A Unix socket has none.
fn set_forwarded_port(headers: &mut HeaderMap, info: &StreamInfo) {
    let Some(port) = info.local.port() else { return };
    headers.set_number(KnownHeader::XForwardedPort, port.into());
}

/// `add_user_agent`: which service and node the request comes from.
fn add_user_agent(compiled: &Compiled, headers: &mut HeaderMap) {
    let (cluster, node) = (compiled.service_cluster.as_bytes(), compiled.service_node.as_bytes());
    headers.set(KnownHeader::XEnvoyDownstreamServiceCluster, cluster);
    if headers.get(KnownHeader::UserAgent).is_none_or(<[u8]>::is_empty) {
        headers.set(KnownHeader::UserAgent, cluster);
    }
    if !node.is_empty() {
        headers.set(KnownHeader::XEnvoyDownstreamServiceNode, node);
    }
}

/// `:scheme`, which HTTP/2 brings, follows `x-forwarded-proto` elsewhere where that names a scheme of
/// HTTP.
fn set_scheme(headers: &mut HeaderMap) {
    if headers.contains(KnownHeader::Scheme) {
        return;
    }
    let scheme: &[u8] = match headers.get(KnownHeader::XForwardedProto) {
        Some(b"https") => b"https",
        _ => b"http",
    };
    headers.set(KnownHeader::Scheme, scheme);
}

fn remove_untrusted(headers: &mut HeaderMap, edge: bool) {
    for name in INTERNAL_ONLY {
        headers.remove(name);
    }
    if edge {
        for name in EDGE_ONLY {
            headers.remove(name);
        }
    }
}

/// Adds `via` to the list that a request or response carries (RFC 9110 §7.6.3).
pub fn append_via(headers: &mut HeaderMap, via: &str) {
    if !via.is_empty() {
        append_to_list(headers, KnownHeader::Via, b", ", via.as_bytes());
    }
}

/// Adds `value` to the list in the field `name`, which is made where it is absent or empty.
pub fn append_to_list(headers: &mut HeaderMap, name: KnownHeader, separator: &[u8], value: &[u8]) {
    let mut list: SmallVec<[u8; 256]> = SmallVec::new();
    if let Some(present) = headers.get(name)
        && !present.is_empty()
    {
        list.extend_from_slice(present);
        list.extend_from_slice(separator);
    }
    list.extend_from_slice(value);
    headers.set(name, &list);
}

/// Fields whose repeated lines Envoy joins to one list.
const FOLDED: [KnownHeader; 13] = [
    KnownHeader::Accept,
    KnownHeader::AcceptEncoding,
    KnownHeader::Authorization,
    KnownHeader::Connection,
    KnownHeader::Origin,
    KnownHeader::Referer,
    KnownHeader::Te,
    KnownHeader::UserAgent,
    KnownHeader::Vary,
    KnownHeader::Via,
    KnownHeader::XForwardedFor,
    KnownHeader::XForwardedProto,
    KnownHeader::XRequestId,
];

/// Joins repeated lines of the fields that are lists to Envoy.
pub fn fold_lists(headers: &mut HeaderMap) {
    for name in FOLDED {
        if headers.get_all(name).nth(1).is_some() {
            let lines: Vec<&[u8]> = headers.get_all(name).collect();
            let joined = lines.join(&b","[..]);
            headers.set(name, &joined);
        }
    }
}

/// Removes what concerns the one connection it came on (RFC 9110 §7.6.1): the fields that
/// `connection` names and the fields of framing. `te` may say `trailers`. As in Envoy what asks for another protocol
/// by an `upgrade` goes on as it is.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, upgrade: bool) {
    if !upgrade {
        remove_nominated(headers);
        headers.remove(KnownHeader::Connection);
        headers.remove(KnownHeader::Upgrade);
        keep_trailers_of_te(headers);
    }
    for name in
        [KnownHeader::KeepAlive, KnownHeader::ProxyConnection, KnownHeader::TransferEncoding]
    {
        headers.remove(name);
    }
}

/// Of `te` only `trailers` may pass (RFC 9110 §10.1.4).
fn keep_trailers_of_te(headers: &mut HeaderMap) {
    let Some(te) = headers.get(KnownHeader::Te) else { return };
    let names_trailers = |te: &[u8]| {
        te.split(|byte| *byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    };
    if names_trailers(te) {
        headers.set(KnownHeader::Te, b"trailers");
    } else {
        headers.remove(KnownHeader::Te);
    }
}

/// Fields that `connection` may not name: a request that has them taken away would pass for another
/// client's.
const NOT_TO_NOMINATE: [&[u8]; 3] = [b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"];

/// Why a request is refused for what its `connection` names, if it is.
pub fn refuse_nominated(headers: &HeaderMap) -> Option<LocalReply> {
    let nominated = headers
        .get_all(KnownHeader::Connection)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    let mut refusal = None;
    for name in nominated {
        if name.eq_ignore_ascii_case(b"host") {
            refusal = Some(local_reply::MISSING_HOST);
        } else if NOT_TO_NOMINATE.iter().any(|refused| name.eq_ignore_ascii_case(refused)) {
            return Some(local_reply::CONNECTION_HEADER_REJECTED);
        }
    }
    refusal
}

/// Fields that `connection` may name and that stay all the same: they belong to the message, and
/// taking them away would change what it means.
const NEVER_NOMINATED: [KnownHeader; 2] = [KnownHeader::ContentLength, KnownHeader::Te];

fn remove_nominated(headers: &mut HeaderMap) {
    let Some(connection) = headers.get(KnownHeader::Connection) else { return };
    if is_plain(connection) && headers.get_all(KnownHeader::Connection).count() == 1 {
        return;
    }
    let nominated: Vec<Vec<u8>> = headers
        .get_all(KnownHeader::Connection)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|token| token.trim_ascii().to_ascii_lowercase())
        .filter(|token| !token.is_empty())
        .collect();
    for name in nominated {
        match KnownHeader::from_bytes(&name) {
            Some(known) if NEVER_NOMINATED.contains(&known) || known.is_pseudo() => {}
            _ => {
                headers.remove_by_name(&name);
            }
        }
    }
}

/// The usual values name no field.
fn is_plain(connection: &[u8]) -> bool {
    connection.eq_ignore_ascii_case(b"keep-alive") || connection.eq_ignore_ascii_case(b"close")
}

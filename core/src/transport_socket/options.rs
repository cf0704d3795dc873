//! What the origin of a request tells the transport of the connection that it goes out on (Envoy's
//! transport socket options). Only requests that tell the same share connections.

use std::net::IpAddr;
use std::rc::Rc;

use ringmain_config::cluster::AutoSni;
use ringmain_config::proxy_protocol::{ProxyProtocolVersion, UpstreamProxyProtocol};
use ringmain_proto_codec::proxy_protocol::{self, Addresses, Version};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::cluster::{Cluster, Host};
use crate::http::authority::without_port;
use crate::http::stream::StreamInfo;

/// Type-length-value vectors of a PROXY header, in their order.
pub type Tlvs = Rc<[(u8, Box<[u8]>)]>;

/// What is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportOptions {
    /// Whose connection it is, for a PROXY header.
    proxied: Option<Proxied>,
    /// The name that TLS asks for.
    server_name: Option<Box<str>>,
}

/// The client's connection.
#[derive(Debug, Clone)]
struct Proxied {
    /// Absent where one of them is a Unix socket.
    ends: Option<Addresses>,
    tlvs: Option<Tlvs>,
}

/// Like Envoy's, connections are told apart by their ends, not by what else a header says.
impl PartialEq for Proxied {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends
    }
}

impl Eq for Proxied {}

impl TransportOptions {
    /// What a request tells a host of a cluster; absent where that wants to know nothing.
    pub fn of_request(
        cluster: &Cluster,
        host: &Host,
        info: &StreamInfo,
        headers: &HeaderMap,
    ) -> Option<Rc<Self>> {
        let server_name = server_name(&cluster.config.auto_sni, headers);
        Self::new(cluster, host, info, server_name)
    }

    /// The same for a connection that is not HTTP.
    pub fn of_connection(cluster: &Cluster, host: &Host, info: &StreamInfo) -> Option<Rc<Self>> {
        Self::new(cluster, host, info, None)
    }

    fn new(
        cluster: &Cluster,
        host: &Host,
        info: &StreamInfo,
        server_name: Option<Box<str>>,
    ) -> Option<Rc<Self>> {
        let proxied = cluster
            .proxy_protocol(host)
            .map(|_| Proxied { ends: ends_of(info), tlvs: info.proxy_tlvs.clone() });
        let wants_nothing = proxied.is_none() && server_name.is_none();
        (!wants_nothing).then(|| Rc::new(Self { proxied, server_name }))
    }

    /// The name that TLS asks for.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The PROXY header that `config` asks for; empty where nobody's connection is proxied.
    pub fn proxy_header(&self, config: &UpstreamProxyProtocol) -> Vec<u8> {
        let mut header = Vec::new();
        let Some(proxied) = &self.proxied else { return header };
        let version = match config.version {
            ProxyProtocolVersion::V1 => Version::V1,
            ProxyProtocolVersion::V2 => Version::V2,
        };
        let added = config.added_tlvs.iter().map(|(kind, value)| (*kind, &**value));
        let is_added = |kind: u8| config.added_tlvs.iter().any(|(other, _)| *other == kind);
        let passed = proxied.tlvs.iter().flat_map(|tlvs| tlvs.iter());
        let passed = passed
            .filter(|(kind, _)| config.pass_through_tlvs.includes(*kind) && !is_added(*kind))
            .map(|(kind, value)| (*kind, &**value));
        let tlvs: Vec<_> = added.chain(passed).collect();
        proxy_protocol::write(version, proxied.ends, &tlvs, &mut header);
        header
    }
}

fn ends_of(info: &StreamInfo) -> Option<Addresses> {
    let (source, destination) = (info.connection_remote.socket()?, info.local.socket()?);
    Some(Addresses { source, destination })
}

/// The host that a request is for, where `config` wants to know. An address is no name to ask for
/// (RFC 6066 §3), but a certificate may have to be for it.
fn server_name(config: &AutoSni, headers: &HeaderMap) -> Option<Box<str>> {
    if !config.auto_sni {
        return None;
    }
    let instead = config.override_header.as_ref();
    let instead = instead.and_then(|name| headers.get_by_name(name.as_bytes()));
    let authority = || headers.get(KnownHeader::Authority);
    let host = without_port(instead.filter(|value| !value.is_empty()).or_else(authority)?);
    let host = std::str::from_utf8(host).ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => config.auto_san_validation.then(|| ip.to_string().into()),
        Err(_) => Some(host.into()),
    }
}

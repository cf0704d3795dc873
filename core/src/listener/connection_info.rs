//! What is known of a downstream connection before its first request: Envoy's connection socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Instant;

use ringmain_config::address::Address;
use ringmain_config::metadata::Metadata;

use super::ConnectionLog;
use crate::http::stream::StreamInfo;
use crate::http::stream_objects::StreamObjects;
use crate::transport_socket::Tlvs;

/// What tells clients of TLS apart by what they offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFingerprints {
    /// JA3: 32 hexadecimal digits.
    pub ja3: Option<String>,
    /// JA4: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    pub ja4: Option<String>,
}

/// Addresses of a connection, and what listener filters found out about it.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Its number in the process; 0 until its filter chain is known, as with Envoy.
    pub id: u64,
    /// When it was accepted.
    pub accepted: Instant,
    /// What its listener's access log will say of it.
    pub log: Option<Rc<ConnectionLog>>,
    /// The client: the peer, or whom a PROXY header names.
    pub remote: Address,
    /// The peer of the socket.
    pub direct_remote: Address,
    /// Where the client wanted to go: our end, or what a PROXY header names.
    pub local: Address,
    /// Whether a listener filter has told where the client wanted to go.
    pub local_restored: bool,
    /// Our end of the socket.
    pub direct_local: Address,
    /// What else a PROXY header said that is kept.
    pub proxy_tlvs: Option<Tlvs>,
    /// What a PROXY header and network filters said for the dynamic metadata.
    pub dynamic_metadata: Option<Rc<Metadata>>,
    /// The name in the ClientHello, in lower case.
    pub requested_server_name: Option<Rc<str>>,
    /// The cluster that a network filter has named (`envoy.tcp_proxy.cluster`).
    pub cluster: Option<Rc<str>>,
    /// Fingerprints of the ClientHello, where some are taken.
    pub tls_fingerprints: Option<Rc<TlsFingerprints>>,
    /// Protocols that the ClientHello offers, or the one that the first bytes show.
    pub requested_application_protocols: Vec<Box<str>>,
    /// `tls` where a ClientHello was found, else `raw_buffer`.
    pub transport_protocol: &'static str,
    /// What a listener filter that looked for a ClientHello has found instead.
    pub transport_failure: Option<Rc<str>>,
}

impl ConnectionInfo {
    /// A connection just accepted: nothing is known but its ends.
    pub fn accepted(peer: Address, local: Address) -> Self {
        Self {
            id: 0,
            accepted: Instant::now(),
            log: None,
            remote: peer.clone(),
            direct_remote: peer,
            local: local.clone(),
            local_restored: false,
            direct_local: local,
            proxy_tlvs: None,
            dynamic_metadata: None,
            requested_server_name: None,
            cluster: None,
            tls_fingerprints: None,
            requested_application_protocols: Vec::new(),
            transport_protocol: "raw_buffer",
            transport_failure: None,
        }
    }

    /// A listener filter tells where the client wanted to go.
    pub fn restore_local(&mut self, local: impl Into<Address>) {
        self.local = local.into();
        self.local_restored = true;
    }

    /// Notes something for its listener's access log, where there is one.
    pub fn note(&self, change: impl FnOnce(&mut StreamInfo)) {
        if let Some(log) = &self.log {
            log.note(change);
        }
    }

    /// Names the cluster after what the ClientHello asks for, also for its listener's access log.
    pub fn name_cluster(&mut self) {
        self.cluster.clone_from(&self.requested_server_name);
        self.note(|record| record.objects = StreamObjects::of_connection(self));
    }

    /// Notes something in the dynamic metadata, also for its listener's access log.
    pub fn note_metadata(&mut self, change: impl FnOnce(&mut Metadata)) {
        change(Rc::make_mut(self.dynamic_metadata.get_or_insert_default()));
        self.note(|record| record.dynamic_metadata = self.dynamic_metadata.clone().into());
    }

    /// Whether the client is on this machine, as far as its address tells; one on a Unix socket is. Like
    /// Envoy, this takes no other address of 127.0.0.0/8 for loopback than the first.
    pub fn is_same_ip_or_loopback(&self) -> bool {
        let Some(remote) = self.remote.ip() else { return true };
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        self.local.ip() == Some(remote) || loopback.contains(&remote)
    }
}

//! `x-forwarded-client-cert`: what the next hop is told of the client's certificate.

use ringmain_config::http_connection_manager::{
    ClientCertDetails, ForwardClientCertDetails, HttpConnectionManager,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::request_headers::append_to_list;
use crate::transport_socket::tls::{TlsInfo, hex};

/// Applies `forward_client_cert_details` to the headers of a request.
pub fn forward_client_cert(
    config: &HttpConnectionManager,
    tls: Option<&TlsInfo>,
    headers: &mut HeaderMap,
) {
    use ForwardClientCertDetails as F;
    let details = config.forward_client_cert_details;
    if details == F::AlwaysForwardOnly {
        return;
    }
    let Some(tls) = tls.filter(|tls| tls.is_peer_presented() && details != F::Sanitize) else {
        headers.remove(KnownHeader::XForwardedClientCert);
        return;
    };
    let element = || element(tls, config.set_current_client_cert_details);
    match details {
        F::AppendForward => {
            let element = element();
            append_to_list(headers, KnownHeader::XForwardedClientCert, b",", element.as_bytes());
        }
        F::SanitizeSet => headers.set(KnownHeader::XForwardedClientCert, element().as_bytes()),
        F::Sanitize | F::ForwardOnly | F::AlwaysForwardOnly => {}
    }
}

/// The element that tells of one connection: `Key=value` pairs in Envoy's order.
fn element(tls: &TlsInfo, details: ClientCertDetails) -> String {
    let mut pairs: Vec<String> = Vec::new();
    let mut push = |key: &str, value: &str| pairs.push(format!("{key}={value}"));
    if let Some(local) = tls.local() {
        local.uri_sans.iter().for_each(|uri| push("By", uri));
    }
    let Some(peer) = tls.peer() else { return String::new() };
    push("Hash", &hex(&peer.sha256));
    if details.cert {
        push("Cert", &quoted(peer.url_encoded_pem()));
    }
    if details.chain {
        let chain = tls.peer_chain().iter();
        let chain: String = chain.map(|certificate| certificate.url_encoded_pem()).collect();
        push("Chain", &quoted(&chain));
    }
    if details.subject {
        push("Subject", &quoted(&peer.subject));
    }
    if details.uri {
        match &peer.uri_sans[..] {
            [] => push("URI", ""),
            uris => uris.iter().for_each(|uri| push("URI", uri)),
        }
    }
    if details.dns {
        peer.dns_sans.iter().for_each(|name| push("DNS", name));
    }
    pairs.join(";")
}

fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

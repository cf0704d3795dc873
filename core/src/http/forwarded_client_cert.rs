//! `x-forwarded-client-cert`: what the next hop is told of the client's certificate.

use std::borrow::Cow;

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
        local.uri_sans.iter().for_each(|uri| push("By", &on_one_line(uri)));
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
            uris => uris.iter().for_each(|uri| push("URI", &on_one_line(uri))),
        }
    }
    if details.dns {
        peer.dns_sans.iter().for_each(|name| push("DNS", &on_one_line(name)));
    }
    pairs.join(";")
}

/// A name whose control characters are percent-encoded: who has made the certificate may have put the end of a
/// line into it, and all that the next hop would take for another header or another request.
fn on_one_line(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_control()) {
        return Cow::Borrowed(name);
    }
    let encoded = name.chars().map(|character| match character.is_ascii_control() {
        true => format!("%{:02X}", u32::from(character)),
        false => character.to_string(),
    });
    Cow::Owned(encoded.collect())
}

fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_the_line() {
        assert_eq!(on_one_line("spiffe://td/a;b,c\"d"), "spiffe://td/a;b,c\"d");
        assert_eq!(on_one_line("a\r\nx: 1\0\u{7f}\u{fc}"), "a%0D%0Ax: 1%00%7F\u{fc}");
    }
}

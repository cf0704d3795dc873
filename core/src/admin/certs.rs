//! `/certs`: the certificates in use, those of listeners before those of clusters.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use ringmain_config::tls::CommonTlsContext;
use serde_json::{Value, json};

use super::respond;
use crate::server::Control;
use crate::transport_socket::tls::Certificate;

/// Certificates and authorities of each context.
pub async fn list(State(control): State<Arc<Control>>) -> Response {
    let contexts = control.tls_contexts();
    let certificates: Vec<Value> = contexts.iter().map(of_context).collect();
    respond::json(&json!({ "certificates": certificates }))
}

fn of_context(context: &CommonTlsContext) -> Value {
    let authorities = context.validation_context.iter().flat_map(|rules| {
        let shown = rules.trusted_ca.first().map(Certificate::parse);
        shown.map(|certificate| of_certificate(&rules.trusted_ca_origin, &certificate))
    });
    let chain = context.tls_certificates.iter().map(|certificate| {
        of_certificate(&certificate.origin, &Certificate::parse(certificate.leaf()))
    });
    json!({ "ca_cert": authorities.collect::<Vec<_>>(), "cert_chain": chain.collect::<Vec<_>>() })
}

fn of_certificate(path: &str, certificate: &Certificate) -> Value {
    let named = |kind: &str, names: &[String]| -> Vec<Value> {
        names.iter().map(|name| json!({ kind: name })).collect()
    };
    let mut names = named("dns", &certificate.dns_sans);
    names.extend(named("uri", &certificate.uri_sans));
    names.extend(named("ip_address", &certificate.ip_sans));
    json!({
        "path": path,
        "serial_number": certificate.serial,
        "subject_alt_names": names,
        "days_until_expiration": certificate.days_left().to_string(),
        "valid_from": moment(certificate.not_before),
        "expiration_time": moment(certificate.not_after),
    })
}

fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

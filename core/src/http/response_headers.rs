//! Preparing a response's headers before they go downstream.

use ringmain_config::http_connection_manager::ServerHeaderTransformation;
use ringmain_proto_codec::h1::{Version, encode_response, encode_response_http_10};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::ConnectionManager;
use super::clock::Clock;
use super::exchange::Exchange;
use super::request_headers::{append_via, fold_lists};

/// Writes the response's head into `exchange.encoded`, in the version that the client speaks.
pub fn encode_response_head(manager: &ConnectionManager, exchange: &mut Exchange, chunked: bool) {
    let Exchange { request, response, encoded, .. } = exchange;
    encoded.clear();
    match request.version {
        Version::Http11 => {
            encode_response(
                response.status,
                &response.headers,
                chunked,
                manager.key_format,
                encoded,
            );
        }
        Version::Http10 => {
            encode_response_http_10(
                response.status,
                &response.headers,
                manager.key_format,
                encoded,
            );
        }
    }
}

/// Says whether the connection goes on, where the version's default does not say it.
pub fn set_connection(headers: &mut HeaderMap, version: Version, closes: bool) {
    if closes {
        headers.append_known(KnownHeader::Connection, b"close");
    } else if version == Version::Http10 {
        headers.append_known(KnownHeader::Connection, b"keep-alive");
    }
}

/// What every response gets, whether an upstream or we made it.
pub fn prepare_response(
    manager: &ConnectionManager,
    response: &mut HeaderMap,
    request: &HeaderMap,
    clock: &Clock,
) {
    let config = &manager.config;
    fold_lists(response);
    for name in [
        KnownHeader::Connection,
        KnownHeader::Upgrade,
        KnownHeader::TransferEncoding,
        KnownHeader::KeepAlive,
        KnownHeader::ProxyConnection,
    ] {
        response.remove(name);
    }
    if !response.contains(KnownHeader::Date) {
        response.append_known(KnownHeader::Date, &clock.date());
    }
    let server = config.server_name.as_bytes();
    match config.server_header_transformation {
        ServerHeaderTransformation::Overwrite => response.set(KnownHeader::Server, server),
        ServerHeaderTransformation::AppendIfAbsent => {
            if !response.contains(KnownHeader::Server) {
                response.append_known(KnownHeader::Server, server);
            }
        }
        ServerHeaderTransformation::PassThrough => {}
    }
    let wants_id =
        config.always_set_request_id_in_response || request.contains(KnownHeader::XEnvoyForceTrace);
    if wants_id && let Some(id) = request.get(KnownHeader::XRequestId) {
        response.set(KnownHeader::XRequestId, id);
    }
    append_via(response, &config.via);
}

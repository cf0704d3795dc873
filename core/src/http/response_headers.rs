//! Preparing a response's headers before they go downstream.

use ringmain_config::http_connection_manager::ServerHeaderTransformation;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::ConnectionManager;
use super::clock::Clock;
use super::request_headers::{append_via, fold_lists};

/// What every response gets, whether an upstream or we made it. One that `leaves_http` keeps what says
/// so.
pub fn prepare_response(
    manager: &ConnectionManager,
    response: &mut HeaderMap,
    request: &HeaderMap,
    clock: &Clock,
    leaves_http: bool,
) {
    let config = &manager.config;
    fold_lists(response);
    remove_hop_by_hop(response, leaves_http);
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

/// The same for an interim response, which says nothing of us.
pub fn prepare_interim(response: &mut HeaderMap) {
    fold_lists(response);
    remove_hop_by_hop(response, false);
}

fn remove_hop_by_hop(response: &mut HeaderMap, leaves_http: bool) {
    if !leaves_http {
        response.remove(KnownHeader::Connection);
        response.remove(KnownHeader::Upgrade);
    }
    for name in
        [KnownHeader::TransferEncoding, KnownHeader::KeepAlive, KnownHeader::ProxyConnection]
    {
        response.remove(name);
    }
}

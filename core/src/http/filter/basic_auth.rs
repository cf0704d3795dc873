//! `envoy.filters.http.basic_auth`: lets pass who names a user and the password (RFC 7617), or answers
//! 401.

use std::io::Write;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use ringmain_config::http_filter::{BasicAuth, Users};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::{FilterReply, FilterView, ReplyHeaders, RouteFilter, Verdict};
use crate::http::local_reply::LocalReply;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

stats_block! {
    /// `http.<stat_prefix>.basic_auth.`
    BasicAuthStats {
        counters {
            allowed,
            denied,
        }
        gauges {}
    }
}

/// Base64 with or without `=` at its end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How much of the path a client that is refused is told again.
const REALM_PATH_BYTES_MAX: usize = 256;

/// Defines the refusals.
macro_rules! refusals {
    ($($name:ident = $body:literal, $details:literal;)*) => {
        $(const $name: LocalReply = LocalReply {
            status: 401,
            body: concat!("User authentication failed. ", $body),
            details: concat!($details, "_for_basic_auth"),
            flag: None,
        };)*
    };
}

refusals! {
    MISSING = "Missing username and password.", "no_credential";
    OTHER_SCHEME = "Expected 'Basic' authentication scheme.", "invalid_scheme";
    MALFORMED = "Invalid basic credential format.", "invalid_format";
    WRONG = "Invalid username/password combination.", "invalid_credential";
}

/// The filter.
#[derive(Debug)]
pub struct BasicAuthFilter {
    config: BasicAuth,
    stats: PerWorker<BasicAuthStats>,
}

impl BasicAuthFilter {
    pub(super) fn new(config: &BasicAuth, workers: usize) -> Self {
        Self { config: config.clone(), stats: PerWorker::new(workers) }
    }

    pub(super) fn on_request<'m>(&self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::BasicAuth(users) => Some(users),
            _ => None,
        });
        let stats = self.stats.of(view.worker.id);
        match self.judge(own.unwrap_or(&self.config.users), view) {
            Ok(Judged::Allowed) => {
                stats.allowed.inc();
                Verdict::Continue
            }
            Ok(Judged::Unasked) => Verdict::Continue,
            Err(reply) => {
                stats.denied.inc();
                let start = view.text.len();
                write_realm(&view.exchange.request.headers, view.text);
                let field = Some((KnownHeader::WwwAuthenticate, start));
                let headers = ReplyHeaders::And { options: &[], field };
                Verdict::Reply(FilterReply { headers, ..reply.into() })
            }
        }
    }

    fn judge(&self, users: &Users, view: &mut FilterView<'_, '_>) -> Result<Judged, LocalReply> {
        let exchange = &mut *view.exchange;
        let headers = &mut exchange.request.headers;
        let value = headers.get_by_name(self.config.authentication_header.as_bytes());
        let credentials = value.and_then(|value| value.strip_prefix(b"Basic "));
        let Some(credentials) = credentials else {
            return match value {
                _ if self.config.allow_missing => Ok(Judged::Unasked),
                None => Err(MISSING),
                Some(_) => Err(OTHER_SCHEME),
            };
        };
        let decoded = &mut exchange.scratch;
        decoded.clear();
        LENIENT.decode_vec(credentials, decoded).map_err(|_| MALFORMED)?;
        let colon = memchr::memchr(b':', decoded).ok_or(MALFORMED)?;
        let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
        if !is_password_of(users, name, password) {
            return Err(WRONG);
        }
        let forwarded = self.config.forward_username_header.as_bytes();
        if !forwarded.is_empty() {
            // What was there is replaced at the end, as in Envoy.
            headers.remove_by_name(forwarded);
            headers.append(forwarded, name);
        }
        Ok(Judged::Allowed)
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        http.within("basic_auth").block(&self.stats, stats);
    }
}

/// Why a request passes.
enum Judged {
    /// By its credentials.
    Allowed,
    /// It has none, and needs none.
    Unasked,
}

fn is_password_of(users: &Users, name: &[u8], password: &[u8]) -> bool {
    let Some(hash) = std::str::from_utf8(name).ok().and_then(|name| users.hash_of(name)) else {
        return false;
    };
    let mut given = [0; 28];
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
    STANDARD.encode_slice(sha1, &mut given).is_ok() && given[..] == *hash.as_bytes()
}

/// What credentials are asked for: the URL of the request.
fn write_realm(headers: &HeaderMap, text: &mut Vec<u8>) {
    let of = |name| headers.get(name).unwrap_or_default();
    let path = headers.get(KnownHeader::XEnvoyOriginalPath).unwrap_or(of(KnownHeader::Path));
    write!(text, "Basic realm=\"").expect("writing to memory does not fail");
    text.extend_from_slice(of(KnownHeader::XForwardedProto));
    text.extend_from_slice(b"://");
    text.extend_from_slice(of(KnownHeader::Authority));
    text.extend_from_slice(&path[..path.len().min(REALM_PATH_BYTES_MAX)]);
    text.push(b'"');
}

//! `envoy.filters.http.compressor`: has responses compressed that their client takes so.
//!
//! The filter judges heads; [`BodyEncoder`] changes the body as it passes.

mod accept_encoding;

use ringmain_config::http_filter::{
    Compressor as Config, CompressorLibrary, CompressorPerRoute, ResponseDirection,
};
use ringmain_proto_codec::h1::BodyLength;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use smallvec::SmallVec;

use super::{FilterState, FilterView, RouteFilter, Verdict};
use crate::http::body_encoder::BodyEncoder;
use crate::stats::{PerWorker, Scope, Stat, stats_block};
use accept_encoding::{Choice, Offer, choose};

const VARY: &[u8] = b"vary";
const ACCEPT_ENCODING: &[u8] = b"Accept-Encoding";
const COMPRESSION_STATUS: &[u8] = b"x-envoy-compression-status";

stats_block! {
    /// `http.<stat_prefix>.compressor.<library name>.<library>.[request.|response.]`
    DirectionStats {
        counters {
            compressed,
            content_length_too_small,
            not_compressed,
            total_compressed_bytes,
            total_uncompressed_bytes,
        }
        gauges {}
    }
}

stats_block! {
    /// `http.<stat_prefix>.compressor.<library name>.<library>.`
    ChoiceStats {
        counters {
            header_compressor_overshadowed,
            header_compressor_used,
            header_identity,
            header_not_valid,
            header_wildcard,
            no_accept_header,
            not_compressed_etag,
        }
        gauges {}
    }
}

/// The filter.
#[derive(Debug)]
pub struct CompressorFilter {
    config: Config,
    responses: PerWorker<DirectionStats>,
    /// None is compressed.
    requests: PerWorker<DirectionStats>,
    choices: PerWorker<ChoiceStats>,
}

/// Why a response stays as it is, as `x-envoy-compression-status` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    ContentLengthTooSmall,
    ContentTypeNotAllowed,
    EtagNotAllowed,
    StatusCodeNotAllowed,
}

impl Obstacle {
    fn name(self) -> &'static str {
        match self {
            Self::ContentLengthTooSmall => "ContentLengthTooSmall",
            Self::ContentTypeNotAllowed => "ContentTypeNotAllowed",
            Self::EtagNotAllowed => "EtagNotAllowed",
            Self::StatusCodeNotAllowed => "StatusCodeNotAllowed",
        }
    }
}

/// The filter as a route has it.
#[derive(Clone, Copy)]
struct OnRoute<'f> {
    filter: &'f CompressorFilter,
    own: Option<&'f CompressorPerRoute>,
}

impl<'f> OnRoute<'f> {
    fn direction(self) -> &'f ResponseDirection {
        &self.filter.config.response
    }

    fn is_enabled(self) -> bool {
        self.own.and_then(|own| own.response_enabled).unwrap_or(self.direction().enabled)
    }

    fn removes_accept_encoding(self) -> bool {
        let own = self.own.and_then(|own| own.remove_accept_encoding_header);
        own.unwrap_or(self.direction().remove_accept_encoding_header)
    }

    fn library(self) -> &'f CompressorLibrary {
        self.own.and_then(|own| own.library.as_ref()).unwrap_or(&self.filter.config.library)
    }
}

impl CompressorFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self {
            config: config.clone(),
            responses: PerWorker::new(workers),
            requests: PerWorker::new(workers),
            choices: PerWorker::new(workers),
        }
    }

    pub(super) fn on_request<'m>(&'m self, view: &mut FilterView<'_, 'm>) -> Verdict<'m> {
        self.requests.of(view.worker.id).not_compressed.inc();
        let on_route = self.on_route(view);
        let headers = &mut view.exchange.request.headers;
        if let Some(value) = headers.get(KnownHeader::AcceptEncoding) {
            let start = view.text.len();
            view.text.extend_from_slice(value);
            *view.state = FilterState::AcceptEncoding(start..view.text.len());
        }
        if on_route.is_enabled() && on_route.removes_accept_encoding() {
            headers.remove(KnownHeader::AcceptEncoding);
        }
        Verdict::Continue
    }

    pub(super) fn on_response<'m>(&'m self, view: &mut FilterView<'_, 'm>) {
        let on_route = self.on_route(view);
        let is_compressed = match self.config.response.status_header_enabled {
            true => self.judge_and_tell(on_route, view),
            false => self.judge(on_route, view),
        };
        let stats = self.responses.of(view.worker.id);
        if !is_compressed {
            stats.not_compressed.inc();
            return;
        }
        stats.compressed.inc();
        *view.state = FilterState::Compressing;
        view.exchange.filters.encoder = Some(Box::new(BodyEncoder::new(on_route.library())));
    }

    pub(super) fn on_end(&self, view: &mut FilterView<'_, '_>) {
        let encoder = view.exchange.filters.encoder.as_ref();
        if let (FilterState::Compressing, Some(encoder)) = (&view.state, encoder) {
            let stats = self.responses.of(view.worker.id);
            stats.total_uncompressed_bytes.add(encoder.uncompressed_bytes);
            stats.total_compressed_bytes.add(encoder.compressed_bytes);
        }
    }

    fn on_route<'m>(&'m self, view: &FilterView<'_, 'm>) -> OnRoute<'m> {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::Compressor(own) => Some(own),
            _ => None,
        });
        OnRoute { filter: self, own }
    }

    /// Whether the response is compressed; its head then says so.
    fn judge(&self, on_route: OnRoute<'_>, view: &mut FilterView<'_, '_>) -> bool {
        let is_candidate = on_route.is_enabled() && self.is_long_enough(view);
        let obstacle = (is_candidate && may_be_changed(view)).then(|| self.other_obstacle(view));
        let is_compressible = obstacle == Some(None);
        if obstacle == Some(Some(Obstacle::EtagNotAllowed)) {
            self.choices.of(view.worker.id).not_compressed_etag.inc();
        }
        let has_body = !view.exchange.response.body.is_empty();
        let is_compressed =
            has_body && is_candidate && self.client_takes(on_route, view) && is_compressible;
        if is_compressed {
            self.change_head(on_route, view);
        }
        if is_compressible {
            add_vary(&mut view.exchange.response.headers);
        }
        is_compressed
    }

    /// The same, and the head tells why it is not.
    fn judge_and_tell(&self, on_route: OnRoute<'_>, view: &mut FilterView<'_, '_>) -> bool {
        if !on_route.is_enabled() || !may_be_changed(view) {
            return false;
        }
        let too_short = (!self.is_long_enough(view)).then_some(Obstacle::ContentLengthTooSmall);
        let obstacle = too_short.or_else(|| self.other_obstacle(view));
        if obstacle.is_none() {
            add_vary(&mut view.exchange.response.headers);
        }
        if view.exchange.response.body.is_empty() {
            return false;
        }
        let encoding = on_route.library().content_encoding();
        if let Some(obstacle) = obstacle {
            match obstacle {
                // As in Envoy, which asks once more.
                Obstacle::ContentLengthTooSmall => _ = self.is_long_enough(view),
                Obstacle::EtagNotAllowed => {
                    self.choices.of(view.worker.id).not_compressed_etag.inc();
                }
                Obstacle::ContentTypeNotAllowed | Obstacle::StatusCodeNotAllowed => {}
            }
            let status = format!("{encoding};{}", obstacle.name());
            view.exchange.response.headers.append(COMPRESSION_STATUS, status.as_bytes());
            return false;
        }
        if !self.client_takes(on_route, view) {
            return false;
        }
        let headers = &view.exchange.response.headers;
        let mut status = format!("{encoding};Compressed;OriginalLength=").into_bytes();
        status.extend_from_slice(headers.get(KnownHeader::ContentLength).unwrap_or_default());
        self.change_head(on_route, view);
        view.exchange.response.headers.append(COMPRESSION_STATUS, &status);
        true
    }

    fn is_long_enough(&self, view: &FilterView<'_, '_>) -> bool {
        let length = view.exchange.response.headers.get(KnownHeader::ContentLength);
        let Some(length) = length else { return true };
        let length = std::str::from_utf8(length).ok().and_then(|text| text.parse::<u64>().ok());
        let suffices = length.is_some_and(|it| it >= self.config.response.min_content_length);
        if !suffices {
            self.responses.of(view.worker.id).content_length_too_small.inc();
        }
        suffices
    }

    /// What of the head but its length keeps the response as it is.
    fn other_obstacle(&self, view: &FilterView<'_, '_>) -> Option<Obstacle> {
        let response = &view.exchange.response;
        let direction = &self.config.response;
        let content_type = response.headers.get(KnownHeader::ContentType).map(without_parameters);
        if !content_type.is_none_or(|name| direction.content_types.include(name)) {
            return Some(Obstacle::ContentTypeNotAllowed);
        }
        let keeps_etags = direction.disable_on_etag_header && !direction.weaken_etag_on_compress;
        if keeps_etags && response.headers.contains(KnownHeader::Etag) {
            return Some(Obstacle::EtagNotAllowed);
        }
        let refused = direction.uncompressible_response_codes.contains(&response.status);
        refused.then_some(Obstacle::StatusCodeNotAllowed)
    }

    /// Whether the client takes this filter's encoding, and likes none better that another one has.
    fn client_takes(&self, on_route: OnRoute<'_>, view: &FilterView<'_, '_>) -> bool {
        let stats = self.choices.of(view.worker.id);
        let FilterState::AcceptEncoding(accepted) = &view.state else {
            stats.no_accept_header.inc();
            return false;
        };
        let encoding = on_route.library().content_encoding();
        let choice = choose(&view.text[accepted.clone()], offers(on_route, view));
        match choice {
            Choice::Named(named) if named == encoding => stats.header_compressor_used.inc(),
            Choice::Named(_) => stats.header_compressor_overshadowed.inc(),
            Choice::Wildcard(_) => stats.header_wildcard.inc(),
            Choice::Identity => stats.header_identity.inc(),
            Choice::NotValid => stats.header_not_valid.inc(),
        }
        matches!(choice, Choice::Named(chosen) | Choice::Wildcard(chosen) if chosen == encoding)
    }

    fn change_head(&self, on_route: OnRoute<'_>, view: &mut FilterView<'_, '_>) {
        let response = &mut view.exchange.response;
        let headers = &mut response.headers;
        change_etag(headers, self.config.response.weaken_etag_on_compress);
        headers.remove(KnownHeader::ContentLength);
        let encoding = on_route.library().content_encoding();
        headers.set(KnownHeader::ContentEncoding, encoding.as_bytes());
        response.body = BodyLength::Chunked;
    }

    pub(super) fn stats(&self, http: &Scope, stats: &mut Vec<Stat>) {
        let library = self.config.library.stat_name();
        let scope = http.within("compressor").within(&self.config.library_name).within(library);
        scope.block(&self.choices, stats);
        scope.within("request").block(&self.requests, stats);
        match self.config.has_response_direction {
            true => scope.within("response").block(&self.responses, stats),
            false => scope.block(&self.responses, stats),
        }
    }
}

/// What the filters have that serve the exchange, each encoding once.
fn offers(deciding: OnRoute<'_>, view: &FilterView<'_, '_>) -> SmallVec<[Offer; 4]> {
    let content_type = view.exchange.response.headers.get(KnownHeader::ContentType);
    let mut offers = SmallVec::<[Offer; 4]>::new();
    for filter in view.manager.filters.compressors(view.exchange) {
        let types = &filter.config.response.content_types;
        let name = content_type.map(without_parameters).filter(|name| !name.is_empty());
        if !name.is_none_or(|name| types.include(name)) {
            continue;
        }
        let decides = std::ptr::eq(filter, deciding.filter);
        let library = if decides { deciding.library() } else { &filter.config.library };
        let encoding = library.content_encoding();
        if offers.iter().all(|offer| offer.encoding != encoding) {
            offers.push(Offer { encoding, choose_first: filter.config.choose_first });
        }
    }
    offers
}

/// Whether a body may be changed on its way, and is not compressed yet.
fn may_be_changed(view: &FilterView<'_, '_>) -> bool {
    let headers = &view.exchange.response.headers;
    let forbidden = headers.get(KnownHeader::CacheControl).is_some_and(|value| {
        let mut directives = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
    });
    !forbidden && !headers.contains(KnownHeader::ContentEncoding) && !view.exchange.leaves_http()
}

fn without_parameters(content_type: &[u8]) -> &[u8] {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    content_type[..end].trim_ascii()
}

/// A strong tag would name the bytes that the upstream has sent (RFC 9110 §8.8.1).
fn change_etag(headers: &mut HeaderMap, weakens: bool) {
    let Some(tag) = headers.get(KnownHeader::Etag) else { return };
    let is_weak = tag.len() > 1 && tag[0].eq_ignore_ascii_case(&b'w') && tag[1] == b'/';
    if tag.len() <= 2 || is_weak {
        return;
    }
    if weakens {
        let weak = [b"W/", tag].concat();
        headers.set(KnownHeader::Etag, &weak);
    } else {
        headers.remove(KnownHeader::Etag);
    }
}

/// A cache has to know that other clients get other bytes (RFC 9110 §12.5.5).
fn add_vary(headers: &mut HeaderMap) {
    if headers.get_by_name(VARY).is_none() {
        return headers.append(VARY, ACCEPT_ENCODING);
    }
    let vary = headers.get_all_by_name(VARY).collect::<Vec<_>>().join(&b","[..]);
    let mut names = vary.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if !names.any(|name| name == ACCEPT_ENCODING) {
        headers.set_by_name(VARY, &[&vary, &b", "[..], ACCEPT_ENCODING].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_tags_go_or_become_weak() {
        for (tag, weakened, kept) in [
            ("\"a\"", "W/\"a\"", None),
            ("W/\"a\"", "W/\"a\"", Some("W/\"a\"")),
            ("w/\"a\"", "w/\"a\"", Some("w/\"a\"")),
            ("ab", "ab", Some("ab")),
        ] {
            let mut headers = HeaderMap::default();
            headers.append(b"etag", tag.as_bytes());
            change_etag(&mut headers, true);
            assert_eq!(headers.get(KnownHeader::Etag), Some(weakened.as_bytes()));
            headers.set(KnownHeader::Etag, tag.as_bytes());
            change_etag(&mut headers, false);
            assert_eq!(headers.get(KnownHeader::Etag), kept.map(str::as_bytes));
        }
    }

    #[test]
    fn vary_names_the_header_once() {
        let mut headers = HeaderMap::default();
        add_vary(&mut headers);
        add_vary(&mut headers);
        assert_eq!(headers.get_by_name(VARY), Some(ACCEPT_ENCODING));
        headers.set_by_name(VARY, b"origin");
        add_vary(&mut headers);
        assert_eq!(headers.get_by_name(VARY), Some(&b"origin, Accept-Encoding"[..]));
    }
}

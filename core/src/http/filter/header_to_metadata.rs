//! `envoy.filters.http.header_to_metadata`: notes what headers and cookies say for filters behind it,
//! for logs and for the choice of hosts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ringmain_config::http_filter::{
    HeaderToMetadata as Config, MetadataPair, MetadataPairValue, MetadataRule, MetadataRuleSource,
    MetadataValueType,
};
use ringmain_config::metadata::{decode_value, json_number};
use ringmain_proto_codec::HeaderMap;
use serde_json::Value;

use super::{FilterView, RouteFilter};
use crate::http::dynamic_metadata::DynamicMetadata;
use crate::http::header_matching::cookie;
use crate::stats::{PerWorker, Scope, Stat, stats_block};

stats_block! {
    /// `http_filter_name.<stat_prefix>.`
    HeaderToMetadataStats {
        counters {
            base64_decode_failed,
            header_value_too_long,
            regex_substitution_failed,
            request_header_not_found,
            request_metadata_added,
            request_rules_processed,
            response_header_not_found,
            response_metadata_added,
            response_rules_processed,
        }
        gauges {}
    }
}

/// Values of this length are not noted any more.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// The filter, or what a level of a route configuration puts in its place.
#[derive(Debug)]
pub struct HeaderToMetadataFilter {
    config: Config,
    stats: PerWorker<HeaderToMetadataStats>,
}

/// What became of rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    missing: u64,
    added: u64,
    too_long: u64,
    not_base64: u64,
    emptied: u64,
}

impl HeaderToMetadataFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self { config: config.clone(), stats: PerWorker::new(workers) }
    }

    /// The one that counts for the route.
    fn of<'m>(&'m self, view: &FilterView<'_, 'm>) -> &'m Self {
        let own = view.levels.iter().find_map(|level| match &**level {
            RouteFilter::HeaderToMetadata(own) => Some(&**own),
            _ => None,
        });
        own.unwrap_or(self)
    }

    pub(super) fn on_request(&self, view: &mut FilterView<'_, '_>) {
        let Self { config, stats } = self.of(view);
        let exchange = &mut *view.exchange;
        let metadata = &mut exchange.info.dynamic_metadata;
        let counts = note(&config.request_rules, &mut exchange.request.headers, metadata);
        let stats = stats.of(view.worker.id);
        stats.request_rules_processed.add(config.request_rules.len() as u64);
        stats.request_header_not_found.add(counts.missing);
        stats.request_metadata_added.add(counts.added);
        stats.count_unusable(&counts);
    }

    pub(super) fn on_response(&self, view: &mut FilterView<'_, '_>) {
        let Self { config, stats } = self.of(view);
        let exchange = &mut *view.exchange;
        let metadata = &mut exchange.info.dynamic_metadata;
        let counts = note(&config.response_rules, &mut exchange.response.headers, metadata);
        let stats = stats.of(view.worker.id);
        stats.response_rules_processed.add(config.response_rules.len() as u64);
        stats.response_header_not_found.add(counts.missing);
        stats.response_metadata_added.add(counts.added);
        stats.count_unusable(&counts);
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        if let Some(prefix) = &self.config.stat_prefix {
            Scope::plain("http_filter_name").within(prefix).block(&self.stats, stats);
        }
    }
}

impl HeaderToMetadataStats {
    fn count_unusable(&self, counts: &Counts) {
        self.header_value_too_long.add(counts.too_long);
        self.base64_decode_failed.add(counts.not_base64);
        self.regex_substitution_failed.add(counts.emptied);
    }
}

/// Notes what `rules` find in `headers`.
fn note(rules: &[MetadataRule], headers: &mut HeaderMap, noted: &mut DynamicMetadata) -> Counts {
    let mut counts = Counts::default();
    for rule in rules {
        let found = take(rule, headers);
        let (pair, found) = match (found, &rule.on_header_present, &rule.on_header_missing) {
            (Some(found), Some(pair), _) => (pair, found),
            (None, _, Some(pair)) => {
                counts.missing += 1;
                (pair, Vec::new())
            }
            _ => continue,
        };
        if let Some(value) = value_of(pair, found, &mut counts) {
            counts.added += 1;
            noted.get_mut().put(&pair.metadata_namespace, &pair.key, value);
        }
    }
    counts
}

/// What the rule's source says, if it is there. A header that is to be removed is gone then.
fn take(rule: &MetadataRule, headers: &mut HeaderMap) -> Option<Vec<u8>> {
    let name = match &rule.source {
        MetadataRuleSource::Header(name) => name.as_bytes(),
        MetadataRuleSource::Cookie(name) => {
            let value = cookie(headers, name.as_bytes())?;
            return Some(value.to_vec()).filter(|value| !value.is_empty());
        }
    };
    let mut lines = headers.get_all_by_name(name);
    let mut found = lines.next()?.to_vec();
    for line in lines {
        found.push(b',');
        found.extend_from_slice(line);
    }
    if rule.remove {
        headers.remove_by_name(name);
    }
    Some(found)
}

/// The value that `pair` has noted where its source says `found`.
fn value_of(pair: &MetadataPair, found: Vec<u8>, counts: &mut Counts) -> Option<Value> {
    let text = match &pair.value {
        MetadataPairValue::Found => found,
        MetadataPairValue::Fixed(value) => value.clone().into_bytes(),
        MetadataPairValue::Rewritten(rewrite) => {
            let mut rewritten = Vec::new();
            rewrite.rewrite(&found, &mut rewritten);
            counts.emptied += u64::from(rewritten.is_empty() && !found.is_empty());
            rewritten
        }
    };
    if text.is_empty() {
        return None;
    }
    if text.len() >= VALUE_BYTES_MAX {
        counts.too_long += 1;
        return None;
    }
    if !pair.is_base64 {
        return typed(pair.value_type, text);
    }
    let decoded = decode_base64(&text);
    counts.not_base64 += u64::from(decoded.is_none());
    typed(pair.value_type, decoded?)
}

/// With or without `=` at the end. Nothing is no value.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    STANDARD_NO_PAD.decode(text).ok().filter(|decoded| !decoded.is_empty())
}

fn typed(value_type: MetadataValueType, text: Vec<u8>) -> Option<Value> {
    match value_type {
        MetadataValueType::String => Some(string(text)),
        MetadataValueType::Number => {
            let number: f64 = std::str::from_utf8(&text).ok()?.trim().parse().ok()?;
            number.is_finite().then(|| json_number(number))
        }
        MetadataValueType::ProtobufValue => decode_value(&text),
    }
}

/// Bytes that are no UTF-8 are taken for Latin-1, as Envoy writes them.
fn string(text: Vec<u8>) -> Value {
    match String::from_utf8(text) {
        Ok(text) => text.into(),
        Err(error) => {
            error.as_bytes().iter().map(|byte| char::from(*byte)).collect::<String>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(source: MetadataRuleSource, pair: MetadataPair) -> MetadataRule {
        MetadataRule {
            source,
            on_header_present: Some(pair.clone()),
            on_header_missing: Some(MetadataPair {
                value: MetadataPairValue::Fixed("none".into()),
                ..pair
            }),
            remove: false,
        }
    }

    fn pair(key: &str) -> MetadataPair {
        MetadataPair {
            metadata_namespace: "ns".into(),
            key: key.into(),
            value: MetadataPairValue::Found,
            value_type: MetadataValueType::String,
            is_base64: false,
        }
    }

    fn header(name: &str) -> MetadataRuleSource {
        MetadataRuleSource::Header(name.into())
    }

    fn noted(rules: &[MetadataRule], headers: &mut HeaderMap) -> (Option<Value>, Counts) {
        let mut metadata = DynamicMetadata::default();
        let counts = note(rules, headers, &mut metadata);
        (metadata.get().and_then(|metadata| metadata.0.get("ns").cloned()), counts)
    }

    #[test]
    fn lines_of_a_header_are_joined_and_a_header_that_is_removed_is_missing_after() {
        let mut headers = HeaderMap::new();
        headers.append(b"x-a", b"1");
        headers.append(b"x-a", b"2");
        let rules = [
            MetadataRule { remove: true, ..rule(header("x-a"), pair("a")) },
            rule(header("x-a"), pair("b")),
        ];
        let (value, counts) = noted(&rules, &mut headers);
        assert_eq!(value, Some(json!({ "a": "1,2", "b": "none" })));
        assert_eq!(counts, Counts { missing: 1, added: 2, ..Counts::default() });
        assert!(headers.is_empty());
    }

    #[test]
    fn an_empty_header_is_there_but_says_nothing_and_an_empty_cookie_is_missing() {
        let mut headers = HeaderMap::new();
        headers.append(b"x-a", b"");
        headers.append(b"cookie", b"c=");
        let empty = rule(header("x-a"), pair("a"));
        assert_eq!(noted(&[empty], &mut headers), (None, Counts::default()));
        let cookie = rule(MetadataRuleSource::Cookie("c".into()), pair("c"));
        assert_eq!(noted(&[cookie], &mut headers).0, Some(json!({ "c": "none" })));
    }

    #[test]
    fn values_become_what_their_type_says() {
        let of = |value_type, text: &str| typed(value_type, text.as_bytes().to_vec());
        assert_eq!(of(MetadataValueType::Number, " 7 "), Some(json!(7)));
        assert_eq!(of(MetadataValueType::Number, "+1.5e1"), Some(json!(15)));
        for none in ["abc", "", "1e400", "nan", "0x10"] {
            assert_eq!(of(MetadataValueType::Number, none), None, "{none}");
        }
        assert_eq!(of(MetadataValueType::ProtobufValue, "\x1a\x03abc"), Some(json!("abc")));
        assert_eq!(of(MetadataValueType::ProtobufValue, "\0\0"), None);
        assert_eq!(typed(MetadataValueType::String, b"\xe9a".to_vec()), Some(json!("\u{e9}a")));
    }

    #[test]
    fn base64_may_lack_its_padding() {
        assert_eq!(decode_base64(b"aGVsbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode_base64(b"aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        for none in ["=", "!!", "aGVs bG8=", "aGVsbG9", "a"] {
            assert_eq!(decode_base64(none.as_bytes()), None, "{none}");
        }
    }
}

//! Replays the committed corpora, and what a few random edits make of them, without a fuzzer.

use std::fs;
use std::path::Path;

/// Edited copies tried of each file.
const EDITS: u64 = 300;
/// The same for configurations, each of which takes the decoding of Envoy's schema.
const CONFIGURATION_EDITS: u64 = 20;

fn replay(target: &str, check: fn(&[u8])) {
    replay_edited(target, check, EDITS);
}

fn replay_edited(target: &str, check: fn(&[u8]), edits: u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let files = fs::read_dir(&folder).expect("each target has a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no corpus in {}", folder.display());
    let inputs: Vec<Vec<u8>> =
        paths.iter().map(|path| fs::read(path).expect("a readable file")).collect();
    for input in &inputs {
        check(input);
    }
    for (at, input) in inputs.iter().enumerate() {
        for seed in 0..edits {
            check(&edited(input, &inputs[(at + seed as usize) % inputs.len()], seed));
        }
    }
}

/// `input` with up to three edits that `seed` decides; `other` is where foreign bytes come from.
fn edited(input: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut below = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound.max(1)
    };
    let mut bytes = input.to_vec();
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        let from = &other[below(other.len()).min(other.len())..];
        match below(6) {
            0 if at < bytes.len() => bytes[at] = b"\r\n\t\0 :;,#_0\x7f\xe9"[below(13)],
            1 if at < bytes.len() => bytes[at] ^= 1 << below(8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => bytes.splice(at..at, from.iter().copied().take(16)).for_each(drop),
            _ => bytes.insert(at, b"\r\n\t\0 :;,#_0\x7f\xe9"[below(13)]),
        }
    }
    bytes
}

#[test]
fn auto() {
    replay("auto", ringmain_fuzz::auto::check);
}

#[test]
fn h2_connection() {
    replay("h2_connection", ringmain_fuzz::h2_connection::check);
}

#[test]
fn h2_flood() {
    replay("h2_flood", ringmain_fuzz::h2_flood::check);
}

#[test]
fn h2_upstream() {
    replay("h2_upstream", ringmain_fuzz::h2_upstream::check);
}

#[test]
fn filter_chain_match() {
    replay("filter_chain_match", ringmain_fuzz::filter_chain_match::check);
}

#[test]
fn config_load() {
    replay_edited("config_load", ringmain_fuzz::config_load::check, CONFIGURATION_EDITS);
}

#[test]
fn h1_request() {
    replay("h1_request", ringmain_fuzz::h1_request::check);
}

#[test]
fn h1_response() {
    replay("h1_response", ringmain_fuzz::h1_response::check);
}

#[test]
fn substitution_format() {
    replay("substitution_format", ringmain_fuzz::substitution_format::check);
}

#[test]
fn h1_chunked() {
    replay("h1_chunked", ringmain_fuzz::h1_chunked::check);
}

#[test]
fn rbac() {
    replay("rbac", ringmain_fuzz::rbac::check);
}

#[test]
fn route_match() {
    replay("route_match", ringmain_fuzz::route_match::check);
}

#[test]
fn client_hello() {
    replay("client_hello", ringmain_fuzz::client_hello::check);
}

#[test]
fn proxy_protocol() {
    replay("proxy_protocol", ringmain_fuzz::proxy_protocol::check);
}

#[test]
fn h1_connection() {
    replay("h1_connection", ringmain_fuzz::h1_connection::check);
}

#[test]
fn header_conversion() {
    replay("header_conversion", ringmain_fuzz::header_conversion::check);
}

#[test]
fn header_map() {
    replay("header_map", ringmain_fuzz::header_map::check);
}

#[test]
fn scope_key() {
    replay("scope_key", ringmain_fuzz::scope_key::check);
}

//! What the options of `load` do.

use ringmain_config::{LoadError, LoadOptions, Loaded, load};

use crate::skeleton::{ORIGIN, file, told, with_paths};

fn told_with(slot: &str, fragment: &str, options: &LoadOptions) -> String {
    told(&load(ORIGIN, &file(slot, fragment), options))
}

fn with_overlay(overlay: &str) -> Result<Loaded, LoadError> {
    let options = LoadOptions { overlay: Some(overlay.to_owned()), ..LoadOptions::default() };
    load(ORIGIN, &file("root", "node: {id: base, cluster: edge}"), &options)
}

fn allowing(path: &str) -> LoadOptions {
    LoadOptions { allow_unsupported: vec![with_paths(path)], ..LoadOptions::default() }
}

#[test]
fn an_allowed_field_is_a_warning_and_has_no_effect() {
    let text = "{listener}.filter_chains[0].filters[0].typed_config.codec_type";
    let message = with_paths(
        "envoy.yaml:15:11: warning: value HTTP3 of 'codec_type' is known to Envoy, not supported by \
         ringmain, and ignored as you allowed at {hcm}.codec_type",
    );
    assert_eq!(told_with("hcm", "codec_type: HTTP3", &allowing(text)), message);
}

#[test]
fn an_allowed_path_covers_what_is_below_it_and_nothing_beside_it() {
    let route = "match: {prefix: /, filter_state: [{key: a, string_match: {exact: b}}]}\n\
                 route: {cluster: one, cors: {}}";
    let message = told_with("route", route, &allowing("{route}.match"));
    assert_eq!(
        message,
        with_paths(
            "envoy.yaml:26:36: warning: 'filter_state' is known to Envoy, not supported by ringmain, and \
             ignored as you allowed at {route}.match.filter_state\n\
             envoy.yaml:27:39: error: 'cors' is known to Envoy, not supported by ringmain \
             at {route}.route.cors"
        )
    );
    assert!(!told_with("route", route, &allowing("{host}")).contains("error"));
}

#[test]
fn an_allowed_path_without_need_is_told() {
    assert_eq!(
        told_with("hcm", "codec_type: HTTP2", &allowing("{listener}.name")),
        with_paths(
            "envoy.yaml:1:1: warning: --allow-unsupported: nothing is refused at '{listener}.name'; \
             remove it from the command line"
        )
    );
}

#[test]
fn an_allowed_http_filter_is_left_out() {
    let filters = "- name: lua\n  typed_config: {\"@type\": \
                   type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}\n\
                   - name: router\n  typed_config: {\"@type\": \
                   type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}";
    let message = told_with("filters", filters, &allowing("{filters}[0]"));
    assert!(message.contains("warning: 'envoy.extensions.filters.http.lua.v3.Lua'"), "{message}");
    assert!(!message.contains("error"), "{message}");
}

#[test]
fn unknown_fields_may_be_let_pass() {
    let options = LoadOptions { allow_unknown_fields: true, ..LoadOptions::default() };
    assert_eq!(
        told_with("hcm", "viaa: x", &options),
        with_paths(
            "envoy.yaml:15:11: warning: unknown field 'viaa' at {hcm}.viaa; did you mean 'via'?"
        )
    );
}

#[test]
fn an_overlay_sets_values_and_appends_to_lists() {
    let overlay = "{node: {id: a}, static_resources: {clusters: [{name: two}]}}";
    let bootstrap = with_overlay(overlay).unwrap().bootstrap;
    assert_eq!(bootstrap.node.cluster, "edge");
    assert_eq!(bootstrap.node.id, "a");
    let names: Vec<_> = bootstrap.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(bootstrap.admin.unwrap().address.port(), Some(9901));
}

#[test]
fn errors_of_an_overlay_have_their_place_in_it() {
    let told = |overlay| told(&with_overlay(overlay));
    assert_eq!(
        told("nodee: {}"),
        "--config-yaml:1:1: error: unknown field 'nodee' at nodee; did you mean 'node'?"
    );
    assert_eq!(
        told("stats_flush_interval: 1000s"),
        "--config-yaml:1:1: warning: 'stats_flush_interval' has no effect at stats_flush_interval; \
         remove it where only ringmain reads the file\n\
         --config-yaml:1:23: error: must be less than 300s, is 1000s at stats_flush_interval"
    );
    assert_eq!(
        told("static_resources: {clusters: [{name: two}, {name: one}]}"),
        "--config-yaml:1:51: error: duplicate cluster 'one' at static_resources.clusters[1].name; \
         clusters[0] has this name; rename one of them"
    );
}

#[test]
fn an_error_of_the_file_keeps_its_place_beside_an_overlay() {
    let options = LoadOptions { overlay: Some("node: {id: a}".into()), ..LoadOptions::default() };
    let message = told_with("cluster", "type: EDS", &options);
    assert!(message.starts_with("envoy.yaml:30:5: error: value EDS of 'type'"), "{message}");
}

#[test]
fn a_body_is_read_from_its_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/loading/body.txt");
    let route = format!(
        "match: {{prefix: /}}\ndirect_response: {{status: 200, body: {{filename: {path}}}}}"
    );
    let message = told_with("route", &route, &LoadOptions::default());
    assert_eq!(message, "ok");
    let large = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/loading/cases.txt");
    let message = told_with("route", &route.replace(path, large), &LoadOptions::default());
    assert!(message.contains("bytes, at most 4096 may be"), "{message}");
}

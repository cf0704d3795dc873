//! A wrong configuration: refused before anything listens, with place, path and cure.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use ringmain_tests::proxy::run_ringmain;
use ringmain_tests::template::{self, Values, front_proxy};
use ringmain_tests::workspace;

/// A sound configuration, filled in.
fn sound() -> String {
    let values = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    template::fill(&front_proxy("", "", ""), &Values::from(values))
}

/// `text` in a file of its own.
fn file(text: &str) -> PathBuf {
    let path = workspace::scratch("config").join("proxy.yaml");
    fs::write(&path, text).expect("scratch is writable");
    path
}

fn validate(text: &str) -> (PathBuf, Output) {
    let path = file(text);
    let output = run_ringmain(&["--mode", "validate", "-c", path.to_str().expect("UTF-8")]);
    (path, output)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `line:column` of the first `needle`, counted from one.
fn place_of(text: &str, needle: &str) -> String {
    let offset = text.find(needle).expect("the mistake is in the text");
    let before = &text[..offset];
    let column = before.rsplit('\n').next().expect("a line").chars().count() + 1;
    format!("{}:{column}", before.matches('\n').count() + 1)
}

/// Replaces `from` by `to` in the sound configuration: it must be refused with exit code 1, at the
/// place of `at`, with each of `says`.
#[track_caller]
fn refused(from: &str, to: &str, at: &str, says: &[&str]) {
    let text = sound().replacen(from, to, 1);
    assert_ne!(text, sound(), "the mistake is made");
    let (path, output) = validate(&text);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let place = format!("{}:{}: error: ", path.display(), place_of(&text, at));
    assert!(said.contains(&place), "`{place}` is not in:\n{said}");
    for part in says {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let path = workspace::scratch("config").join("latin.yaml");
    fs::write(&path, b"node:\n  id: \"\xc3\xa9\xe9\"\n").expect("scratch is writable");
    let path = path.to_str().expect("UTF-8");
    for arguments in [&["--mode", "validate", "-c", path][..], &["config", "dump", "-c", path]] {
        let output = run_ringmain(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let expected = format!("{path}:2:9: error: the byte 0xE9 is not UTF-8 text");
        assert!(said.contains(&expected), "`{expected}` is not in:\n{said}");
    }
}

#[test]
fn a_sound_file_is_accepted() {
    let (_, output) = validate(&sound());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_misspelt_field_is_named_with_the_nearest_one() {
    refused(
        "stat_prefix:",
        "stat_prefixx:",
        "stat_prefixx",
        &[
            "unknown field 'stat_prefixx'",
            "filter_chains[0].filters[0].typed_config",
            "did you mean 'stat_prefix'",
        ],
    );
}

#[test]
fn a_value_of_the_wrong_kind_has_its_place() {
    refused(
        "stat_prefix: ingress",
        "stat_prefix: ingress\n          use_remote_address: maybe",
        "maybe",
        &["maybe", "typed_config.use_remote_address"],
    );
}

#[test]
fn an_unknown_enum_value_has_its_place() {
    refused(
        "type: STATIC",
        "type: STATIK",
        "STATIK",
        &["STATIK", "static_resources.clusters[0].type"],
    );
}

#[test]
fn an_unknown_cluster_is_named() {
    refused("cluster: backend\n", "cluster: nope\n", "nope", &["unknown cluster 'nope'"]);
}

#[test]
fn a_duration_needs_its_unit() {
    refused(
        "type: STATIC\n",
        "type: STATIC\n    connect_timeout: 5\n",
        "5\n    load",
        &["connect_timeout"],
    );
}

#[test]
fn a_missing_required_field_is_named() {
    let (_, output) = validate(&sound().replace("          stat_prefix: ingress\n", ""));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stat_prefix"), "{said}");
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = sound()
        .replace("stat_prefix:", "stat_prefixx:")
        .replace("STATIC", "STATIK")
        .replace("admin:", "admon:");
    let (_, output) = validate(&text);
    let said = stderr(&output);
    for part in ["stat_prefixx", "STATIK", "admon"] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

#[test]
fn broken_yaml_has_its_place() {
    let text = sound().replacen("  listeners:", "  listeners: [", 1);
    let (path, output) = validate(&text);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{}:", path.display())), "{said}");
}

#[test]
fn what_yaml_begins_nothing_with_is_told() {
    refused("    filter_chains", "\tfilter_chains", "\t", &["a tab cannot indent a line"]);
    refused("name: backend", "name: @backend", "@backend", &["'@' cannot begin a value", "quotes"]);
}

#[test]
fn a_text_that_is_no_mapping_is_told() {
    for text in ["backend", "root:x:0\ndaemon:x:1", "\"a\\n\""] {
        let said = stderr(&validate(text).1);
        assert!(said.contains(":1:1: error: expected a mapping"), "{text}: {said}");
    }
}

#[test]
fn an_envoy_feature_that_ringmain_lacks_is_refused_by_name() {
    refused(
        "http_filters:\n",
        "http_filters:\n          - name: lua\n            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua }\n",
        "typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        &["envoy.extensions.filters.http.lua.v3.Lua", "not supported by ringmain"],
    );
}

#[test]
fn a_missing_file_is_named() {
    let output = run_ringmain(&["-c", "/nonexistent/proxy.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.starts_with("cannot read '/nonexistent/proxy.yaml': "), "{said}");
}

#[test]
fn serving_refuses_the_same_file_the_same_way() {
    let text = sound().replace("STATIC", "STATIK");
    let path = file(&text);
    let output = run_ringmain(&["-c", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("STATIK"), "{}", stderr(&output));
}

#[test]
fn machines_are_told_in_json() {
    let path = file(&sound().replace("STATIC", "STATIK"));
    let path = path.to_str().expect("UTF-8");
    let output = run_ringmain(&["--mode", "validate", "--error-format", "json", "-c", path]);
    let said = stderr(&output);
    let told: serde_json::Value = serde_json::from_str(&said).expect("one JSON object");
    assert_eq!(told["severity"], "error");
    assert_eq!(told["path"], "static_resources.clusters[0].type");
    assert_eq!(told["end_column"].as_u64(), told["column"].as_u64().map(|column| column + 6));
}

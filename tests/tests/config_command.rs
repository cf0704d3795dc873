//! `ringmain config dump`: the configuration as it takes effect.

use std::fs;
use std::process::Output;

use ringmain_tests::proxy::run_ringmain;
use ringmain_tests::template::{self, Values, front_proxy};
use ringmain_tests::workspace;

fn dump(text: &str) -> Output {
    let path = workspace::scratch("config-dump").join("proxy.yaml");
    fs::write(&path, text).expect("scratch is writable");
    run_ringmain(&["config", "dump", "-c", path.to_str().expect("UTF-8")])
}

fn sound() -> String {
    let values = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    template::fill(&front_proxy("", "", ""), &Values::from(values))
}

#[test]
fn a_dump_has_the_defaults_and_is_a_configuration() {
    let output = dump(&sound());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let yaml = String::from_utf8(output.stdout).expect("UTF-8");
    for told in ["connect_timeout: 5s", "max_request_headers_kb: 60", "stream_idle_timeout: 300s"] {
        assert!(yaml.contains(&format!("{told}\n")), "{told} is not in\n{yaml}");
    }
    let again = dump(&yaml);
    assert_eq!(String::from_utf8(again.stdout).expect("UTF-8"), yaml);
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    let output = dump("nodee: {}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("proxy.yaml:1:1: error: unknown field 'nodee'"), "{said}");
}

//! Files that Envoy takes and ringmain refuses, each with the place and the reason.

use std::path::Path;
use std::process::{Command, Output};

use ringmain_tests::envoy;
use ringmain_tests::proxy::run_ringmain;
use ringmain_tests::template::{Values, fill, front_proxy};
use ringmain_tests::workspace;

/// A file, as what makes it of a good one, and what ringmain says of it.
struct Refused {
    name: &'static str,
    change: fn(&str) -> Vec<u8>,
    says: &'static str,
}

const REFUSED: &[Refused] = &[
    Refused {
        name: "field twice",
        change: |text| cluster(text, "type: STATIC\n    type: STATIC"),
        says: "field 'type' is set twice",
    },
    Refused {
        name: "a value in brackets that is indented no more than its key",
        change: |text| replaced(text, "static_resources:", "node:\n{id: a}\nstatic_resources:"),
        says: "a value in brackets must be indented more than its key",
    },
    Refused {
        name: "control character",
        change: |text| replaced(text, "static_resources:", "# \u{1}\nstatic_resources:"),
        says: "the control character U+0001 is not allowed in YAML",
    },
    Refused {
        name: "not UTF-8",
        change: |text| [b"# \xff\n", text.as_bytes()].concat(),
        says: "UTF-8",
    },
    Refused {
        name: "several health checks",
        change: |text| {
            let named = |name: &str| CHECK.replacen('{', &format!("{{ name: {name},"), 1);
            let checks = format!("health_checks: [{}, {}]", named("a"), named("b"));
            cluster(text, &format!("type: STATIC\n    {checks}"))
        },
        says: "health_checks",
    },
    Refused {
        name: "operators in the headers of health checks",
        change: |text| {
            let header = "request_headers_to_add: [{ header: { key: x, value: '%REQ(x)%' } }]";
            let check = CHECK.replace("path: /", &format!("path: /, {header}"));
            cluster(text, &format!("type: STATIC\n    health_checks: [{check}]"))
        },
        says: "%REQ(x)% is known to Envoy, not supported by ringmain in a health check",
    },
];

const CHECK: &str = "{ timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: / } }";

fn replaced(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{from} is there to be replaced");
    text.replacen(from, to, 1).into_bytes()
}

/// The file with these fields in place of its cluster's type.
fn cluster(text: &str, fields: &str) -> Vec<u8> {
    replaced(text, "type: STATIC", fields)
}

fn envoy_validates(path: &Path) -> Output {
    let mut command = Command::new(envoy::executable());
    command.args(["--mode", "validate", "-c"]).arg(path).output().expect("Envoy runs")
}

#[test]
fn ringmain_refuses_what_can_only_be_a_mistake() {
    let ports = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    let good = fill(&front_proxy("", "", ""), &Values::from(ports));
    let mut failures = String::new();
    for Refused { name, change, says } in REFUSED {
        let path = workspace::scratch("refused").join("proxy.yaml");
        std::fs::write(&path, change(&good)).expect("scratch is writable");
        let envoy = envoy_validates(&path);
        if !envoy.status.success() {
            failures += &format!("{name}: {}", String::from_utf8_lossy(&envoy.stderr));
        }
        let ringmain = run_ringmain(&["--mode", "validate", "-c", path.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&ringmain.stderr);
        if ringmain.status.code() != Some(1) || !said.contains(says) {
            failures += &format!("{name}: {said}");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

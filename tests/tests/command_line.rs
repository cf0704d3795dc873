//! The command line: Envoy's options, so that an existing unit file keeps working, and ours.

use std::process::Output;

use ringmain_tests::proxy::{Program, Proxy, run_ringmain};
use ringmain_tests::template::{self, Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::workspace;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A configuration that could be served, as text.
fn sound() -> String {
    let values = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    template::fill(&front_proxy("", "", ""), &Values::from(values))
}

/// Starts a proxy with further arguments; its admin interface has answered by then.
fn serving(program: Program, arguments: &[&str]) -> Proxy {
    let upstream = Upstream::start(vec![ok()]);
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    Proxy::start_with(program, &front_proxy("", "", ""), &values, arguments)
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = run_ringmain(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("ringmain {}\n", env!("CARGO_PKG_VERSION")));
    let help = run_ringmain(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for option in [
        "--config-path",
        "--config-yaml",
        "--mode",
        "--concurrency",
        "--io-engine",
        "--cpuset",
        "--drain-time-s",
    ] {
        assert!(stdout(&help).contains(option), "{option} is explained");
    }
}

#[test]
fn mistakes_are_named() {
    for (arguments, named) in [
        (&["--no-such-option"][..], "--no-such-option"),
        (&["--mode", "dance"], "dance"),
        (&["--io-engine", "steam"], "steam"),
        (&["--concurrency", "many"], "many"),
        (&["--cpuset", "3-1"], "3-1"),
        (&["--cpuset", "1024"], "1024"),
    ] {
        let output = run_ringmain(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(named), "{arguments:?}: {}", stderr(&output));
    }
}

/// Who names cores wants those: workers that share others by mistake would only be slow.
#[test]
fn cores_that_are_not_there_are_named() {
    let path = workspace::scratch("cores").join("envoy.yaml");
    std::fs::write(&path, sound()).expect("scratch is writable");
    let path = path.to_str().expect("UTF-8");
    let output = run_ringmain(&["-c", path, "--cpuset", "0,1021-1023"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let expected = "--cpuset names cores that this process cannot run on: 1021-1023; it can on ";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn a_file_alone_is_no_configuration() {
    let path = workspace::scratch("alone").join("envoy.yaml");
    std::fs::write(&path, sound()).expect("scratch is writable");
    let path = path.to_str().expect("UTF-8");
    for arguments in [&[path][..], &["--mode", "validate", path], &["--concurrency", "1", path]] {
        let output = run_ringmain(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(&format!("'-c {path}'")), "{}", stderr(&output));
    }
}

#[test]
fn a_configuration_may_be_text() {
    let output = run_ringmain(&["--mode", "validate", "--config-yaml", &sound()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = run_ringmain(&["--mode", "validate", "--config-yaml", "admon: {}"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("admon"), "{}", stderr(&output));
}

#[test]
fn an_envoy_unit_files_options_are_accepted() {
    let arguments = [
        "--concurrency",
        "1",
        "--service-cluster",
        "edge",
        "--service-node",
        "node-1",
        "--service-zone",
        "z1",
        "--log-level",
        "warning",
        "--drain-time-s",
        "30",
        "--parent-shutdown-time-s",
        "60",
        "--base-id",
        "7",
        "--disable-hot-restart",
        "--restart-epoch",
        "0",
        "--log-format",
        "%v",
    ];
    for program in Program::ringmains() {
        let proxy = serving(program, &arguments);
        for option in ["--parent-shutdown-time-s", "--base-id", "--log-format"] {
            let said = proxy.stderr();
            assert!(
                said.lines().any(|line| line.contains(&format!("{option} has no effect"))),
                "{program}: {said}"
            );
        }
        let info = proxy.admin().get("/server_info").text();
        assert!(info.contains("node-1") && info.contains("edge"), "{program}: {info}");
    }
}

#[test]
fn the_admin_address_is_written_where_asked() {
    let path = workspace::scratch("admin-address").join("address");
    for program in Program::ringmains() {
        let proxy = serving(program, &["--admin-address-path", path.to_str().expect("UTF-8")]);
        let written = std::fs::read_to_string(&path).expect("the file is written");
        assert_eq!(written, format!("127.0.0.1:{}", proxy.admin().port()), "{program}");
    }
}

#[test]
fn the_log_says_which_engine_runs() {
    for program in Program::ringmains() {
        let Program::Ringmain(engine) = program else { continue };
        let proxy = serving(program, &[]);
        let said = proxy.stderr();
        assert!(
            said.lines().any(|line| line.contains("I/O engine") && line.contains(engine.name())),
            "{said}"
        );
    }
}

#[test]
fn logs_may_go_to_a_file_as_json() {
    let path = workspace::scratch("log").join("ringmain.log");
    for program in Program::ringmains() {
        let proxy =
            serving(program, &["--log-path", path.to_str().expect("UTF-8"), "--log-form", "json"]);
        let text = std::fs::read_to_string(&path).expect("the log is written");
        assert!(!text.is_empty(), "{program}");
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line)
                .unwrap_or_else(|error| panic!("{program}: {error}: {line}"));
        }
        assert_eq!(proxy.stderr(), "", "{program}");
    }
}

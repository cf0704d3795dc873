//! The story of `docs/discovery.md`, told by moto: a rolling deployment under load.

use std::process::Command;

use ringmain_tests::{moto, port, proxy, workspace};

#[test]
fn a_rolling_deployment_under_load_fails_no_request() {
    let story = workspace::root().join("docs/examples/ecs/rolling_deployment.py");
    let output = Command::new(moto::python())
        .arg(story)
        .arg("--ringmain")
        .arg(proxy::ringmain())
        .args(["--api-port", &port::free().to_string()])
        .args(["--task-port", &port::free().to_string()])
        .args(["--proxy-port", &port::free().to_string()])
        .args(["--admin-port", &port::free().to_string()])
        .output()
        .expect("Python starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("0 failed"), "{told}");
    for line in ["revision=checkout:2", "in: RUNNING and not UNHEALTHY"] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
}

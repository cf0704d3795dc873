//! What `docs/discovery.md` tells one to type, with moto for AWS: tasks come and go under load.

use std::fs;
use std::process::Command;

use ringmain_tests::proxy::Engine;
use ringmain_tests::{moto, port, proxy, workspace};

/// The commands under "See it work".
fn commands() -> Vec<String> {
    let path = workspace::root().join("docs/discovery.md");
    let text = fs::read_to_string(path).expect("the document is there");
    let (_, section) = text.split_once("## See it work\n").expect("the section is there");
    let block = section.split("```").nth(1).expect("a block of commands");
    block.trim().lines().map(str::to_owned).collect()
}

#[test]
fn three_commands_show_a_rolling_deployment_without_a_failed_request() {
    let commands = commands();
    let [build, install, run] = &commands[..] else { panic!("three commands: {commands:?}") };
    // What these two make is here already, of the same release.
    assert_eq!(build, "cargo build --release");
    assert!(install.contains(&format!("install '{}'", moto::PACKAGE)), "{install}");
    for engine in Engine::available() {
        let ports =
            ["api", "task", "proxy", "admin"].map(|of| format!("--{of}-port {}", port::free()));
        let run = run
            .replace("target/moto-venv/bin/python", &moto::python().display().to_string())
            .replace("target/release/ringmain", &proxy::ringmain().display().to_string());
        let run = format!("{run} --io-engine {} {}", engine.name(), ports.join(" "));
        let output = Command::new("sh").args(["-c", &run]).current_dir(workspace::root()).output();
        let output = output.expect("a shell starts");
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}\n{errors}");
        let answers = "0 failed; answers: revision 1, revision 2";
        for line in [
            answers,
            "revision=checkout:2 deployment=ecs-svc/2",
            "in: RUNNING and not UNHEALTHY",
            "desired=STOPPED last=STOPPED health=UNKNOWN weight=0 out: ECS is stopping it",
        ] {
            assert!(told.contains(line), "{line} is not in {told}");
        }
    }
}

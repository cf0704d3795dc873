//! Command-line clients that a machine may have: `curl`, `nghttp`, `h2load`. A test says which one is
//! missing and goes on with the others.

use std::io::ErrorKind;
use std::process::Command;

/// Runs `tool` to its end: what it has written. `None`, said on the standard error, where there is no such
/// tool. Where it fails, so does the test.
#[track_caller]
pub fn run(tool: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(tool);
    // Nobody's proxy stands between a test and its own.
    command.env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy");
    let output = match command.args(arguments).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: this machine has no {tool}");
            return None;
        }
        output => output.unwrap_or_else(|error| panic!("start {tool}: {error}")),
    };
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}\n{written}{errors}");
    Some(written)
}

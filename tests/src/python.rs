//! Real clients and servers in Python: PyPI's `grpcio`, `httpx` and `websockets`, pinned, in a virtual
//! environment below the workspace's `target/`. The scripts lie in `tests/scripts/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Process;
use crate::wait::eventually;
use crate::{venv, workspace};

const PACKAGES: &str = "grpcio==1.85.3 httpx[http2]==0.28.1 websockets==17.4";

fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let target = workspace::root().join("target");
        venv::install(&target, "clients-venv", PACKAGES).join("bin/python")
    })
}

fn command(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python());
    command.arg(workspace::root().join("tests/scripts").join(script)).args(arguments);
    // Nobody's proxy stands between a test and its own.
    command.env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy");
    command
}

/// A server that runs until it is dropped.
pub struct Server {
    _process: Process,
    port: u16,
}

impl Server {
    /// Starts `script`, which writes the port that it listens on.
    #[track_caller]
    pub fn start(script: &str) -> Self {
        let scratch = workspace::scratch("script");
        let process = Process::spawn(script, &mut command(script, &[]), &scratch);
        let port = eventually("a server in Python", || {
            let written = process.stdout();
            written.split_once('\n').and_then(|(line, _)| line.trim().parse().ok())
        });
        Self { _process: process, port }
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Runs `script` to its end and returns what it has written. Where it fails, so does the test.
#[track_caller]
pub fn run(script: &str, arguments: &[&str]) -> String {
    let output = command(script, arguments).output().expect("a Python");
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {arguments:?}\n{written}{errors}");
    written
}

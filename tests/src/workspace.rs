//! Where things lie: the target directory of the running build and scratch folders below it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The target directory that the running test was built in.
pub fn target_dir() -> PathBuf {
    let exe = env::current_exe().expect("a test knows its own path");
    // cargo writes this file into the root of every target directory.
    exe.ancestors()
        .find(|folder| folder.join(".rustc_info.json").exists())
        .expect("a test lies in cargo's target directory")
        .to_path_buf()
}

/// Was the running test built with `--release`? Then the proxy is, too.
pub fn is_release() -> bool {
    let exe = env::current_exe().expect("a test knows its own path");
    exe.ancestors().any(|folder| folder.ends_with("release"))
}

/// A new empty folder for one test's files.
pub fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = target_dir().join("tmp").join(format!("{name}-{}-{number}", std::process::id()));
    // A process id comes round again: what an earlier run left there is not ours.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target directory is writable");
    folder
}

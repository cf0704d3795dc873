//! Where things lie in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `target/` at the root: tools, scratch files and results, wherever cargo itself builds.
pub fn target_dir() -> PathBuf {
    root().join("target")
}

/// A folder for what the sides read and write while they run.
pub fn scratch() -> Result<PathBuf, Error> {
    let folder = target_dir().join("bench/scratch");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    Ok(folder)
}

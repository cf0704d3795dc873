//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `target/` at the root: tools, scratch files and results, wherever cargo itself builds.
pub fn target_dir() -> PathBuf {
    root().join("target")
}

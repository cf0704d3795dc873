//! Why the rig cannot go on. What only costs one side its rows is not among these: it is a reason
//! in the results.

use std::io;
use std::path::PathBuf;

/// An error that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {kind} `{name}`; there are: {known}")]
    Unknown { kind: &'static str, name: String, known: String },

    #[error("{name} is not on PATH; {cure}")]
    Missing { name: &'static str, cure: &'static str },

    #[error(
        "one core for the proxy and one for the load are needed; this process may use {allowed} only"
    )]
    TooFewCores { allowed: usize },

    #[error("building ringmain failed")]
    Build,

    #[error("the upstream of the rig did not start")]
    UpstreamStart,

    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },

    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl Error {
    /// For `map_err`: an operating system error while doing `what`.
    pub fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { what, source: source.into() }
    }

    /// For `map_err`: an error on the file or folder at `path`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.into(), source }
    }
}

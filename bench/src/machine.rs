//! What the figures were measured on, for whoever reads them later.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::workspace;

/// Machine and source of a run.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// Commit of the checkout, with `+` if files differ from it; empty outside git.
    pub commit: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        Self {
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            commit: commit(),
        }
    }
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, model)| model.trim()).to_owned()
}

fn commit() -> String {
    let short = git(&["rev-parse", "--short", "HEAD"]);
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_empty() { short } else { format!("{short}+") }
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(workspace::root()).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

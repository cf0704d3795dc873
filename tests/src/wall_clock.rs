//! The time of day as one process sees it, which a test can set. Clocks that nobody can set go on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use crate::workspace;

/// A clock to start a process by.
pub struct WallClock {
    library: PathBuf,
    path: PathBuf,
    ahead: File,
}

impl WallClock {
    /// One that goes right. Needs the C compiler that links Rust's programs.
    pub fn new() -> Self {
        let scratch = workspace::scratch("wall-clock");
        let (library, path) = (scratch.join("wall_clock.so"), scratch.join("ahead"));
        let source = workspace::root().join("tests/scripts/wall_clock.c");
        let mut compiler = Command::new("cc");
        let built = compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
        assert!(built.status().expect("cc runs").success(), "{} is compiled", source.display());
        fs::write(&path, 0_i64.to_ne_bytes()).expect("scratch is writable");
        let ahead = File::options().write(true).open(&path).expect("just written");
        Self { library, path, ahead }
    }

    /// Has it show a time that is `seconds` ahead of the machine's.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.write_all_at(&seconds.to_ne_bytes(), 0).expect("scratch is writable");
    }

    /// Has `command` go by it.
    pub fn rule(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("WALL_CLOCK", &self.path);
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

//! A child process: output kept in a file, signals, bounded waits, and never left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, prlimit};

pub use rustix::process::Signal;

use crate::wait::{PATIENCE, poll_for};

/// How much of a failed child's output is shown, counted from its end.
const SHOWN_LINES: usize = 40;

/// A running child. Dropping it kills it; if the test is failing, its output is printed first.
pub struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `scratch`.
    pub fn spawn(name: &str, command: &mut Command, scratch: &Path) -> Self {
        let (stdout, stderr) = (scratch.join("stdout"), scratch.join("stderr"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("scratch is writable"))
            .stderr(File::create(&stderr).expect("scratch is writable"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, stdout, stderr }
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal)
            .unwrap_or_else(|error| panic!("signal to {}: {error}", self.name));
    }

    /// How many descriptors it has.
    pub fn descriptors(&self) -> u64 {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process lives");
        open.count() as u64
    }

    /// How many ends of pipes are among them.
    pub fn pipes(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process lives");
        let is_pipe = |path: &PathBuf| path.to_string_lossy().starts_with("pipe:");
        // One that closes meanwhile is none.
        open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).filter(is_pipe).count()
    }

    /// Memory of it that is resident, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("the process lives");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
        number.expect("a process has resident memory")
    }

    /// Keeps the numbers of the descriptors that it opens from now on below `end`.
    pub fn limit_descriptors(&self, end: u64) {
        // The hard limit is what it has inherited.
        let limit = Rlimit { current: Some(end), maximum: getrlimit(Resource::Nofile).maximum };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, limit)
            .unwrap_or_else(|error| panic!("descriptors of {}: {error}", self.name));
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end; a child that stays fails the test.
    pub fn wait_exit(&mut self) -> ExitStatus {
        poll_for(PATIENCE, || self.exit_status())
            .unwrap_or_else(|| panic!("{} does not exit", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both may fail when it is gone already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let stderr = self.stderr();
            let lines: Vec<&str> = stderr.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("--- {} wrote to stderr:\n{}\n---", self.name, shown.join("\n"));
        }
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

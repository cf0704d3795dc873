//! A running proxy, ringmain or Envoy, that has said it is ready.

use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use serde_json::Value;

use crate::admin::Admin;
use crate::process::{Process, Signal};
use crate::template::{self, Values};
use crate::wait::{PATIENCE, poll_for};
use crate::wall_clock::WallClock;
use crate::{envoy, port, workspace};

/// How ringmain's workers do their I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `--io-engine io_uring`.
    IoUring,
    /// `--io-engine epoll`.
    Epoll,
}

impl Engine {
    /// The engines this machine has. Prints the name of one that it lacks, as containers often
    /// forbid io_uring.
    pub fn available() -> Vec<Self> {
        match io_uring::IoUring::new(8) {
            Ok(_) => vec![Self::IoUring, Self::Epoll],
            Err(error) => {
                eprintln!("skipping the io_uring engine: {error}");
                vec![Self::Epoll]
            }
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The reference.
    Envoy,
    /// Ours.
    Ringmain(Engine),
    /// Ours, left to choose its engine where io_uring is denied.
    RingmainWithoutIoUring,
}

impl Program {
    /// Ringmain on each engine that this machine has.
    pub fn ringmains() -> Vec<Self> {
        Engine::available().into_iter().map(Self::Ringmain).collect()
    }

    fn command(self) -> Command {
        match self {
            Self::Envoy => {
                let mut command = Command::new(envoy::executable());
                command.args(["--disable-hot-restart", "--log-level", "error"]);
                command
            }
            Self::Ringmain(engine) => {
                let mut command = Command::new(ringmain());
                command.args(["--io-engine", engine.name()]);
                without_an_account(command)
            }
            Self::RingmainWithoutIoUring => without_an_account(denying_io_uring()),
        }
    }
}

/// Nobody's: no test asks the machine that it runs on, or an account.
fn without_an_account(mut command: Command) -> Command {
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// Ringmain under a seccomp filter that denies io_uring, as a container's default profile does.
pub fn denying_io_uring() -> Command {
    denying("io_uring", &Command::new(ringmain()))
}

/// `command` under a seccomp filter that denies `calls`.
fn denying(calls: &str, command: &Command) -> Command {
    let mut denying = Command::new("python3");
    denying.args(["-c", include_str!("deny.py"), calls]);
    running(denying, command)
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Envoy => f.write_str("envoy"),
            Self::Ringmain(engine) => write!(f, "ringmain-{}", engine.name()),
            Self::RingmainWithoutIoUring => f.write_str("ringmain-without-io_uring"),
        }
    }
}

/// A proxy that serves.
pub struct Proxy {
    process: Process,
    admin: Admin,
    values: Values,
    scratch: PathBuf,
}

impl Proxy {
    /// Starts one worker of `program`.
    ///
    /// In `template`, `{{admin}}` and every `{{listener...}}` become free ports and `{{scratch}}` a
    /// folder of its own; the rest comes from `values`.
    #[track_caller]
    pub fn start(program: Program, template: &str, values: &Values) -> Self {
        Self::start_with(program, template, values, &["--concurrency", "1"])
    }

    /// Starts `program` with further arguments.
    #[track_caller]
    pub fn start_with(
        program: Program,
        template: &str,
        values: &Values,
        arguments: &[&str],
    ) -> Self {
        Self::start_command(program, program.command(), template, values, arguments)
    }

    /// Starts one worker of `program` that may have `count` descriptors.
    #[track_caller]
    pub fn start_with_descriptors(
        program: Program,
        count: u64,
        template: &str,
        values: &Values,
    ) -> Self {
        let command = with_descriptors(count, &program.command());
        Self::start_command(program, command, template, values, &["--concurrency", "1"])
    }

    /// Starts one worker of `program` that may not splice(2).
    #[track_caller]
    pub fn start_denying_splice(program: Program, template: &str, values: &Values) -> Self {
        let command = denying("splice", &program.command());
        Self::start_command(program, command, template, values, &["--concurrency", "1"])
    }

    /// Starts one worker of `program` whose time of day is that of `clock`.
    #[track_caller]
    pub fn start_by(clock: &WallClock, program: Program, template: &str, values: &Values) -> Self {
        let mut command = program.command();
        clock.rule(&mut command);
        Self::start_command(program, command, template, values, &["--concurrency", "1"])
    }

    #[track_caller]
    fn start_command(
        program: Program,
        mut command: Command,
        template: &str,
        values: &Values,
        arguments: &[&str],
    ) -> Self {
        let scratch = workspace::scratch(&program.to_string());
        let values = with_ports(template, values, &scratch);
        let config = scratch.join("proxy.yaml");
        fs::write(&config, template::fill(template, &values)).expect("scratch is writable");
        // Log lines are compared soon after they are written.
        command.args(["--file-flush-interval-msec", "50"]).args(arguments).arg("-c").arg(&config);
        let process = Process::spawn(&program.to_string(), &mut command, &scratch);
        let admin = Admin::new(values["admin"].parse().expect("a port"));
        let mut proxy = Self { process, admin, values, scratch };
        proxy.wait_until_ready();
        proxy
    }

    /// The admin interface.
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// The port that stands for `{{name}}`.
    #[track_caller]
    pub fn port(&self, name: &str) -> u16 {
        self.values[name].parse().expect("a port")
    }

    /// The folder that `{{scratch}}` stands for.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A file below `{{scratch}}`, empty when it does not exist.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.join(name)).unwrap_or_default()
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> u64 {
        self.process.descriptors()
    }

    /// How many ends of pipes are among them.
    pub fn pipes(&self) -> usize {
        self.process.pipes()
    }

    /// Memory of it that is resident, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.process.resident_kib()
    }

    /// Lets it open some `further` descriptors: more where it has some of high numbers.
    pub fn limit_descriptors(&self, further: u64) {
        self.process.limit_descriptors(self.process.descriptors() + further);
    }

    /// Lets it open none, whichever it closes.
    pub fn deny_descriptors(&self) {
        // More than poll(2) is ever asked about at once here, fewer than are open.
        self.process.limit_descriptors(4);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Stands still from now on: nothing of it runs.
    pub fn suspend(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Goes on, as far as it can tell at a later time.
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Waits for the process to end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        self.process.wait_exit()
    }

    /// Is it still there?
    pub fn is_running(&mut self) -> bool {
        self.process.exit_status().is_none()
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let port = self.admin.port();
        poll_for(PATIENCE, || {
            if let Some(status) = self.process.exit_status() {
                panic!("the proxy ended at start: {status}\n{}", self.process.stderr());
            }
            // Connecting fails until the listener is there, which is not worth a panic.
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
            let ready = self.admin.request("GET", "/ready").ok()?;
            (ready.status() == Some(200)).then_some(())
        })
        .expect("the proxy never became ready");
    }
}

/// `values`, with a free port for each port place that has none and the scratch folder.
fn with_ports(template: &str, values: &Values, scratch: &Path) -> Values {
    let mut values = values.clone();
    values.insert("scratch".into(), scratch.display().to_string());
    for place in template.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        if place == "admin" || place.starts_with("listener") {
            values.entry(place.to_owned()).or_insert_with(|| port::free().to_string());
        }
    }
    values
}

/// `command` with an open-file limit of `count`, soft and hard.
fn with_descriptors(count: u64, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &count.to_string()]);
    running(limited, command)
}

/// `wrapper`, which runs its last arguments, with `command` as those.
fn running(mut wrapper: Command, command: &Command) -> Command {
    wrapper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        wrapper.env(name, value.unwrap_or_default());
    }
    wrapper
}

/// Runs ringmain to its end with an open-file limit of `count`.
pub fn run_with_descriptors(count: u64, arguments: &[impl AsRef<OsStr>]) -> std::process::Output {
    let mut command = Command::new(ringmain());
    command.args(arguments);
    with_descriptors(count, &command).output().expect("a shell starts")
}

/// Runs the ringmain executable to its end, as for a command that does not serve.
pub fn run_ringmain(arguments: &[impl AsRef<OsStr>]) -> std::process::Output {
    let mut command = Command::new(ringmain());
    command.args(arguments).output().expect("the executable starts")
}

/// Path of the ringmain executable: that of the variable `RINGMAIN_BIN`, to test what is packaged,
/// or else one that is built when first asked for, in the profile of the test.
pub fn ringmain() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| std::env::var_os("RINGMAIN_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(workspace::root())
        // The libraries and a test beside it bring in the features that `cargo test --workspace` builds
        // with: else every package would be built a second time.
        .args(["build", "--workspace", "--lib", "--bin", "ringmain", "--test", "tidy"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(workspace::target_dir());
    if workspace::is_release() {
        command.arg("--release");
    }
    let output = command.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo cannot build ringmain:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // One JSON message a line; the one of the binary names its executable.
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["target"]["kind"][0] == "bin")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable it built")
}

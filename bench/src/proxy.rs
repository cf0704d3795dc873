//! A running proxy under measurement: started alone on its core, stopped when dropped.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cpu::Cores;
use crate::scenario::Scenario;
use crate::side::Installed;
use crate::template::Places;
use crate::tls::Credentials;
use crate::{check, cpu, port};

/// A start that takes longer is a failure.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How often a starting proxy is asked whether it answers; the start time is known to this much.
const START_POLL: Duration = Duration::from_millis(2);
/// How often the resident memory is read while it settles, and for how long it must stay: longer than
/// ringmain takes to see that its connections have come to rest, which is two looks of 2 s.
const RSS_POLL: Duration = Duration::from_millis(250);
const RSS_STEADY: Duration = Duration::from_secs(5);
/// Changes below this are none.
const RSS_SAME_KIB: u64 = 64;
/// After it the memory is taken as it is.
const RSS_TIMEOUT: Duration = Duration::from_secs(20);
/// After it a stopping proxy is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Lines of a proxy's log that go into the reason of a failed start.
const LOG_LINES: usize = 5;

/// A process that answers.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    /// The loopback port that it serves.
    pub port: u16,
    /// From the start of the process to its first right answer.
    pub start_time: Duration,
    /// CPU time used until then.
    pub start_cpu: Duration,
    /// Resident memory after the first answer, in KiB.
    pub rss_start_kib: u64,
    access_log: PathBuf,
}

impl Proxy {
    /// Starts `installed` on its part of `cores` before the upstream and waits until it answers `first` rightly;
    /// the error says why it does not. In TLS it shows `credentials`; `scratch` takes its files.
    pub fn start(
        installed: &Installed,
        cores: Cores,
        upstream_port: u16,
        credentials: &Credentials,
        first: &Scenario,
        scratch: &Path,
    ) -> Result<Self, String> {
        let no_port = || "no free port".to_owned();
        let (listen_port, admin_port) =
            (port::free().ok_or_else(no_port)?, port::free().ok_or_else(no_port)?);
        let log = scratch.join(format!("{}.log", installed.side.name()));
        let access_log = match installed.side.logs_to_output() {
            true => log.clone(),
            false => scratch.join(format!("{}-access.log", installed.side.name())),
        };
        // Of an earlier run; there may be none.
        let _ = fs::remove_file(&access_log);
        let places = Places {
            listen_port,
            admin_port,
            upstream_port,
            scratch,
            access_log: &access_log,
            credentials,
            setup: &first.setup,
        };
        let file = configure(installed, &places)?;
        let started = Instant::now();
        let child =
            spawn(installed, cores, &places, &file, &log).map_err(|error| error.to_string())?;
        let mut proxy = Self {
            child,
            port: listen_port,
            start_time: Duration::ZERO,
            start_cpu: Duration::ZERO,
            rss_start_kib: 0,
            access_log,
        };
        proxy
            .await_answer(first, credentials, started)
            .map_err(|reason| format!("{reason}{}", last_lines(&log)))?;
        proxy.start_time = started.elapsed();
        proxy.start_cpu = proxy.cpu_time()?;
        proxy.rss_start_kib = proxy.rss_kib();
        Ok(proxy)
    }

    fn await_answer(
        &mut self,
        first: &Scenario,
        credentials: &Credentials,
        started: Instant,
    ) -> Result<(), String> {
        loop {
            let Err(reason) = check::exchange(self.port, first, credentials) else {
                return Ok(());
            };
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended at its start with {status}"));
            }
            if started.elapsed() > START_TIMEOUT {
                return Err(format!(
                    "does not serve after {} s: {reason}",
                    START_TIMEOUT.as_secs()
                ));
            }
            sleep(START_POLL);
        }
    }

    /// CPU time used since its start; an error if it has ended.
    pub fn cpu_time(&self) -> Result<Duration, String> {
        cpu::time_used(self.child.id())
            .map_err(|error| format!("has no CPU clock, it may have ended: {error}"))
    }

    /// Resident memory now, in KiB, with that of its child processes.
    pub fn rss_kib(&self) -> u64 {
        cpu::family(self.child.id()).into_iter().filter_map(rss_kib_of_one).sum()
    }

    /// Resident memory once it has not changed for a while, in KiB.
    pub fn settled_rss_kib(&self) -> u64 {
        let deadline = Instant::now() + RSS_TIMEOUT;
        let (mut settled, mut since) = (self.rss_kib(), Instant::now());
        while since.elapsed() < RSS_STEADY && Instant::now() < deadline {
            sleep(RSS_POLL);
            let now = self.rss_kib();
            if now.abs_diff(settled) >= RSS_SAME_KIB {
                (settled, since) = (now, Instant::now());
            }
        }
        self.rss_kib()
    }

    /// Has it written something into its access log?
    pub fn has_logged(&self) -> bool {
        fs::metadata(&self.access_log).is_ok_and(|file| file.len() > 0)
    }
}

/// Writes the configuration; the answer is the file to start with.
fn configure(installed: &Installed, places: &Places) -> Result<PathBuf, String> {
    let files = installed.side.configuration();
    for (name, template) in files {
        fs::write(places.scratch.join(name), places.fill(template)?)
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(files.first().map(|(name, _)| places.scratch.join(name)).unwrap_or_default())
}

fn spawn(
    installed: &Installed,
    cores: Cores,
    places: &Places,
    file: &Path,
    log: &Path,
) -> io::Result<Child> {
    let log = File::create(log)?;
    cpu::pinned(cores.of_proxy(places.setup.workers), &installed.program)
        .args(installed.side.arguments(file, places))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn rss_kib_of_one(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    shown.iter().map(|line| format!("; {}", line.trim())).collect()
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let process = i32::try_from(self.child.id()).map(Pid::from_raw);
        if process.is_ok_and(|process| kill(process, Signal::SIGTERM).is_ok()) {
            let deadline = Instant::now() + STOP_TIMEOUT;
            while Instant::now() < deadline {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                sleep(START_POLL);
            }
        }
        // It may have ended in the meantime; then both calls fail, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

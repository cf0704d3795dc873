//! Which core does what, and how much CPU time a process has used.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::error::Error;

/// Two cores: the proxy has one to itself, load and upstream share the other, and a second worker with them.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub proxy: usize,
    pub load: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub fn choose() -> Result<Self, Error> {
        let allowed =
            sched_getaffinity(Pid::from_raw(0)).map_err(Error::system("the allowed cores"))?;
        let cores: Vec<usize> =
            (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true)).collect();
        match cores[..] {
            [proxy, load, ..] => Ok(Self { proxy, load }),
            _ => Err(Error::TooFewCores { allowed: cores.len() }),
        }
    }

    /// Those of a proxy with that many workers.
    pub fn of_proxy(self, workers: u32) -> String {
        match workers {
            1 => self.proxy.to_string(),
            _ => format!("{},{}", self.proxy, self.load),
        }
    }
}

/// A command that runs `program` on `cores` only, as taskset(1) takes them, and ends with this process, however that ends. Each
/// wrapper becomes the next program, so the process id and the start are the program's own.
pub fn pinned(cores: impl Display, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &cores.to_string(), "setpriv", "--pdeathsig", "TERM"]).arg(program);
    command
}

/// CPU time, user and system, of `process` and everything it started that still runs. The kernel's
/// process clock counts in nanoseconds and includes threads that have ended.
pub fn time_used(process: u32) -> nix::Result<Duration> {
    family(process).into_iter().map(time_of_one).sum()
}

fn time_of_one(process: u32) -> nix::Result<Duration> {
    let pid = i32::try_from(process).map_err(|_| nix::Error::ESRCH)?;
    Ok(clock_getcpuclockid(Pid::from_raw(pid))?.now()?.into())
}

/// Time that `core` has not been idle since boot, in the kernel's ticks of 10 ms; none if the kernel
/// does not tell.
pub fn core_busy(core: usize) -> Option<Duration> {
    busy_in(&fs::read_to_string("/proc/stat").ok()?, core)
}

fn busy_in(stat: &str, core: usize) -> Option<Duration> {
    const TICK_MS: u64 = 10;
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|tick| tick.parse().ok()).collect();
    // proc(5): user nice system idle iowait irq softirq steal; guest time is in user already.
    let [user, nice, system, _, _, irq, softirq, steal, ..] = ticks[..] else { return None };
    Some(Duration::from_millis((user + nice + system + irq + softirq + steal) * TICK_MS))
}

/// `process` and its descendants: nginx's worker is a child of its master.
pub fn family(process: u32) -> Vec<u32> {
    let mut members = vec![process];
    let mut next = 0;
    while let Some(&member) = members.get(next) {
        members.extend(children(member));
        next += 1;
    }
    members
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn idle_and_waiting_time_is_not_busy() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 1000 2000 4 5 6 0 0\ncpu10 9 9 9 9 9 9 9 9 0 0\n";
        assert_eq!(busy_in(stat, 1), Some(Duration::from_millis(210)));
        assert_eq!(busy_in(stat, 2), None);
    }

    #[test]
    fn counts_the_time_of_children() {
        // The shell waits for input until the end of the test, and its child has used some time.
        let mut shell = Command::new("sh")
            .args([
                "-c",
                "sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; read x'; true",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = shell.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
        let family = family(shell.id());
        assert_eq!(family.len(), 2);
        assert_eq!(family[0], shell.id());
        assert!(time_used(shell.id()).unwrap() > time_of_one(shell.id()).unwrap());
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

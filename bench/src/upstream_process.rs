//! The upstream as a process of its own on the load's core, for the length of the run.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::error::Error;
use crate::tls::Credentials;
use crate::{check, cpu, http1};

/// The running upstream; stopped when dropped.
#[derive(Debug)]
pub struct UpstreamProcess {
    child: Child,
    /// Its loopback port.
    pub port: u16,
}

impl UpstreamProcess {
    /// Starts this program's own `upstream` on `core`; in TLS it shows `credentials`.
    pub fn start(core: usize, credentials: &Credentials) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(Error::system("the path of this program"))?;
        let mut child = cpu::pinned(core, &program)
            .args(["upstream", "--credentials"])
            .arg(&credentials.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::system("taskset"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or(Error::UpstreamStart)?;
        BufReader::new(stdout).read_line(&mut line).map_err(Error::system("upstream"))?;
        let port = line.trim().parse().map_err(|_| Error::UpstreamStart)?;
        Ok(Self { child, port })
    }

    /// Connections that it has accepted so far, without the one that asks; none if it is gone.
    pub fn connections(&self) -> Option<u64> {
        let mut stream = check::connect(self.port).ok()?;
        let body = http1::exchange(&mut stream, "localhost", "/connections", 0).ok()?;
        let with_this_one: u64 = std::str::from_utf8(&body).ok()?.parse().ok()?;
        with_this_one.checked_sub(1)
    }
}

impl Drop for UpstreamProcess {
    fn drop(&mut self) {
        // It may have ended already; then both calls fail, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Load of the rig's own: a process of this program on the load's core, which prints what came of it.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;

use crate::cpu;
use crate::error::Error;
use crate::loaded::Loaded;
use crate::scenario::Scenario;

/// Runs the subcommand `name` on `core` with what every generator takes and `more`; any failed request is an
/// error.
pub fn run(
    core: usize,
    name: &str,
    port: u16,
    scenario: &Scenario,
    seconds: u32,
    more: &[&OsStr],
) -> Result<Loaded, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = cpu::pinned(core, &program)
        .args([name, "--port", &port.to_string(), "--path", &scenario.path()])
        .args(["--connections", &scenario.connections.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The generator's side: prints what came of the load of `name`.
pub fn print(name: &'static str, loaded: io::Result<Loaded>) -> Result<(), Error> {
    let loaded = loaded.map_err(Error::system(name))?;
    let line = serde_json::to_string(&loaded).map_err(Error::system(name))?;
    println!("{line}");
    Ok(())
}

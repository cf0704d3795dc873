//! The sides of the comparison: what each one is and how its process is started. That a side is not
//! there is a reason in the results, not an error.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::Error;
use crate::scenario::Scenario;
use crate::setup::{Downstream, Upstream};
use crate::template::{self, Places};
use crate::{envoy_venv, program, workspace};

/// A kind of proxy to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    RingmainUring,
    RingmainEpoll,
    Envoy,
    Nginx,
    Haproxy,
    Relay,
}

/// A side whose program is there.
#[derive(Debug)]
pub struct Installed {
    pub side: Side,
    pub program: PathBuf,
    /// What it says of itself; empty for the relay, which is part of the rig.
    pub release: String,
}

impl Side {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 6] = [
        Self::RingmainUring,
        Self::RingmainEpoll,
        Self::Envoy,
        Self::Nginx,
        Self::Haproxy,
        Self::Relay,
    ];

    /// Name on the command line and in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::RingmainUring => "ringmain",
            Self::RingmainEpoll => "ringmain-epoll",
            Self::Envoy => "envoy",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Relay => "relay",
        }
    }

    /// Name in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::RingmainUring => "ringmain (io_uring)",
            Self::RingmainEpoll => "ringmain (epoll)",
            Self::Envoy => "Envoy",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Relay => "blind relay",
        }
    }

    /// The side called `name`.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|side| side.name() == name).ok_or_else(|| Error::Unknown {
            kind: "side",
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }

    /// Finds the side's program, building or installing it if that is ours to do; or says why it
    /// cannot be measured. `built` is a ringmain to take instead of building one.
    pub fn install(self, built: Option<&Path>) -> Result<Installed, String> {
        let found = match self {
            Self::RingmainUring | Self::RingmainEpoll => ringmain(built),
            Self::Envoy => envoy_venv::executable(),
            Self::Nginx => {
                program::find("nginx").ok_or("not on PATH (Debian: apt-get install nginx)".into())
            }
            Self::Haproxy => program::find("haproxy")
                .ok_or("not on PATH (Debian: apt-get install haproxy)".into()),
            Self::Relay => std::env::current_exe().map_err(|error| error.to_string()),
        };
        let program = found?;
        let line = match self {
            Self::Relay => String::new(),
            Self::Nginx | Self::Haproxy => program::first_line(&program, "-v"),
            _ => program::first_line(&program, "--version"),
        };
        let release = program::release(&line).unwrap_or_default().to_owned();
        Ok(Installed { side: self, program, release })
    }

    /// Names and templates of the configuration files, the one to start with first; none for the
    /// relay.
    pub fn configuration(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::RingmainUring | Self::RingmainEpoll | Self::Envoy => {
                &[("envoy.yaml", template::ENVOY)]
            }
            Self::Nginx => &[("nginx.conf", template::NGINX)],
            Self::Haproxy => {
                &[("haproxy.cfg", template::HAPROXY), ("hosts.map", template::HAPROXY_HOSTS)]
            }
            Self::Relay => &[],
        }
    }

    /// Why the side cannot be measured in `scenario`, if it cannot.
    pub fn cannot(self, scenario: &Scenario) -> Option<&'static str> {
        let setup = &scenario.setup;
        match self {
            Self::RingmainUring | Self::RingmainEpoll | Self::Envoy | Self::Haproxy => None,
            Self::Nginx if setup.upstream == Upstream::H2c => Some("speaks no HTTP/2 upstream"),
            Self::Nginx
                if setup.downstream == Downstream::Tcp
                    && !Path::new(template::NGINX_STREAM_MODULE).is_file() =>
            {
                Some("lacks its stream module (Debian: apt-get install libnginx-mod-stream)")
            }
            Self::Nginx => None,
            Self::Relay if setup.access_log => Some("has no access log"),
            Self::Relay if setup.virtual_hosts > 0 => Some("has no routes"),
            Self::Relay if setup.workers > 1 => Some("has one thread"),
            Self::Relay if setup.hosts > 0 => Some("knows one host"),
            Self::Relay if !setup.has_equal_ends() => {
                Some("speaks to the upstream as the load does")
            }
            Self::Relay if scenario.has_many_connections() => {
                Some("has an upstream connection for each of a client")
            }
            Self::Relay => None,
        }
    }

    /// Does its access log go to standard output?
    pub fn logs_to_output(self) -> bool {
        self == Self::Haproxy
    }

    /// Arguments that start it in the foreground; `file` is the configuration.
    pub fn arguments(self, file: &Path, places: &Places) -> Vec<OsString> {
        let file = file.as_os_str().to_owned();
        let workers = places.setup.workers.to_string();
        let envoy = ["--concurrency", &workers, "--disable-hot-restart", "--log-level", "warning"]
            .map(OsString::from);
        let like_envoy = |more: &[&str]| {
            ["-c".into(), file.clone()]
                .into_iter()
                .chain(envoy.clone())
                .chain(more.iter().map(OsString::from))
                .collect()
        };
        match self {
            Self::RingmainUring => like_envoy(&["--io-engine", "io_uring"]),
            Self::RingmainEpoll => like_envoy(&["--io-engine", "epoll"]),
            Self::Envoy => like_envoy(&[]),
            Self::Nginx => {
                vec![
                    "-e".into(),
                    "stderr".into(),
                    "-p".into(),
                    places.scratch.into(),
                    "-c".into(),
                    file,
                ]
            }
            Self::Haproxy => vec!["-db".into(), "-f".into(), file],
            Self::Relay => {
                let [listen, upstream] =
                    [places.listen_port, places.upstream_port].map(|port| port.to_string());
                ["relay", "--listen", &listen, "--upstream", &upstream].map(OsString::from).into()
            }
        }
    }
}

/// Builds ringmain once. Both engines are measured in the same copy of the executable, which no later
/// build replaces during the run.
fn ringmain(built: Option<&Path>) -> Result<PathBuf, String> {
    static COPY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    COPY.get_or_init(|| build_and_copy(built).map_err(|error| error.to_string())).clone()
}

fn build_and_copy(built: Option<&Path>) -> Result<PathBuf, Error> {
    let copy = workspace::scratch()?.join("ringmain");
    let built = built.map_or_else(build_ringmain, |path| Ok(path.to_owned()))?;
    fs::copy(&built, &copy).map_err(Error::file(&built))?;
    Ok(copy)
}

/// Builds as users do and asks cargo where the executable is.
fn build_ringmain() -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            "ringmain",
            "--message-format",
            "json-render-diagnostics",
        ])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::system("cargo"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().rev().find_map(executable_in);
    executable.filter(|_| output.status.success()).ok_or(Error::Build)
}

/// The path in one of cargo's messages, if it tells of a finished executable called ringmain.
fn executable_in(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    path.ends_with("ringmain").then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_side_is_answered_with_the_known_ones() {
        let error = Side::by_name("traefik").unwrap_err().to_string();
        let known = "ringmain, ringmain-epoll, envoy, nginx, haproxy, relay";
        assert_eq!(error, format!("there is no side `traefik`; there are: {known}"));
    }

    #[test]
    fn reads_the_executable_from_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","executable":"/t/release/ringmain"}"#;
        assert_eq!(executable_in(message), Some("/t/release/ringmain".into()));
        for message in
            [r#"{"reason":"compiler-artifact","executable":null}"#, r#"{"success":true}"#, "text"]
        {
            assert_eq!(executable_in(message), None, "{message}");
        }
    }
}

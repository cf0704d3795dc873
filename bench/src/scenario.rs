//! What is asked of every side, as a table: a new kind of load is a row here.

use crate::error::Error;
use crate::setup::Setup;

/// One kind of load.
#[derive(Debug)]
pub struct Scenario {
    /// Name on the command line and in the JSON.
    pub name: &'static str,
    /// Name in the table.
    pub title: &'static str,
    /// Bytes of the response body.
    pub response_bytes: usize,
    /// Bytes of the request body; 0 is a GET.
    pub request_bytes: usize,
    /// Connections of the load, each with one request at a time.
    pub connections: u32,
    /// Does each connection carry one request only?
    pub new_connection: bool,
    pub load: Load,
    pub setup: Setup,
}

/// How the requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The next one as soon as the connection has its answer.
    Closed,
    /// At a fixed rate, whatever the answers do.
    Open,
    /// One on each connection, which then stays idle.
    Idle,
    /// The one that a start ends with.
    Start,
}

/// A keep-alive GET, which the others vary.
const GET: Scenario = Scenario {
    name: "small",
    title: "small GET (128 B)",
    response_bytes: 128,
    request_bytes: 0,
    connections: 64,
    new_connection: false,
    load: Load::Closed,
    setup: Setup::PLAIN,
};

/// Keep-alive connections, which the two vary; the others make do with room for fewer.
const IDLE: Scenario =
    Scenario { load: Load::Idle, setup: Setup { connections_max: 16_384, ..Setup::PLAIN }, ..GET };

const ALL: &[Scenario] = &[
    GET,
    Scenario { name: "10k", title: "GET 10 KiB", response_bytes: 10 << 10, ..GET },
    Scenario { name: "1m", title: "GET 1 MiB", response_bytes: 1 << 20, connections: 16, ..GET },
    Scenario { name: "post-10k", title: "POST 10 KiB", request_bytes: 10 << 10, ..GET },
    Scenario {
        name: "post-1m",
        title: "POST 1 MiB",
        request_bytes: 1 << 20,
        connections: 16,
        ..GET
    },
    Scenario {
        name: "new-connection",
        title: "small GET, new connection each",
        new_connection: true,
        ..GET
    },
    Scenario {
        name: "small-log",
        title: "small GET, access log on",
        setup: Setup { access_log: true, ..Setup::PLAIN },
        ..GET
    },
    Scenario { name: "open-loop", title: "small GET at a fixed rate", load: Load::Open, ..GET },
    Scenario { name: "idle-5000", title: "idle keep-alive", connections: 5_000, ..IDLE },
    Scenario { name: "idle-15000", title: "idle keep-alive", connections: 15_000, ..IDLE },
    Scenario { name: "start", title: "start", connections: 1, load: Load::Start, ..GET },
    Scenario { name: "routes-1", title: "1 virtual host and route", setup: routes(1), ..GET },
    Scenario {
        name: "routes-1000",
        title: "1,000 virtual hosts and routes",
        setup: routes(1_000),
        ..GET
    },
    Scenario {
        name: "routes-10000",
        title: "10,000 virtual hosts and routes",
        setup: routes(10_000),
        ..GET
    },
];

const fn routes(virtual_hosts: u32) -> Setup {
    Setup { virtual_hosts, ..Setup::PLAIN }
}

impl Scenario {
    /// Path of the request; the upstream reads the length of its answer from it.
    pub fn path(&self) -> String {
        format!("/bytes/{}", self.response_bytes)
    }

    /// What stands over its table.
    pub fn heading(&self) -> String {
        format!("{}, {} connections", self.title, self.connections)
    }

    /// Does it need a process that has done nothing else, and is of no use for the next?
    pub fn needs_fresh_process(&self) -> bool {
        matches!(self.load, Load::Idle | Load::Start)
    }

    /// Are there more connections than a side that opens one upstream for each can have?
    pub fn has_many_connections(&self) -> bool {
        self.new_connection || self.load == Load::Idle
    }
}

/// The scenarios called `names`, in that order.
pub fn by_names(names: &[String]) -> Result<Vec<&'static Scenario>, Error> {
    names.iter().map(|name| by_name(name)).collect()
}

/// All scenarios with what they are, for `--help`.
pub fn list() -> String {
    let lines =
        ALL.iter().map(|scenario| format!("\n  {:15} {}", scenario.name, scenario.heading()));
    format!("Scenarios:{}", lines.collect::<String>())
}

fn by_name(name: &str) -> Result<&'static Scenario, Error> {
    ALL.iter().find(|scenario| scenario.name == name).ok_or_else(|| Error::Unknown {
        kind: "scenario",
        name: name.to_owned(),
        known: ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = by_names(&["small".into(), "smal".into()]).unwrap_err();
        let text = "there is no scenario `smal`; there are: small, 10k, 1m, post-10k, post-1m, new-connection, \
            small-log, open-loop, idle-5000, idle-15000, start, routes-1, routes-1000, routes-10000";
        assert_eq!(error.to_string(), text);
    }
}

//! What is asked of every side, as a table: a new kind of load is a row here.

use crate::error::Error;
use crate::setup::{Downstream, Setup, Upstream};

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
    /// Connections of the load.
    pub connections: u32,
    /// Requests at a time on each connection.
    pub streams: u32,
    /// Does each connection carry one request only?
    pub new_connection: bool,
    /// What the load speaks.
    pub protocol: Protocol,
    pub load: Load,
    pub setup: Setup,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// How the requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// The next one as soon as the connection has its answer.
    Closed,
    /// At a fixed rate, this part of the run's, whatever the answers do.
    Open { part: u32 },
    /// The next connection with a TLS handshake and one request as soon as the one before has ended.
    Handshakes { resumed: bool },
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
    streams: 1,
    new_connection: false,
    protocol: Protocol::Http1,
    load: Load::Closed,
    setup: Setup::PLAIN,
};

/// The same over HTTP/2 in cleartext.
const H2C: Scenario = Scenario {
    connections: 4,
    streams: 32,
    protocol: Protocol::Http2,
    setup: Setup { downstream: Downstream::H2c, ..Setup::PLAIN },
    ..GET
};

/// The same over TLS.
const TLS: Scenario =
    Scenario { setup: Setup { downstream: Downstream::Tls, ..Setup::PLAIN }, ..GET };

/// Bytes that pass through, of which only the load knows that they are HTTP.
const TCP: Scenario =
    Scenario { setup: Setup { downstream: Downstream::Tcp, ..Setup::PLAIN }, ..GET };

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
    Scenario {
        name: "small-filters",
        title: "small GET, filters on",
        setup: Setup { filters: true, ..Setup::PLAIN },
        ..GET
    },
    Scenario { name: "h2c-h1", title: "HTTP/2 small GET", ..H2C },
    Scenario {
        name: "h2c-h2c",
        title: "HTTP/2 small GET, HTTP/2 upstream",
        setup: Setup { upstream: Upstream::H2c, ..H2C.setup },
        ..H2C
    },
    Scenario { name: "h2c-10k", title: "HTTP/2 GET 10 KiB", response_bytes: 10 << 10, ..H2C },
    Scenario {
        name: "h2c-1m",
        title: "HTTP/2 GET 1 MiB",
        response_bytes: 1 << 20,
        streams: 4,
        ..H2C
    },
    Scenario { name: "tls-h1", title: "TLS small GET", ..TLS },
    Scenario { name: "tls-h2", title: "TLS HTTP/2 small GET", setup: TLS.setup, ..H2C },
    Scenario {
        name: "tls-1m",
        title: "TLS GET 1 MiB",
        response_bytes: 1 << 20,
        connections: 16,
        ..TLS
    },
    Scenario {
        name: "handshake",
        title: "full TLS handshake and small GET each",
        connections: 16,
        load: Load::Handshakes { resumed: false },
        ..TLS
    },
    Scenario {
        name: "resume",
        title: "resumed TLS session and small GET each",
        connections: 16,
        load: Load::Handshakes { resumed: true },
        ..TLS
    },
    Scenario {
        name: "reencrypt",
        title: "TLS small GET, TLS upstream",
        setup: Setup { upstream: Upstream::Tls, ..TLS.setup },
        ..TLS
    },
    Scenario { name: "tcp", title: "TCP proxy, small GET", ..TCP },
    Scenario {
        name: "tcp-1m",
        title: "TCP proxy, GET 1 MiB",
        response_bytes: 1 << 20,
        connections: 16,
        ..TCP
    },
    Scenario { name: "small-2w", title: "small GET, two workers", setup: workers(GET, 2), ..GET },
    Scenario {
        name: "h2c-h1-2w",
        title: "HTTP/2 small GET, two workers",
        setup: workers(H2C, 2),
        ..H2C
    },
    Scenario { name: "open-loop", title: "small GET at a fixed rate", load: open(1), ..GET },
    Scenario { name: "open-loop-half", title: "small GET at half of it", load: open(2), ..GET },
    Scenario { name: "open-loop-quarter", title: "small GET at a quarter", load: open(4), ..GET },
    Scenario { name: "idle-5000", title: "idle keep-alive", ..idle(GET) },
    Scenario { name: "idle-15000", title: "idle keep-alive", connections: 15_000, ..idle(GET) },
    Scenario { name: "idle-h2", title: "idle HTTP/2", ..idle(H2C) },
    Scenario { name: "idle-tls", title: "idle TLS keep-alive", ..idle(TLS) },
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
    Scenario { name: "hosts-1", title: "1 host", setup: hosts(1), ..GET },
    Scenario { name: "hosts-100", title: "100 hosts", setup: hosts(100), ..GET },
    Scenario { name: "hosts-5000", title: "5,000 hosts", setup: hosts(5_000), ..GET },
];

/// As many connections as a side may have, with one request each in the way of `scenario`.
const fn idle(scenario: Scenario) -> Scenario {
    Scenario {
        connections: 5_000,
        streams: 1,
        load: Load::Idle,
        setup: Setup { connections_max: 16_384, ..scenario.setup },
        ..scenario
    }
}

const fn open(part: u32) -> Load {
    Load::Open { part }
}

const fn workers(scenario: Scenario, workers: u32) -> Setup {
    Setup { workers, ..scenario.setup }
}

const fn routes(virtual_hosts: u32) -> Setup {
    Setup { virtual_hosts, ..Setup::PLAIN }
}

const fn hosts(hosts: u32) -> Setup {
    Setup { hosts, ..Setup::PLAIN }
}

impl Scenario {
    /// Path of the request; the upstream reads the length of its answer from it.
    pub fn path(&self) -> String {
        format!("/bytes/{}", self.response_bytes)
    }

    /// What stands over its table.
    pub fn heading(&self) -> String {
        let streams = match self.streams {
            1 => String::new(),
            streams => format!(" with {streams} streams"),
        };
        format!("{}, {} connections{streams}", self.title, self.connections)
    }

    /// Most requests at a time.
    pub fn concurrency(&self) -> u32 {
        self.connections * self.streams
    }

    /// Does it need a process that has done nothing else, and is of no use for the next?
    pub fn needs_fresh_process(&self) -> bool {
        matches!(self.load, Load::Idle | Load::Start)
    }

    /// Are there more connections than a side that opens one upstream for each can have?
    pub fn has_many_connections(&self) -> bool {
        self.new_connection || matches!(self.load, Load::Idle | Load::Handshakes { .. })
    }
}

impl Protocol {
    /// Its name in TLS (RFC 7301).
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
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

    /// What all scenarios are, as the documents say it.
    const DOCUMENT: &str = include_str!("../../docs/benchmarks.md");

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = by_names(&["small".into(), "smal".into()]).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no scenario `smal`; there are: small, 10k, "),
            "{error}"
        );
        assert_eq!(error.split(", ").count(), ALL.len(), "{error}");
    }

    #[test]
    fn help_and_documents_list_every_scenario_in_order() {
        let listed: Vec<_> = list().lines().skip(1).map(|line| line.trim().to_owned()).collect();
        let documented: Vec<_> = DOCUMENT
            .lines()
            .skip_while(|line| *line != "| scenario | load |")
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
            .collect();
        assert_eq!(listed.len(), ALL.len());
        for (at, scenario) in ALL.iter().enumerate() {
            let (name, heading) = (scenario.name, scenario.heading());
            assert_eq!(listed[at], format!("{name:15} {heading}"));
            let row = documented.get(at).copied().unwrap_or_default();
            assert_eq!(row, format!("{name}` | {heading}"), "docs/benchmarks.md");
        }
        assert_eq!(documented.len(), ALL.len(), "docs/benchmarks.md");
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> =
            ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}

//! The admin interface of a proxy, over a connection per request.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::message::{End, Message};
use crate::wait::eventually;

/// Stat names and their values as printed.
pub type Stats = BTreeMap<String, String>;

/// Where a proxy's admin interface listens.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    port: u16,
}

impl Admin {
    /// The admin interface on a port of loopback.
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `GET path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Message {
        self.request("GET", path).unwrap_or_else(|end| panic!("GET {path}: {end}"))
    }

    /// `POST path` without a body.
    #[track_caller]
    pub fn post(&self, path: &str) -> Message {
        self.request("POST", path).unwrap_or_else(|end| panic!("POST {path}: {end}"))
    }

    /// Any request without a body; an error when the proxy closed instead of answering.
    pub fn request(&self, method: &str, path: &str) -> Result<Message, End> {
        let mut client = Client::connect(self.port);
        client
            .send(format!("{method} {path} HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\n\r\n"));
        client.read_response()
    }

    /// Counters and gauges whose name the regular expression finds; empty means all of them.
    #[track_caller]
    pub fn stats(&self, filter: &str) -> Stats {
        let query = if filter.is_empty() { String::new() } else { format!("?filter={filter}") };
        self.get(&format!("/stats{query}"))
            .text()
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The number a counter or gauge shows; 0 when it does not exist.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let filter = format!("^{}$", name.replace('.', "%5C."));
        self.stats(&filter).get(name).map_or(0, |value| value.parse().expect("a counter's value"))
    }

    /// Waits until a counter or gauge shows `value`.
    #[track_caller]
    pub fn wait_for_stat(&self, name: &str, value: u64) {
        eventually(&format!("{name} to become {value}"), || {
            (self.stat(name) == value).then_some(())
        });
    }
}

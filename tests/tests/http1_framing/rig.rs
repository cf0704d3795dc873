//! One proxy between a client that sends cases and an upstream that knows one way to read.
//!
//! Pieces of a case are kept apart without waiting for time to pass: between the first pieces and
//! the second an ordinary request goes through the same worker, which has read the first by then.

use std::collections::BTreeMap;

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::wait::{PATIENCE, poll_for};

use super::peer::Peer;

/// So many connections at once.
const AT_ONCE_MAX: usize = 200;
/// Messages up to so long are split at every byte. Longer ones are long by the same byte again and again: they are
/// split at so many places, and at every byte where heads and last chunks are.
const EVERY_BYTE_MAX: usize = 2_000;
const LONG_SPLITS: usize = 200;
const EDGE_BYTES: usize = 40;

/// A proxy and its upstream.
pub struct Rig {
    /// The upstream.
    pub peer: Peer,
    /// The proxy.
    pub proxy: Proxy,
    barrier: Client,
    /// How many log lines were looked at.
    lines_seen: usize,
}

/// How the pieces of a message arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// In one piece.
    Whole,
    /// In two, so many bytes in the first.
    Split(usize),
    /// Each byte by itself.
    Trickle,
}

/// Every way in which `length` bytes are to arrive, but for the whole; in parts that run one after the other.
pub fn splits(length: usize) -> Vec<Vec<Arrival>> {
    let step = if length > EVERY_BYTE_MAX { length.div_ceil(LONG_SPLITS) } else { 1 };
    let is_edge = |at: usize| at <= EDGE_BYTES || at + EDGE_BYTES >= length;
    let places = (1..length).filter(|at| at % step == 0 || is_edge(*at));
    let arrivals: Vec<_> = places.map(Arrival::Split).chain([Arrival::Trickle]).collect();
    arrivals.chunks(AT_ONCE_MAX).map(<[_]>::to_vec).collect()
}

impl Rig {
    /// Starts both, with further fields of the connection manager and the route.
    #[track_caller]
    pub fn start(program: Program, hcm: &str, route: &str) -> Self {
        let peer = Peer::start();
        let values = Values::from([("upstream".into(), peer.port().to_string())]);
        // Without what differs from request to request, all bytes are known exactly.
        let hcm = format!(
            r#"generate_request_id: false
delayed_close_timeout: 0.2s
access_log:
- name: details
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: "{{{{scratch}}}}/details"
    log_format:
      text_format_source:
        inline_string: "%REQ(:PATH)% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"
{hcm}"#
        );
        let config = front_proxy(&hcm, route, "").replace(
            "http.router.v3.Router }",
            "http.router.v3.Router, suppress_envoy_headers: true }",
        );
        let proxy = Proxy::start(program, &config, &values);
        let barrier = Client::connect(proxy.port("listener"));
        Self { peer, proxy, barrier, lines_seen: 0 }
    }

    /// A new connection to the proxy.
    pub fn connect(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    /// Has a request served: the worker has then dealt with all that arrived before.
    #[track_caller]
    pub fn pass_barrier(&mut self, place: &str) {
        let answered = next(&mut self.barrier, "/next/barrier");
        assert_eq!(answered.as_deref(), Ok("/next/barrier"), "{place}: the next request");
    }

    /// Serves `count` requests at once, each of which must get its own answer.
    #[track_caller]
    pub fn follow(&self, count: usize, place: &str) {
        let mut clients: Vec<Client> = (0..count).map(|_| self.connect()).collect();
        for (index, client) in clients.iter_mut().enumerate() {
            client.send(next_request(&format!("/next/{index}")));
        }
        for (index, client) in clients.iter_mut().enumerate() {
            let answer = client.read_response().map(|response| response.text());
            assert_eq!(answer, Ok(format!("/next/{index}")), "{place}: another's bytes");
        }
        // A reset leaves no port in TIME_WAIT; the cases together open more connections than there are ports.
        clients.into_iter().for_each(Client::reset);
    }

    /// Sends `bytes` over one connection for each arrival.
    pub fn send(&mut self, bytes: &[u8], arrivals: &[Arrival], place: &str) -> Vec<Client> {
        let mut clients: Vec<Client> = arrivals.iter().map(|_| self.connect()).collect();
        for (client, arrival) in clients.iter_mut().zip(arrivals) {
            match arrival {
                Arrival::Whole => client.send(bytes),
                Arrival::Split(at) => client.send(&bytes[..*at]),
                Arrival::Trickle => bytes.chunks(1).for_each(|byte| client.send(byte)),
            }
        }
        if arrivals.iter().any(|arrival| matches!(arrival, Arrival::Split(_))) {
            self.pass_barrier(place);
        }
        for (client, arrival) in clients.iter_mut().zip(arrivals) {
            if let Arrival::Split(at) = arrival {
                client.send(&bytes[*at..]);
            }
        }
        clients
    }

    /// What the access log says of `count` requests since the last call: how often each
    /// `<flags> <details>`. Lines of `/next` are left out.
    #[track_caller]
    pub fn log(&mut self, count: usize, place: &str) -> BTreeMap<String, usize> {
        let lines = poll_for(PATIENCE, || {
            let text = self.proxy.file("details");
            let lines: Vec<String> = text
                .lines()
                .filter(|line| !line.starts_with("/next"))
                .skip(self.lines_seen)
                .filter_map(|line| line.split_once(' '))
                .map(|(_, line)| line.to_owned())
                .collect();
            (lines.len() >= count).then_some(lines)
        });
        let lines = lines.unwrap_or_else(|| {
            panic!("{place}: fewer than {count} log lines\n{}", self.proxy.file("details"))
        });
        self.lines_seen += lines.len();
        let mut counts = BTreeMap::new();
        lines.into_iter().for_each(|line| *counts.entry(line).or_insert(0) += 1);
        counts
    }

    /// Fails where the upstream got what it cannot read.
    #[track_caller]
    pub fn assert_faultless(&self, place: &str) {
        let faults = self.peer.take_faults();
        assert!(faults.is_empty(), "{place}: {}", faults.join("\n"));
    }
}

fn next_request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: next.example\r\n\r\n")
}

fn next(client: &mut Client, target: &str) -> Result<String, End> {
    client.send(next_request(target));
    client.read_response().map(|response| response.text())
}

/// `bytes` with each date, of whatever value, written the same.
pub fn without_dates(bytes: &[u8]) -> String {
    let mut text = super::wire::text(bytes);
    let mut from = 0;
    while let Some(at) = text[from..].find("\r\ndate: ") {
        let start = from + at + 8;
        let end = text[start..].find("\r\n").map_or(text.len(), |length| start + length);
        if end - start == DATE.len() {
            text.replace_range(start..end, DATE);
        }
        from = start;
    }
    text
}

/// What stands for a date: as long as one.
pub const DATE: &str = "Ddd, 00 Mmm 0000 00:00:00 GMT";

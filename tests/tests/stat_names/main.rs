//! The names of stats, held against Envoy's: for a plain configuration and for one that has of everything.
//!
//! What Envoy has and ringmain has not, and the other way round, stands in `docs/stats.md` with the reason;
//! a name that is not listed there fails, and so does a row that nothing is in any more.

use std::collections::BTreeSet;

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::tls::{Authority, Handshake, Subject};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;
use rustls::version::{TLS12, TLS13};

const EVERYTHING: &str = include_str!("everything.yaml");
const DOCUMENT: &str = include_str!("../../../docs/stats.md");

/// All names of one program after the same traffic, with ports replaced.
fn names(program: Program, config: &str, authority: &Authority) -> BTreeSet<String> {
    let upstream = Upstream::start(vec![ok()]);
    let values = Values::from([
        ("upstream".into(), upstream.address().port().to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
    ]);
    let proxy = Proxy::start(program, config, &values);
    let port = proxy.port("listener");
    for path in ["/", "/tls", "/h2", "/ring", "/maglev", "/subset", "/dns", "/healthz"] {
        let mut client = Client::connect(port);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\norigin: http://a\r\n\r\n"));
        client.read_response().expect("an answer");
    }
    if config == EVERYTHING {
        for version in [&TLS12, &TLS13] {
            let handshake = Handshake::new(authority, "server.example", &[version]);
            handshake
                .connect(port)
                .ask("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .expect("an answer");
        }
        let mut client = Client::connect(proxy.port("listener_bytes"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        client.read_response().expect("an answer");
    }
    // Latencies become visible with Envoy's first flush.
    let read = || {
        let text = proxy.admin().get("/stats").text();
        text.contains("upstream_rq_time: P0").then_some(text)
    };
    let text = eventually("the first flush", read);
    let names = text.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned()));
    let is_there = |place: &&str| config.contains(&format!("{{{{{place}}}}}"));
    let places = ["listener", "listener_bytes"].into_iter().filter(is_there);
    let named = |name: String, place: &str| {
        let address = format!("127.0.0.1_{}", proxy.port(place));
        name.replace(&address, place)
    };
    names.map(|name| places.clone().fold(name, named)).collect()
}

/// The patterns in the first column of the table behind `heading`.
fn listed(heading: &str) -> Vec<&'static str> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading));
    let rows =
        section.expect("the section is there").lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| row.split('|').nth(1).expect("a column").split('`').skip(1).step_by(2))
        .collect()
}

/// Whether `name` is of the pattern, whose `*` stands for anything.
fn is_of(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut rest = rest;
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], part);
    }
    rest.is_empty() || (pattern.ends_with('*') && last.is_empty())
}

#[test]
fn names_are_envoys_but_for_those_listed() {
    let authority = Authority::new();
    authority.issue(
        "server",
        &Subject { name: "server", dns: vec!["server.example"], ..Subject::default() },
    );
    let (lacking, further) = (listed("Envoy's names that"), listed("Names that only"));
    let (mut lacked, mut had) = (BTreeSet::new(), BTreeSet::new());
    for config in [front_proxy("", "", ""), EVERYTHING.to_owned()] {
        let theirs = names(Program::Envoy, &config, &authority);
        for program in Program::ringmains() {
            let ours = names(program, &config, &authority);
            let unlisted = |names: &BTreeSet<String>,
                            patterns: &[&'static str],
                            seen: &mut BTreeSet<&'static str>| {
                let of = |name: &str| patterns.iter().find(|pattern| is_of(pattern, name));
                seen.extend(names.iter().filter_map(|name| of(name)));
                names.iter().filter(|name| of(name).is_none()).cloned().collect::<Vec<_>>()
            };
            let missing = unlisted(&(&theirs - &ours), &lacking, &mut lacked);
            let more = unlisted(&(&ours - &theirs), &further, &mut had);
            assert!(
                missing.is_empty() && more.is_empty(),
                "{program} lacks {missing:#?} and has {more:#?}"
            );
        }
    }
    let idle = |patterns: &[&'static str], seen: &BTreeSet<&'static str>| -> Vec<&'static str> {
        patterns.iter().copied().filter(|pattern| !seen.contains(pattern)).collect()
    };
    assert_eq!(idle(&lacking, &lacked), Vec::<&str>::new(), "rows that nothing is in");
    assert_eq!(idle(&further, &had), Vec::<&str>::new(), "rows that nothing is in");
}

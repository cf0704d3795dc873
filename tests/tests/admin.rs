//! The admin interface, held against Envoy's: the same traffic, then the same questions.

use std::collections::{BTreeMap, BTreeSet};

use ringmain_tests::client::Client;
use ringmain_tests::message::{End, Message};
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;
use serde_json::Value;

/// A proxy that has served two requests on one connection.
struct Served {
    proxy: Proxy,
    upstream: Upstream,
}

impl Served {
    fn by(program: Program) -> Self {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let mut client = Client::connect(proxy.port("listener"));
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
            client.read_response().expect("an answer");
        }
        drop(client);
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        Self { proxy, upstream }
    }

    /// Status line, headers in alphabetical order without those that frame the body, and the body;
    /// ports and dates replaced.
    fn answer(&self, method: &str, path: &str) -> String {
        let answer = self.proxy.admin().request(method, path).expect("an answer");
        let framing = ["content-length", "transfer-encoding"];
        let mut headers: Vec<&str> = answer.head.lines().skip(1).collect();
        headers.retain(|line| !framing.iter().any(|name| line.starts_with(name)));
        headers.sort_unstable();
        // Envoy says one of them twice with some errors.
        headers.dedup();
        let mut body = answer.text();
        if path == "/runtime" {
            // A map of protobuf's, whose order Envoy draws anew in each process.
            let members: BTreeMap<String, Value> = serde_json::from_str(&body).expect("JSON");
            body = serde_json::to_string_pretty(&members).expect("JSON");
        }
        self.normal(&format!("{}\n{}\n\n{body}", answer.start_line(), headers.join("\n")))
    }

    fn normal(&self, text: &str) -> String {
        let names = [
            (self.proxy.port("listener"), "listener"),
            (self.upstream.address().port(), "upstream"),
        ];
        let admin = (self.proxy.admin().port(), "admin");
        let mut text = normalize::ports(text, &names);
        for (port, name) in names.into_iter().chain([admin]) {
            let named = format!("\"port_value\": \"<{name}>\"");
            text = text.replace(&format!("\"port_value\": {port}"), &named);
        }
        normalize::headers(&text)
    }
}

/// Asks Envoy and ringmain the same; the answers must be equal.
fn same_answers(questions: &[(&str, &str)]) {
    for program in Program::ringmains() {
        // Questions may change what later ones find, so that each engine has an Envoy of its own.
        let (envoy, ringmain) = (Served::by(Program::Envoy), Served::by(program));
        let mut differences = Vec::new();
        for (method, path) in questions {
            let (ours, theirs) = (ringmain.answer(method, path), envoy.answer(method, path));
            if ours != theirs {
                differences.push(format!("{method} {path}\nringmain: {ours}\nEnvoy: {theirs}"));
            }
        }
        assert!(differences.is_empty(), "{program}:\n{}", differences.join("\n\n"));
    }
}

#[test]
fn answers_are_envoys() {
    same_answers(&[
        ("GET", "/ready"),
        ("GET", "/listeners"),
        ("GET", "/clusters"),
        ("GET", "/stats?filter=%5Ehttp%5C.ingress%5C.downstream_rq_(total%7C2xx)$"),
        ("GET", "/stats?filter=%5Ecluster%5C.backend%5C.membership"),
        ("GET", "/stats?filter=no_such_stat"),
        ("GET", "/stats?format=json&filter=no_such_stat"),
        ("GET", "/stats?format=json&filter=%5Ehttp%5C.ingress%5C.downstream_rq_(total%7C2xx)$"),
        ("GET", "/stats?type=Gauges&filter=%5Ecluster%5C.backend%5C.(membership%7Cupstream_cx_a)"),
        ("GET", "/stats?type=TextReadouts"),
        ("GET", "/stats?type=Bad"),
        ("GET", "/stats?format=bad"),
        ("GET", "/stats?format=&type=&filter=%5Ecluster%5C.backend%5C.membership"),
        ("GET", "/stats?histogram_buckets=bad"),
        ("GET", "/stats?filter=.&invert_filter"),
        ("GET", "/stats/prometheus?histogram_buckets=detailed"),
        ("GET", "/clusters?format=json"),
        ("GET", "/clusters?filter=nothing"),
        ("GET", "/clusters?filter=("),
        ("GET", "/listeners?format=json"),
        ("GET", "/certs"),
        ("GET", "/runtime"),
        ("GET", "/runtime_modify"),
        ("POST", "/runtime_modify"),
        ("POST", "/runtime_modify?a=b"),
        ("GET", "/hot_restart_version"),
        ("GET", "/init_dump"),
        ("GET", "/contention"),
        ("GET", "/drain_listeners"),
        ("GET", "/healthcheck/fail"),
        ("GET", "/logging"),
        ("PUT", "/ready"),
        ("POST", "/cpuprofiler"),
        ("POST", "/cpuprofiler?enable=y"),
        ("POST", "/cpuprofiler?enable=n"),
        ("POST", "/heapprofiler?enable=y"),
        ("POST", "/reopen_logs"),
        ("POST", "/healthcheck/fail"),
        ("GET", "/ready"),
        ("GET", "/stats?filter=%5Eserver%5C.live$"),
        ("POST", "/healthcheck/ok"),
        ("GET", "/ready"),
        ("POST", "/reset_counters"),
        ("GET", "/stats?filter=%5Ehttp%5C.ingress%5C.downstream_rq_(total%7C2xx)$"),
    ]);
}

#[test]
fn the_configuration_is_dumped_as_envoy_does() {
    same_answers(&[
        (
            "GET",
            "/config_dump?resource=static_clusters&mask=cluster.name,cluster.type,cluster.load_assignment",
        ),
        ("GET", "/config_dump?resource=static_listeners&mask=listener.filter_chains"),
        ("GET", "/config_dump?resource=static_listeners&mask=listener.name,listener.address"),
        ("GET", "/config_dump?resource=static_route_configs&mask=route_config.virtual_hosts"),
        ("GET", "/config_dump?resource=static_endpoint_configs&include_eds"),
        ("GET", "/config_dump?resource=dynamic_listeners"),
        ("GET", "/config_dump?resource=bad"),
        ("GET", "/config_dump?resource=bootstrap&mask=node.id"),
        ("GET", "/config_dump?mask=bootstrap.static_resources,bootstrap.admin"),
        ("GET", "/config_dump?mask=configs"),
        ("GET", "/config_dump?resource=static_clusters&name_regex=none"),
        ("GET", "/config_dump?resource=static_clusters&name_regex=back.*&mask=cluster.name"),
    ]);
    for program in Program::ringmains() {
        let served = Served::by(program);
        let answer = served.proxy.admin().get("/config_dump");
        let dump: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let types: Vec<&str> = dump["configs"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|config| config["@type"].as_str()?.rsplit('.').next())
            .collect();
        assert_eq!(
            types,
            [
                "BootstrapConfigDump",
                "ClustersConfigDump",
                "ListenersConfigDump",
                "ScopedRoutesConfigDump",
                "RoutesConfigDump",
                "SecretsConfigDump"
            ]
        );
    }
}

/// Families with their type, and every sample's name and tags, without its value.
fn shape(answer: &Message) -> BTreeSet<String> {
    let lines = answer.text();
    let shapes = lines.lines().map(|line| match line.starts_with('#') {
        true => line.to_owned(),
        false => line.rsplit_once(' ').map_or(line, |(sample, _)| sample).to_owned(),
    });
    shapes.collect()
}

/// What Envoy counts of its own making: the client that its own subsystems use.
const ENVOYS_OWN: [&str; 1] = ["\"async-client\""];

/// What ringmain counts beyond Envoy.
const OURS: [&str; 4] = [
    "envoy_cluster_upstream_rq_replayed",
    "envoy_server_accept_pauses",
    "envoy_server_access_log_bytes_dropped",
    "envoy_server_connection_panics",
];

#[test]
fn prometheus_shows_the_families_tags_and_bounds_of_envoy() {
    let envoy = Served::by(Program::Envoy);
    // Latencies become visible with the first flush.
    let answered = || {
        let answer = envoy.proxy.admin().get("/stats/prometheus");
        let seen = answer.text().contains("envoy_cluster_external_upstream_rq_time_count");
        seen.then_some(answer)
    };
    let theirs = shape(&eventually("Envoy's first flush", answered));
    for program in Program::ringmains() {
        let ringmain = Served::by(program);
        let port = |served: &Served| served.proxy.port("listener").to_string();
        let (from, to) = (port(&envoy), port(&ringmain));
        let ours = shape(&ringmain.proxy.admin().get("/stats/prometheus"));
        let missing: Vec<String> = theirs
            .iter()
            .map(|line| line.replace(&format!("127.0.0.1_{from}"), &format!("127.0.0.1_{to}")))
            .filter(|line| !ENVOYS_OWN.iter().any(|name| line.contains(name)))
            .filter(|line| !ours.contains(line))
            .collect();
        assert!(missing.is_empty(), "{program} lacks {missing:#?}");
        let renamed: BTreeSet<String> = theirs
            .iter()
            .map(|line| line.replace(&format!("127.0.0.1_{from}"), &format!("127.0.0.1_{to}")))
            .collect();
        let more: Vec<&String> = ours
            .difference(&renamed)
            .filter(|line| !OURS.iter().any(|name| line.contains(name)))
            .collect();
        assert!(more.is_empty(), "{program} has {more:#?}");
    }
}

/// What Envoy has used of its own making: the files that it writes, the runtime that it loads, and the
/// connections to its admin interface.
const ENVOYS_USE: [&str; 3] = ["filesystem.", "http.admin.", "runtime."];

#[test]
fn used_stats_are_those_of_envoy() {
    let used = |served: &Served| -> BTreeSet<String> {
        let stats = served.proxy.admin().get("/stats?usedonly&type=Gauges").text()
            + &served.proxy.admin().get("/stats?usedonly&type=Counters").text();
        let port = format!("127.0.0.1_{}", served.proxy.port("listener"));
        let names = stats.lines().filter_map(|line| line.split_once(": "));
        names.map(|(name, _)| name.replace(&port, "front")).collect()
    };
    let theirs = used(&Served::by(Program::Envoy));
    for program in Program::ringmains() {
        let ours = used(&Served::by(program));
        let missing: Vec<&String> = theirs
            .difference(&ours)
            .filter(|name| !ENVOYS_USE.iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        assert!(missing.is_empty(), "{program} lacks {missing:#?}");
    }
}

/// What Envoy answers and ringmain does not, and how it says so.
#[test]
fn pages_that_are_not_there() {
    let pages =
        [("/stats?format=html", 400), ("/stats/recentlookups", 404), ("/memory/tcmalloc", 404)];
    let status = |served: &Served, page: &str| served.proxy.admin().get(page).status();
    let envoy = Served::by(Program::Envoy);
    assert!(pages.iter().all(|(page, _)| status(&envoy, page) == Some(200)));
    for program in Program::ringmains() {
        let ringmain = Served::by(program);
        for (page, expected) in pages {
            assert_eq!(status(&ringmain, page), Some(expected), "{program}: {page}");
        }
    }
}

#[test]
fn histograms_are_written_as_envoy_writes_them() {
    /// A line with its numbers replaced: names, quantiles and bounds stay.
    fn without_values(line: &str) -> String {
        let Some((name, values)) = line.split_once(": ") else { return line.to_owned() };
        let values = values.split(' ').map(|value| value.split('(').next().unwrap_or_default());
        format!("{name}: {}", values.collect::<Vec<_>>().join(" "))
    }
    let lines = |served: &Served, mode: &str| -> Vec<String> {
        let query = format!("/stats?type=Histograms&histogram_buckets={mode}&filter=ingress");
        eventually("recorded values", || {
            let text = served.proxy.admin().get(&query).text();
            let recorded = !text.contains("No recorded values");
            recorded.then(|| text.lines().map(without_values).collect())
        })
    };
    let envoy = Served::by(Program::Envoy);
    for program in Program::ringmains() {
        let ringmain = Served::by(program);
        for mode in ["summary", "cumulative", "disjoint"] {
            assert_eq!(lines(&ringmain, mode), lines(&envoy, mode), "{mode} of {program}");
        }
    }
}

#[test]
fn log_levels_are_changed_one_by_one_and_all_at_once() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let admin = served.proxy.admin();
        let level_of = |logger: &str| -> String {
            let text = admin.post("/logging").text();
            let prefix = format!("  {logger}: ");
            let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
            line.unwrap_or_default().to_owned()
        };
        assert_eq!(level_of("upstream"), "info", "{program}");
        assert_eq!(admin.post("/logging?upstream=debug").status(), Some(200));
        assert_eq!((level_of("upstream"), level_of("http")), ("debug".into(), "info".into()));
        assert_eq!(admin.post("/logging?paths=upstream:off,http:trace").status(), Some(200));
        assert_eq!((level_of("upstream"), level_of("http")), ("off".into(), "trace".into()));
        assert_eq!(admin.post("/logging?level=warning").status(), Some(200));
        assert_eq!((level_of("upstream"), level_of("http")), ("warning".into(), "warning".into()));
        for (query, reason) in [
            ("level=loud", "error: unknown logger level\n\nusage: "),
            ("nosuch=debug", "error: unknown logger name\n\nusage: "),
            ("paths=upstream", "error: empty logger name or empty logger level\n\nusage: "),
            ("a=b&c=d", "error: invalid number of parameters\n\nusage: "),
        ] {
            let answer = admin.post(&format!("/logging?{query}"));
            assert_eq!(answer.status(), Some(400), "{query} of {program}");
            assert!(answer.text().starts_with(reason), "{query} of {program}");
        }
    }
}

#[test]
fn clients_that_do_not_read_hold_nothing_up() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let slow: Vec<Client> = (0..12)
            .map(|_| {
                let mut client = Client::connect(served.proxy.admin().port());
                for _ in 0..20 {
                    client.send("GET /stats/prometheus HTTP/1.1\r\nhost: admin\r\n\r\n");
                }
                client
            })
            .collect();
        assert_eq!(served.proxy.admin().get("/ready").status(), Some(200), "{program}");
        let mut client = Client::connect(served.proxy.port("listener"));
        client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
        assert_eq!(
            client.read_response().map(|answer| answer.status()),
            Ok(Some(200)),
            "{program}"
        );
        drop(client);
        let mut proxy = served.proxy;
        proxy.terminate();
        assert_eq!(proxy.wait_exit().code(), Some(0), "{program}");
        drop(slow);
    }
}

/// They could keep a readiness probe out otherwise.
#[test]
fn clients_that_ask_nothing_keep_nobody_out() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let admin = served.proxy.admin();
        let mut silent: Vec<Client> = (0..300).map(|_| Client::connect(admin.port())).collect();
        for client in &mut silent {
            client.send("GET /ready HTTP/1.1\r\n");
        }
        assert_eq!(admin.get("/ready").status(), Some(200), "{program}");
        assert_ne!(silent[0].read_to_end().1, End::TimedOut, "{program}: the oldest is closed");
        drop(silent);
        // Who asks.
        admin.wait_for_stat("http.admin.downstream_cx_active", 1);
    }
}

#[test]
fn counts_stand_in_the_text_stats() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let stats = served.proxy.admin().stats("");
        for (name, value) in [
            ("http.ingress.downstream_cx_total", "1"),
            ("http.ingress.downstream_rq_2xx", "2"),
            ("cluster.backend.upstream_rq_200", "2"),
            ("cluster.backend.upstream_cx_total", "1"),
            ("server.live", "1"),
            ("server.state", "0"),
        ] {
            assert_eq!(stats.get(name).map(String::as_str), Some(value), "{name} of {program}");
        }
        assert!(stats.keys().is_sorted(), "{program}");
    }
}

#[test]
fn server_info_tells_the_state() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let answer = served.proxy.admin().get("/server_info");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{program}");
        let info: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(info["state"], "LIVE", "{program}");
        assert_eq!(info["command_line_options"]["concurrency"], 1, "{program}");
    }
}

#[test]
fn unknown_paths_get_the_help() {
    for program in Program::ringmains() {
        let served = Served::by(program);
        let answer = served.proxy.admin().get("/no_such_path");
        assert_eq!(answer.status(), Some(404), "{program}");
        for path in ["/clusters", "/config_dump", "/listeners", "/ready", "/server_info", "/stats"]
        {
            assert!(answer.text().contains(path), "{program}: the help names {path}");
        }
    }
}

//! The admin interface, held against Envoy's: the same traffic, then the same questions.

use ringmain_tests::client::Client;
use ringmain_tests::message::Message;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

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
        self.normal(&format!(
            "{}\n{}\n\n{}",
            answer.start_line(),
            headers.join("\n"),
            answer.text()
        ))
    }

    fn normal(&self, text: &str) -> String {
        let names = [
            (self.proxy.port("listener"), "listener"),
            (self.upstream.address().port(), "upstream"),
        ];
        normalize::headers(&normalize::ports(text, &names))
    }
}

/// Asks Envoy and ringmain the same; the answers must be equal.
fn same_answers(questions: &[(&str, &str)]) {
    let envoy = Served::by(Program::Envoy);
    for program in Program::ringmains() {
        let ringmain = Served::by(program);
        for (method, path) in questions {
            assert_eq!(
                ringmain.answer(method, path),
                envoy.answer(method, path),
                "{method} {path} of {program}"
            );
        }
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
    ]);
}

/// The lines of a Prometheus family, its TYPE line first.
fn family(answer: &Message, name: &str) -> Vec<String> {
    let of_family = |line: &&str| {
        let rest = line.strip_prefix("# TYPE ").unwrap_or(line);
        rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    answer.text().lines().filter(of_family).map(str::to_owned).collect()
}

#[test]
fn prometheus_families_are_envoys() {
    let envoy = Served::by(Program::Envoy);
    for program in Program::ringmains() {
        let ringmain = Served::by(program);
        let (ours, theirs) = (
            ringmain.proxy.admin().get("/stats/prometheus"),
            envoy.proxy.admin().get("/stats/prometheus"),
        );
        for name in [
            "envoy_http_downstream_cx_total",
            "envoy_http_downstream_rq_xx",
            "envoy_http_downstream_rq_total",
            "envoy_cluster_upstream_rq",
            "envoy_cluster_upstream_rq_xx",
            "envoy_cluster_upstream_cx_total",
            "envoy_cluster_membership_healthy",
        ] {
            let ours: Vec<String> = family(&ours, name)
                .into_iter()
                .filter(|line| !line.contains("\"admin\""))
                .collect();
            let theirs: Vec<String> = family(&theirs, name)
                .into_iter()
                .filter(|line| !line.contains("\"admin\""))
                .collect();
            assert!(theirs.len() > 1, "Envoy shows {name}");
            assert_eq!(ours, theirs, "{name} of {program}");
        }
        // A proxy may merge its workers' histograms now and then only.
        let latency =
            "envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix=\"ingress\"} 2";
        eventually("the latency of both requests", || {
            ringmain
                .proxy
                .admin()
                .get("/stats/prometheus")
                .text()
                .lines()
                .any(|line| line == latency)
                .then_some(())
        });
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
        for path in
            ["/clusters", "/listeners", "/ready", "/server_info", "/stats", "/stats/prometheus"]
        {
            assert!(answer.text().contains(path), "{program}: the help names {path}");
        }
    }
}

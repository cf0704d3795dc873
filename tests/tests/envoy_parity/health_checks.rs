//! Active health checks: what a host is asked, and what its answers make of it. A case is a cluster
//! with one host, all of them in one configuration. Scripts end in a stall, or checks in a long pause,
//! so that every proxy comes to rest at the same place.

use std::collections::BTreeMap;
use std::time::Duration;

use ringmain_tests::port::RefusingPort;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, indented};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok, reply};
use ringmain_tests::wait::poll_for;

/// A cluster of one host.
struct Check {
    name: &'static str,
    /// Further fields of the cluster, `health_checks` among them.
    fields: String,
    /// Further fields of the endpoint.
    endpoint: &'static str,
    /// Of its upstream.
    script: Vec<Reply>,
    /// Whether its address is another one, which refuses connections.
    refuses: bool,
    /// How many checks are begun until rest comes.
    attempts: u64,
    /// How many of them end.
    results: u64,
}

/// What a check of a case looks like: far apart, and a result at once.
const ONCE: &str = "timeout: 60s\ninterval: 60s\nunhealthy_threshold: 2\nhealthy_threshold: 2\n";
/// One after the other.
const QUICK: &str = "timeout: 60s\ninterval: 60s\nno_traffic_interval: 0.02s\nunhealthy_threshold: 2\nhealthy_threshold: 2\n";

fn check(name: &'static str, common: &str, checker: &str, script: Vec<Reply>) -> Check {
    let attempts = script.len() as u64;
    // Of quick checks the last one stalls.
    let results = attempts - u64::from(common == QUICK);
    let log = "event_logger:\n- name: file\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink\n    event_log_path: \"{{scratch}}/events.log\"\n";
    let fields = format!(
        "health_checks:\n- always_log_health_check_failures: true\n{}",
        indented(&format!("{common}{log}{checker}"), 2)
    );
    Check { name, fields, endpoint: "", script, refuses: false, attempts, results }
}

fn stall() -> Reply {
    vec![Act::ReadBody, Act::Stall]
}

fn status(status: u16, fields: &str) -> Reply {
    reply(format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{fields}\r\nok"))
}

/// As a payload's `text`, quoted.
fn hex(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("'{digits}'")
}

/// How long Envoy's log stands still until no further line is expected; some flush intervals.
const STANDSTILL: Duration = Duration::from_millis(400);

/// What can be seen of one case.
type Seen = BTreeMap<String, String>;

struct Rig {
    proxy: Proxy,
    upstreams: BTreeMap<&'static str, Upstream>,
    refusing: RefusingPort,
}

impl Rig {
    fn start(program: Program, checks: &[Check]) -> Self {
        let refusing = RefusingPort::bind();
        let refused = refusing.address().port().to_string();
        let mut values = Values::from([("refused".into(), refused)]);
        let mut upstreams = BTreeMap::new();
        let mut text = String::from(
            "admin:\n  address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } }\nstatic_resources:\n  clusters:\n",
        );
        for check in checks {
            let name = check.name;
            let upstream = Upstream::start(check.script.clone());
            values.insert(format!("port_{name}"), upstream.address().port().to_string());
            upstreams.insert(name, upstream);
            let port = if check.refuses { "refused".to_owned() } else { format!("port_{name}") };
            text += &format!(
                "  - name: {name}\n    type: STATIC\n    load_assignment:\n      cluster_name: {name}\n      endpoints:\n      - locality: {{ zone: z }}\n        lb_endpoints:\n        - endpoint:\n            address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{{port}}}}} }} }}\n{}{}",
                indented(check.endpoint, 12),
                indented(&check.fields, 4),
            );
        }
        let proxy = Proxy::start(program, &text, &values);
        Self { proxy, upstreams, refusing }
    }

    fn see(&self, check: &Check) -> Seen {
        let name = check.name;
        let admin = self.proxy.admin();
        let mut seen: Seen = admin
            .stats(&format!("^cluster.{name}.(health_check|membership_[the])"))
            .into_iter()
            // Envoy's only grows: nothing is taken from it when a host is no longer degraded.
            .filter(|(stat, _)| !stat.ends_with("health_check.degraded"))
            .collect();
        let clusters = admin.get("/clusters").text();
        let flags = clusters.lines().find_map(|row| {
            row.strip_prefix(&format!("{name}::"))?.split_once("health_flags::").map(|(_, it)| it)
        });
        seen.insert("flags".into(), flags.unwrap_or_default().into());
        let events = self.proxy.file("events.log");
        let port = match check.refuses {
            true => self.refusing.address().port(),
            false => self.upstreams[name].address().port(),
        };
        let port = port.to_string();
        let events = events.lines().filter(|line| line.contains(&format!(r#""{name}""#)));
        let events: String =
            events.map(|line| without_time(line).replace(&port, "<port>")).collect();
        seen.insert("events".into(), events);
        seen.insert("upstream".into(), self.upstreams[name].transcript());
        seen
    }

    fn is_at_rest(&self, check: &Check) -> bool {
        let stats = self.proxy.admin().stats(&format!("cluster.{}.health_check", check.name));
        let stat = |leaf: &str| -> u64 {
            let name = format!("cluster.{}.health_check.{leaf}", check.name);
            stats.get(&name).map_or(0, |value| value.parse().expect("a number"))
        };
        let asked = self.upstreams[check.name].requests().len() as u64;
        stat("attempt") == check.attempts
            && stat("success") + stat("failure") == check.results
            && (check.refuses || asked == check.attempts)
    }
}

/// The line of an event without its time, after that was seen to be one.
fn without_time(line: &str) -> String {
    let (before, rest) = line.split_once(r#""timestamp":""#).expect("a time");
    let (time, after) = rest.split_once('"').expect("its end");
    assert!(time.starts_with("20") && time.ends_with('Z') && time.len() <= 24, "{time}");
    format!("{before}{after}\n")
}

/// Every proxy asks the same and makes the same of it as Envoy. What Envoy shows, by case.
#[track_caller]
fn compare(checks: &[Check]) -> BTreeMap<&'static str, Seen> {
    let mut expected: BTreeMap<&'static str, Seen> = BTreeMap::new();
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let rig = Rig::start(program, checks);
        for check in checks {
            let wanted = expected.get(check.name);
            let at_rest = poll_for(ringmain_tests::wait::PATIENCE, || {
                let seen = rig.is_at_rest(check).then(|| rig.see(check))?;
                let settled = match wanted {
                    Some(wanted) => *wanted == seen,
                    None => {
                        std::thread::sleep(STANDSTILL);
                        rig.see(check) == seen
                    }
                };
                settled.then_some(seen)
            });
            let seen = at_rest.unwrap_or_else(|| rig.see(check));
            match wanted {
                Some(wanted) => assert_eq!(seen, *wanted, "{program}: {}", check.name),
                None => drop(expected.insert(check.name, seen)),
            }
        }
    }
    expected
}

#[track_caller]
fn assert_shows(seen: &BTreeMap<&'static str, Seen>, name: &str, key: &str, part: &str) {
    let text = &seen[name][key];
    assert!(text.contains(part), "{name}: {part:?} is not in {key}:\n{text}");
}

#[test]
fn a_host_is_asked_in_the_same_words() {
    const HTTP: &str = "http_health_check: ";
    let once = |name, checker: &str| check(name, ONCE, checker, vec![ok()]);
    let checks = [
        once("plain", &format!("{HTTP}{{ path: '/health?x=1' }}")),
        once("named", &format!("{HTTP}{{ path: /, host: a.example }}")),
        once("head", &format!("{HTTP}{{ path: /, method: HEAD }}")),
        once("empty_post", &format!("{HTTP}{{ path: /, method: POST }}")),
        once(
            "post",
            &format!(
                "{HTTP}{{ path: /, method: POST, send: {{ text: {} }}, receive: [{{ text: '6f' }}, {{ binary: aw== }}] }}",
                hex("abc")
            ),
        ),
        once(
            "headers",
            &format!(
                "{HTTP}{{ path: /, request_headers_to_add: [{{ header: {{ key: X-A, value: '50%%' }} }}, {{ header: {{ key: user-agent, value: mine }}, append_action: OVERWRITE_IF_EXISTS_OR_ADD }}, {{ header: {{ key: x-a, value: b }} }}], request_headers_to_remove: [x-b] }}"
            ),
        ),
        Check {
            endpoint: "hostname: other.example\nhealth_check_config: { hostname: own.example }",
            ..once("own_name", &format!("{HTTP}{{ path: /, host: a.example }}"))
        },
        Check {
            endpoint: "health_check_config: { port_value: {{port_other_port}} }",
            refuses: true,
            ..once("other_port", &format!("{HTTP}{{ path: /other }}"))
        },
        Check {
            endpoint: "health_check_config: { disable_active_health_check: true }",
            attempts: 0,
            results: 0,
            ..once("unchecked", &format!("{HTTP}{{ path: / }}"))
        },
    ];
    let seen = compare(&checks);
    assert_shows(&seen, "plain", "upstream", "user-agent: Envoy/HC");
    assert_shows(&seen, "other_port", "upstream", "GET /other");
    assert_shows(&seen, "unchecked", "flags", "healthy");
}

#[test]
fn answers_decide_by_their_number() {
    let quick = |name, checker: &str, script| check(name, QUICK, checker, script);
    const PLAIN: &str = "http_health_check: { path: / }";
    let bad = || status(503, "");
    let checks = [
        quick("flapping", PLAIN, vec![ok(), bad(), ok(), ok(), stall()]),
        quick("first_fails", PLAIN, vec![bad(), ok(), stall()]),
        quick(
            "retriable",
            "http_health_check: { path: /, retriable_statuses: [{ start: 500, end: 504 }] }",
            vec![ok(), bad(), ok(), bad(), bad(), stall()],
        ),
        quick(
            "expected",
            "http_health_check: { path: /, expected_statuses: [{ start: 200, end: 300 }, { start: 404, end: 405 }] }",
            vec![status(404, ""), status(299, ""), status(300, ""), stall()],
        ),
        quick(
            "degraded",
            PLAIN,
            vec![
                bad(),
                status(200, "x-envoy-degraded: 1\r\n"),
                status(200, "x-envoy-degraded: 1\r\n"),
                ok(),
                stall(),
            ],
        ),
        quick(
            "verified",
            "http_health_check: { path: /, service_name_matcher: { prefix: web } }",
            vec![
                status(200, "x-envoy-upstream-healthchecked-cluster: web-1\r\n"),
                status(200, "x-envoy-upstream-healthchecked-cluster: other\r\n"),
                stall(),
            ],
        ),
        quick(
            "body",
            "http_health_check: { path: /, receive: [{ text: '6b' }] }",
            vec![ok(), reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"), stall()],
        ),
        quick(
            "cut_body",
            "http_health_check: { path: /, receive: [{ text: '6b' }], response_buffer_size: 1 }",
            vec![ok(), stall()],
        ),
        quick("closing", PLAIN, vec![status(200, "connection: close\r\n"), ok(), stall()]),
        quick(
            "not_reused",
            "reuse_connection: false\nhttp_health_check: { path: / }",
            vec![ok(), ok(), stall()],
        ),
        quick(
            "broken",
            PLAIN,
            vec![
                ok(),
                vec![Act::ReadBody, Act::Close],
                ok(),
                vec![Act::ReadBody, Act::Reset],
                reply("nonsense\r\n\r\n"),
                stall(),
            ],
        ),
        quick(
            "interim",
            PLAIN,
            vec![
                reply(
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                ),
                stall(),
            ],
        ),
    ];
    let seen = compare(&checks);
    assert_shows(&seen, "flapping", "flags", "healthy");
    assert_shows(&seen, "flapping", "events", "eject_unhealthy_event");
    assert_shows(&seen, "retriable", "flags", "/failed_active_hc");
    assert_shows(&seen, "cut_body", "flags", "/failed_active_hc");
    assert_shows(&seen, "not_reused", "upstream", "-- connection 3");
}

#[test]
fn hosts_that_do_not_answer_fail() {
    const TIMES: &str = "timeout: 0.1s\ninterval: 60s\nno_traffic_interval: 60s\nno_traffic_healthy_interval: 0.02s\nunhealthy_threshold: 1\nhealthy_threshold: 1\n";
    const PLAIN: &str = "http_health_check: { path: / }";
    let checks = [
        check("silent", TIMES, PLAIN, vec![ok(), stall()]),
        check("silent_at_first", TIMES, PLAIN, vec![stall()]),
        Check { refuses: true, ..check("refused", TIMES, PLAIN, vec![ok()]) },
        Check { refuses: true, ..check("refused_tcp", TIMES, "tcp_health_check: {}", vec![ok()]) },
        Check {
            fields: format!(
                "common_lb_config: {{ ignore_new_hosts_until_first_hc: true }}\n{}",
                check("ignored", TIMES, PLAIN, vec![]).fields
            ),
            ..check("ignored", TIMES, PLAIN, vec![stall()])
        },
    ];
    let seen = compare(&checks);
    assert_shows(&seen, "silent", "flags", "/failed_active_hc/active_hc_timeout");
    assert_shows(&seen, "refused", "events", "NETWORK");
}

#[test]
fn bytes_answer_bytes() {
    let request = hex("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let tcp = |receive: &str| {
        format!("tcp_health_check: {{ send: {{ text: {request} }}, receive: [{receive}] }}")
    };
    let wanted = tcp(&format!("{{ text: {} }}, {{ text: {} }}", hex("200"), hex("ok")));
    let checks = [
        check("bytes", QUICK, &wanted, vec![ok(), ok(), stall()]),
        check(
            "bytes_in_order",
            QUICK,
            &wanted,
            vec![
                ok(),
                vec![
                    Act::Send(b"ok 20".to_vec()),
                    Act::Send(b"0 o".to_vec()),
                    Act::Send(b"k".to_vec()),
                ],
                stall(),
            ],
        ),
        check(
            "bytes_not_reused",
            QUICK,
            &format!("reuse_connection: false\n{wanted}"),
            vec![ok(), ok(), stall()],
        ),
        check("bytes_closed", QUICK, &wanted, vec![ok(), vec![Act::Close], stall()]),
    ];
    let seen = compare(&checks);
    assert_shows(&seen, "bytes_closed", "upstream", "-- connection 2");
}

//! Circuit breakers, beside Envoy with one worker and exact with several.

use std::fmt::Write;
use std::sync::Barrier;

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

/// Answers once the test says so.
fn held() -> Reply {
    vec![
        Act::ReadBody,
        Act::AwaitRelease,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()),
    ]
}

struct Rig {
    proxy: Proxy,
    upstream: Upstream,
}

impl Rig {
    fn start(program: Program, workers: &str, breakers: &str, reply: Reply) -> Self {
        Self::start_with(program, workers, breakers, "", reply)
    }

    fn start_with(
        program: Program,
        workers: &str,
        breakers: &str,
        route: &str,
        reply: Reply,
    ) -> Self {
        let upstream = Upstream::start(vec![reply]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let config = front_proxy("", route, &format!("circuit_breakers: {breakers}"));
        let proxy = Proxy::start_with(program, &config, &values, &["--concurrency", workers]);
        Self { proxy, upstream }
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    /// A connection that has sent a request.
    fn asking(&self) -> Client {
        let mut client = self.client();
        client.send(GET);
        client
    }

    fn stat(&self, leaf: &str) -> u64 {
        self.proxy.admin().stat(&format!("cluster.backend.{leaf}"))
    }

    #[track_caller]
    fn wait_for(&self, leaf: &str, value: u64) {
        eventually(leaf, || (self.stat(leaf) == value).then_some(()));
    }

    /// The stats that tell what the breakers did.
    fn stats(&self) -> String {
        let names = [
            "upstream_cx_total",
            "upstream_cx_active",
            "upstream_cx_overflow",
            "upstream_rq_total",
            "upstream_rq_active",
            "upstream_rq_cancelled",
            "upstream_rq_timeout",
            "upstream_rq_pending_total",
            "upstream_rq_pending_active",
            "upstream_rq_pending_overflow",
            "upstream_rq_active_overflow",
            "upstream_rq_503",
            "circuit_breakers.default.cx_open",
            "circuit_breakers.default.rq_open",
            "circuit_breakers.default.rq_pending_open",
            "circuit_breakers.default.rq_retry_open",
            "circuit_breakers.high.cx_open",
            "circuit_breakers.high.rq_open",
        ];
        let all = self.proxy.admin().stats("cluster.backend");
        names.iter().fold(String::new(), |mut text, name| {
            let value = all.get(&format!("cluster.backend.{name}")).map_or("-", String::as_str);
            let _ = writeln!(text, "{name}: {value}");
            text
        })
    }

    /// `/clusters` without addresses.
    fn clusters(&self) -> String {
        let text = self.proxy.admin().get("/clusters").text();
        text.replace(&self.upstream.address().port().to_string(), "<port>")
    }
}

fn answer(client: &mut Client) -> String {
    let response = client.read_response().map(|response| response.to_string());
    normalize::headers(&response.unwrap_or_else(|end| format!("[{end}]\n")))
}

/// Plays a scene with Envoy and both engines: all must tell the same story.
#[track_caller]
fn same(breakers: &str, route: &str, reply: impl Fn() -> Reply, scene: impl Fn(&Rig) -> String) {
    let told = |program| scene(&Rig::start_with(program, "1", breakers, route, reply()));
    let expected = told(Program::Envoy);
    if std::env::var_os("PARITY_SHOW").is_some() {
        eprintln!("{expected}");
    }
    for program in Program::ringmains() {
        assert_same(&expected, &told(program), program);
    }
}

#[track_caller]
fn assert_same(expected: &str, told: &str, program: Program) {
    assert!(expected == told, "envoy:\n{expected}\n{program}:\n{told}");
}

#[test]
fn requests_wait_for_the_one_connection_and_overflow_beyond() {
    let breakers = "{ thresholds: [{ max_connections: 1, max_pending_requests: 1 }] }";
    same(breakers, "", held, |rig| {
        let mut story = String::new();
        let mut first = rig.asking();
        rig.upstream.wait_for_requests(1);
        let mut second = rig.asking();
        rig.wait_for("upstream_rq_pending_active", 1);
        story += &rig.stats();
        story += &rig.clusters();
        story += &answer(&mut rig.asking());
        rig.upstream.release();
        story += &answer(&mut first);
        story += &answer(&mut second);
        rig.wait_for("upstream_rq_active", 0);
        story + &rig.stats() + &rig.clusters()
    });
}

#[test]
fn requests_beyond_max_requests_overflow() {
    let breakers = "{ thresholds: [{ max_requests: 1, track_remaining: true }] }";
    same(breakers, "", held, |rig| {
        let mut first = rig.asking();
        rig.upstream.wait_for_requests(1);
        let mut story = answer(&mut rig.asking());
        story += &rig.stats();
        for name in ["remaining_cx", "remaining_rq", "remaining_pending", "remaining_retries"] {
            let value = rig.stat(&format!("circuit_breakers.default.{name}"));
            story += &format!("{name} {value}\n");
        }
        rig.upstream.release();
        story += &answer(&mut first);
        rig.wait_for("upstream_rq_active", 0);
        story + &rig.clusters()
    });
}

#[test]
fn nothing_may_wait() {
    same("{ thresholds: [{ max_pending_requests: 0 }] }", "", ok, |rig| {
        answer(&mut rig.asking()) + &rig.stats() + &rig.clusters()
    });
}

#[test]
fn a_host_has_a_limit_of_its_own() {
    same("{ per_host_thresholds: [{ max_connections: 1 }] }", "", held, |rig| {
        let mut first = rig.asking();
        rig.upstream.wait_for_requests(1);
        let mut second = rig.asking();
        rig.wait_for("upstream_rq_pending_active", 1);
        let mut story = rig.stats();
        rig.upstream.release();
        story += &answer(&mut first);
        story += &answer(&mut second);
        rig.wait_for("upstream_rq_active", 0);
        story + &rig.stats()
    });
}

#[test]
fn high_priority_has_budgets_of_its_own() {
    for breakers in [
        "{ thresholds: [{ priority: HIGH, max_pending_requests: 0 }] }",
        "{ thresholds: [{ max_pending_requests: 0 }] }",
    ] {
        same(breakers, "priority: HIGH", ok, |rig| {
            let answer = answer(&mut rig.asking());
            rig.wait_for("upstream_rq_active", 0);
            answer + &rig.stats()
        });
    }
}

#[test]
fn a_wait_ends_at_the_routes_timeout() {
    let breakers = "{ thresholds: [{ max_connections: 1 }] }";
    same(
        breakers,
        "timeout: 2s",
        || vec![Act::ReadBody, Act::Stall],
        |rig| {
            let mut first = rig.asking();
            rig.upstream.wait_for_requests(1);
            let mut second = rig.asking();
            rig.wait_for("upstream_rq_pending_active", 1);
            answer(&mut first) + &answer(&mut second)
        },
    );
}

#[test]
fn a_wait_ends_when_the_client_goes() {
    let breakers = "{ thresholds: [{ max_connections: 1 }] }";
    same(breakers, "", held, |rig| {
        let mut first = rig.asking();
        rig.upstream.wait_for_requests(1);
        let second = rig.asking();
        rig.wait_for("upstream_rq_pending_active", 1);
        drop(second);
        rig.wait_for("upstream_rq_pending_active", 0);
        let story = rig.stats();
        rig.upstream.release();
        story + &answer(&mut first)
    });
}

#[test]
fn those_who_wait_are_served_in_order() {
    for program in Program::ringmains() {
        let breakers = "{ thresholds: [{ max_connections: 1 }] }";
        let rig = Rig::start(program, "1", breakers, held());
        let mut clients = Vec::new();
        for index in 0..5 {
            let mut client = rig.client();
            client.send(format!("GET /{index} HTTP/1.1\r\nhost: a\r\n\r\n"));
            match index {
                0 => rig.upstream.wait_for_requests(1),
                waiting => rig.wait_for("upstream_rq_pending_active", waiting),
            }
            clients.push(client);
        }
        rig.upstream.release();
        for client in &mut clients {
            assert!(answer(client).contains("200"), "{program}");
        }
        let requests = rig.upstream.requests();
        let paths: Vec<&str> =
            requests.iter().filter_map(|request| request.head.split(' ').nth(1)).collect();
        assert_eq!(paths, ["/0", "/1", "/2", "/3", "/4"], "{program}");
        assert_eq!(rig.stat("upstream_cx_total"), 1, "{program}");
    }
}

/// Waits on one worker end when a connection of another worker becomes free, and the limits hold
/// over all workers at every moment the upstream sees.
#[test]
fn limits_hold_over_all_workers() {
    for program in Program::ringmains() {
        let breakers = "{ thresholds: [{ max_connections: 2, max_pending_requests: 1000 }] }";
        let rig = Rig::start(program, "4", breakers, held());
        // SO_REUSEPORT spreads these over the workers.
        let mut clients: Vec<Client> = (0..40).map(|_| rig.asking()).collect();
        rig.wait_for("upstream_rq_pending_active", 38);
        rig.upstream.wait_for_requests(2);
        assert_eq!(rig.upstream.requests().len(), 2, "{program}");
        assert_eq!(rig.stat("circuit_breakers.default.cx_open"), 1, "{program}");
        rig.upstream.release();
        for client in &mut clients {
            assert!(answer(client).starts_with("HTTP/1.1 200"), "{program}");
        }
        rig.wait_for("upstream_rq_pending_active", 0);
        assert!(rig.stat("upstream_cx_active") <= 2, "{program}");
        assert_eq!(rig.stat("upstream_rq_pending_overflow"), 0, "{program}");
    }
}

#[test]
fn requests_are_counted_over_all_workers() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, "4", "{ thresholds: [{ max_requests: 5 }] }", held());
        let mut clients: Vec<Client> = (0..30).map(|_| rig.asking()).collect();
        rig.wait_for("upstream_rq_active_overflow", 25);
        rig.wait_for("upstream_rq_active", 5);
        rig.upstream.release();
        let answers: Vec<String> = clients.iter_mut().map(answer).collect();
        let served = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
        assert_eq!(served, 5, "{program}");
    }
}

/// A flood on several connections and workers leaves no budget behind.
#[test]
fn everything_comes_back_after_a_flood() {
    for program in Program::ringmains() {
        let breakers = "{ thresholds: [{ max_connections: 3, max_pending_requests: 4, \
                        max_requests: 2, track_remaining: true }], \
                        per_host_thresholds: [{ max_connections: 2 }] }";
        let rig = Rig::start(program, "3", breakers, ok());
        let barrier = Barrier::new(12);
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..60 {
                        let answer = answer(&mut rig.asking());
                        let overflow = answer.contains("reset reason: overflow");
                        assert!(answer.starts_with("HTTP/1.1 200") || overflow, "{answer}");
                    }
                });
            }
        });
        rig.wait_for("upstream_rq_active", 0);
        rig.wait_for("upstream_rq_pending_active", 0);
        let left = |name: &str| rig.stat(&format!("circuit_breakers.default.remaining_{name}"));
        eventually("all budgets but those of open connections", || {
            let open = rig.stat("upstream_cx_active");
            (open <= 2 && [left("cx") + open, left("rq"), left("pending")] == [3, 2, 4])
                .then_some(())
        });
    }
}

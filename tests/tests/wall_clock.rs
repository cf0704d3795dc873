//! The time of day is set forward and back while the proxy works: what is told follows it, and nothing else.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ringmain_tests::client::Client;
use ringmain_tests::load::Load;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Upstream, ok};
use ringmain_tests::wait::eventually;
use ringmain_tests::wall_clock::WallClock;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const DAY: i64 = 24 * 60 * 60;

/// Limits that no test reaches, all of them shorter than the clock jumps.
const LIMITS: &str = r#"
stream_idle_timeout: 600s
request_timeout: 600s
common_http_protocol_options: { idle_timeout: 600s, max_stream_duration: 600s }
access_log:
- name: file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: "{{scratch}}/access.log"
    log_format: { text_format_source: { inline_string: "%START_TIME(%s)% %DURATION%\n" } }
"#;
const CHECKED: &str = "
health_checks:
- { timeout: 60s, interval: 0.1s, no_traffic_interval: 0.1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {} }
outlier_detection: { interval: 0.1s }
";

/// What counts deadlines that passed.
const PASSED: [&str; 7] = [
    "http.ingress.downstream_cx_idle_timeout",
    "http.ingress.downstream_rq_idle_timeout",
    "http.ingress.downstream_rq_max_duration_reached",
    "http.ingress.downstream_rq_timeout",
    "cluster.backend.upstream_cx_idle_timeout",
    "cluster.backend.upstream_rq_timeout",
    "cluster.backend.health_check.failure",
];

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The time that an answer names.
fn date(proxy: &Proxy) -> i64 {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    let answer = client.read_response().expect("an answer");
    let date = answer.header("date").expect("the proxy tells the time");
    rfc2822::parse(date).expect("a date").timestamp().as_second()
}

#[test]
fn deadlines_do_not_go_by_it() {
    for program in Program::ringmains() {
        let late = vec![Act::ReadBody, Act::AwaitRelease, ok()[1].clone()];
        let upstream = Upstream::start(vec![late, ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let clock = WallClock::new();
        let config = front_proxy(LIMITS, "timeout: 600s", CHECKED);
        let proxy = Proxy::start_by(&clock, program, &config, &values);
        let mut waiting = Client::connect(proxy.port("listener"));
        waiting.send(GET);
        upstream.wait_for_requests(1);
        let mut idle = Client::connect(proxy.port("listener"));
        idle.send(GET);
        assert_eq!(idle.read_response().expect("an answer").status(), Some(200), "{program}");
        let load = Load::start(proxy.port("listener"), 2);
        for ahead in [DAY, -DAY, 3650 * DAY, 0] {
            clock.set_ahead(ahead);
            eventually("the time to be told", || {
                (date(&proxy).abs_diff(now() + ahead) < DAY as u64 / 2).then_some(())
            });
            load.wait_for(20);
            let checks = proxy.admin().stat("cluster.backend.health_check.success");
            eventually("health checks to go on", || {
                let later = proxy.admin().stat("cluster.backend.health_check.success");
                (later >= checks + 2).then_some(())
            });
        }
        upstream.release();
        idle.send(GET);
        for client in [&mut waiting, &mut idle] {
            assert_eq!(client.read_response().expect("an answer").status(), Some(200), "{program}");
        }
        load.finish();
        for stat in PASSED {
            assert_eq!(proxy.admin().stat(stat), 0, "{program}: {stat}");
        }
        assert_log(&proxy, program);
    }
}

/// Requests began at times of all settings, and none of them took as long as the clock jumped.
#[track_caller]
fn assert_log(proxy: &Proxy, program: Program) {
    let began_at = |ahead: i64| {
        let near = now() + ahead;
        proxy.file("access.log").lines().any(|line| {
            let began: i64 = line.split(' ').next().expect("a word").parse().expect("seconds");
            began.abs_diff(near) < DAY as u64 / 2
        })
    };
    eventually("lines of all times", || {
        [DAY, -DAY, 3650 * DAY, 0].into_iter().all(began_at).then_some(())
    });
    for line in proxy.file("access.log").lines() {
        let (_, took) = line.split_once(' ').expect("two words");
        let took: i64 = took.parse().expect("milliseconds");
        assert!(took < 600_000, "{program}: {line}");
    }
}

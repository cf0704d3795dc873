//! Outlier detection: what counts as a failure, who is ejected and who comes back.

use std::fmt::Write;

use ringmain_tests::client::Client;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Upstream, reply};
use ringmain_tests::wait::eventually;

use crate::GET;

/// One host, which may go.
fn watched(name: &'static str, fields: &str) -> Case {
    case(name).cluster(&format!(
        "outlier_detection: {{ interval: 60s, always_eject_one_host: true, consecutive_5xx: 3, consecutive_gateway_failure: 2, consecutive_local_origin_failure: 2, {fields} }}"
    ))
}

fn answering(case: Case, statuses: &[u16]) -> Case {
    statuses.iter().fold(case, |case, status| {
        case.upstream(reply(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"))).ask(GET)
    })
}

const TO_REFUSED: &str = "- match: { prefix: / }\n  route: { cluster: '{{refused}}' }";
const QUICK: &str = "- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s }";
const SPLIT: &str = "split_external_local_origin_errors: true";

#[test]
fn failures_in_a_row_eject() {
    let thrice = |case: Case| case.ask(GET).ask(GET).ask(GET);
    let grpc = GET.replace("\r\n\r\n", "\r\ncontent-type: application/grpc\r\n\r\n");
    let unavailable = reply(
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n",
    );
    compare(vec![
        answering(watched("server_errors", ""), &[500, 500, 500])
            .shows("stat cluster.server_errors_cluster.outlier_detection.ejections_enforced_consecutive_5xx: 1"),
        answering(watched("interrupted", ""), &[500, 500, 200, 500, 500])
            .hides("ejections_detected"),
        answering(watched("gateway", "enforcing_consecutive_gateway_failure: 100"), &[502, 504])
            .shows("ejections_enforced_consecutive_gateway_failure: 1"),
        answering(watched("gateway_mixed", "enforcing_consecutive_gateway_failure: 100"), &[502, 500, 504]),
        answering(watched("not_enforced", "enforcing_consecutive_5xx: 0"), &[500, 500, 500])
            .shows("ejections_detected_consecutive_5xx: 1"),
        thrice(watched("resets", "").upstream(vec![Act::ReadBody, Act::Reset])),
        thrice(watched("closes", "").upstream(vec![Act::ReadBody, Act::Close])),
        thrice(watched("refuses", "").routes(TO_REFUSED)).shows("ejections_enforced_total: 1"),
        thrice(watched("times_out", "").routes(QUICK).upstream(vec![Act::ReadBody, Act::Stall])),
        answering(watched("split_errors", SPLIT), &[500, 500, 500]),
        thrice(watched("split_resets", SPLIT).upstream(vec![Act::ReadBody, Act::Reset]))
            .hides("ejections_detected"),
        thrice(watched("split_refuses", SPLIT).routes(TO_REFUSED))
            .shows("ejections_enforced_consecutive_local_origin_failure: 1"),
        thrice(watched("split_times_out", SPLIT).routes(QUICK).upstream(vec![Act::ReadBody, Act::Stall])),
        watched("retried", "")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', retry_policy: { retry_on: 5xx, num_retries: 2 } }")
            .upstream(reply("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n"))
            .ask(GET)
            .shows("ejections_enforced_consecutive_5xx: 1"),
        watched("grpc", "").upstream(unavailable.clone()).ask(&grpc).ask(&grpc).ask(&grpc)
            .shows("ejections_enforced_consecutive_5xx: 1"),
        thrice(watched("no_grpc", "").upstream(unavailable)).hides("ejections_detected"),
    ]);
}

/// Three hosts, each with its own status, behind `outlier_detection` with these fields.
struct Three {
    upstreams: Vec<Upstream>,
    fields: &'static str,
}

impl Three {
    fn new(statuses: [u16; 3], fields: &'static str) -> Self {
        let answer = |status| reply(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
        let upstreams = statuses.map(|status| Upstream::start(vec![answer(status)])).into();
        Self { upstreams, fields }
    }

    fn proxy(&self, program: Program) -> Proxy {
        let cluster = format!("outlier_detection: {{ {} }}", self.fields);
        let text = front_proxy("", "", &cluster);
        let line = text.lines().find(|line| line.contains("{{upstream}}")).expect("an endpoint");
        let lines = ["one", "two", "three"]
            .map(|name| line.replace("{{upstream}}", &format!("{{{{{name}}}}}")));
        let text = text.replace(line, &lines.join("\n"));
        let text = format!(
            "cluster_manager: {{ outlier_detection: {{ event_log_path: '{{{{scratch}}}}/events.log' }} }}\n{text}"
        );
        let ports = self.upstreams.iter().map(|upstream| upstream.address().port().to_string());
        let values: Values =
            ["one", "two", "three"].map(str::to_owned).into_iter().zip(ports).collect();
        Proxy::start(program, &text, &values)
    }

    fn ask(proxy: &Proxy, count: usize) {
        for _ in 0..count {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(GET);
            client.read_response().expect("a response");
        }
    }

    /// The rows of `/clusters` that tell of health, the counters, and the log without times.
    fn see(&self, proxy: &Proxy) -> String {
        let mut text = String::new();
        for row in proxy.admin().get("/clusters").text().lines() {
            if ["outlier", "health_flags", "success_rate"].iter().any(|part| row.contains(part)) {
                let _ = writeln!(text, "{row}");
            }
        }
        for (name, value) in proxy.admin().stats("^cluster.backend.outlier") {
            let _ = writeln!(text, "{name}: {value}");
        }
        for line in proxy.file("events.log").lines() {
            let (before, rest) = line.split_once(r#""timestamp":""#).expect("a time");
            let (_, after) = rest.split_once('"').expect("its end");
            let _ = writeln!(text, "{before}{after}");
        }
        for (number, upstream) in self.upstreams.iter().enumerate() {
            text = text.replace(&upstream.address().port().to_string(), &format!("<{number}>"));
        }
        text
    }

    /// The lines of the event log so far.
    fn events(proxy: &Proxy) -> usize {
        proxy.file("events.log").lines().count()
    }
}

/// Every proxy shows the same once `stat` has its value and the log so many lines.
#[track_caller]
fn same_sight(three: &Three, requests: usize, stat: &str, value: u64, events: usize) -> String {
    let mut expected: Option<String> = None;
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let proxy = three.proxy(program);
        Three::ask(&proxy, requests);
        proxy.admin().wait_for_stat(&format!("cluster.backend.outlier_detection.{stat}"), value);
        eventually("the event log", || (Three::events(&proxy) == events).then_some(()));
        let seen = three.see(&proxy);
        match &expected {
            Some(expected) => assert_eq!(seen, *expected, "{program}"),
            None => expected = Some(seen),
        }
    }
    expected.unwrap_or_default()
}

#[test]
fn hosts_far_below_the_average_are_ejected() {
    let three = Three::new(
        [200, 500, 200],
        "interval: 5s, base_ejection_time: 60s, consecutive_5xx: 1000, success_rate_minimum_hosts: 3, success_rate_request_volume: 5, success_rate_stdev_factor: 500, max_ejection_percent: 50",
    );
    let seen = same_sight(&three, 30, "ejections_enforced_success_rate", 1, 1);
    assert!(seen.contains("success_rate_ejection_threshold::43.0964"), "{seen}");
}

#[test]
fn hosts_that_fail_too_often_are_ejected() {
    let three = Three::new(
        [200, 500, 200],
        "interval: 5s, base_ejection_time: 60s, consecutive_5xx: 1000, failure_percentage_minimum_hosts: 3, failure_percentage_request_volume: 5, enforcing_failure_percentage: 100, enforcing_success_rate: 0, max_ejection_percent: 50",
    );
    same_sight(&three, 30, "ejections_enforced_failure_percentage", 1, 1);
}

/// What a host does may be the fault of the way to it: other connections may fare better.
#[test]
fn the_connections_of_an_ejected_host_are_closed() {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let three = Three::new(
            [200, 500, 200],
            "interval: 60s, consecutive_5xx: 2, max_ejection_percent: 50",
        );
        let proxy = three.proxy(program);
        Three::ask(&proxy, 6);
        let ends = |host: usize| {
            let connections = three.upstreams[host].connections();
            connections.iter().filter(|connection| connection.end.is_some()).count()
        };
        eventually("the connection of the ejected host to close", || (ends(1) == 1).then_some(()));
        assert_eq!((ends(0), ends(2)), (0, 0), "{program}");
    }
}

#[test]
fn a_share_of_the_hosts_stays_in() {
    let three = Three::new(
        [500, 500, 500],
        "interval: 60s, consecutive_5xx: 2, max_ejection_percent: 67, always_eject_one_host: false",
    );
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let proxy = three.proxy(program);
        Three::ask(&proxy, 30);
        let stat = |leaf: &str| {
            proxy.admin().stat(&format!("cluster.backend.outlier_detection.ejections_{leaf}"))
        };
        eventually("a third host to be spared", || (stat("overflow") > 0).then_some(()));
        assert_eq!((stat("active"), stat("enforced_total")), (2, 2), "{program}");
    }
}

#[test]
fn ejected_hosts_come_back() {
    let three = Three::new(
        [200, 500, 200],
        "interval: 0.1s, base_ejection_time: 0.3s, consecutive_5xx: 2, max_ejection_percent: 50",
    );
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let proxy = three.proxy(program);
        let admin = proxy.admin();
        for round in 1..=2 {
            while admin.stat("cluster.backend.outlier_detection.ejections_enforced_total") < round {
                Three::ask(&proxy, 1);
            }
            admin.wait_for_stat("cluster.backend.membership_healthy", 3);
            let lines = 2 * usize::try_from(round).expect("a small number");
            eventually("the event log", || (Three::events(&proxy) == lines).then_some(()));
        }
        admin.wait_for_stat("cluster.backend.outlier_detection.ejections_active", 0);
        let events = proxy.file("events.log");
        assert!(events.contains(r#""action":"UNEJECT","num_ejections":2"#), "{program}: {events}");
        assert!(events.contains(r#""secs_since_last_action":""#), "{program}: {events}");
    }
}

/// An active health check that succeeds ends an ejection at once.
#[test]
fn a_good_check_takes_a_host_back() {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let answers =
            |status: u16| reply(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
        let waiting = vec![
            Act::ReadBody,
            Act::AwaitRelease,
            Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ];
        let upstream =
            Upstream::start(vec![answers(200), waiting, answers(500), answers(500), answers(200)]);
        let fields = "outlier_detection: { interval: 60s, consecutive_5xx: 2, always_eject_one_host: true }\nhealth_checks:\n- { timeout: 60s, interval: 60s, no_traffic_interval: 0.02s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: { path: / } }\n";
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", fields), &values);
        upstream.wait_for_requests(2);
        Three::ask(&proxy, 2);
        let active = "cluster.backend.outlier_detection.ejections_active";
        proxy.admin().wait_for_stat(active, 1);
        upstream.release();
        proxy.admin().wait_for_stat(active, 0);
        proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 1);
    }
}

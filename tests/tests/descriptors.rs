//! A process that is short of descriptors: accepting pauses in time, says so once, and goes on by itself;
//! with too few it does not start.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy, run_with_descriptors};
use ringmain_tests::template::{Values, fill, front_proxy};
use ringmain_tests::upstream::{Act, Upstream, ok};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const COMPLAINT: &str = "cannot accept";

/// More connections than the limit leaves room for.
const CLIENTS: usize = 32;

#[test]
fn accepting_goes_on_when_there_are_descriptors_again() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".to_owned(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let complaints = || proxy.stderr().matches(COMPLAINT).count();
        for episode in 1..=2 {
            proxy.limit_descriptors(2);
            let clients: Vec<Client> =
                (0..CLIENTS).map(|_| Client::connect(proxy.port("listener"))).collect();
            eventually("the process to complain", || (complaints() == episode).then_some(()));
            proxy.limit_descriptors(1000);
            for mut client in clients {
                client.send(GET);
                let answer = client.read_response().expect("an answer");
                assert!(answer.start_line().contains("200"), "{program}: {}", answer.start_line());
            }
            assert_eq!(complaints(), episode, "{program}: once for each time");
        }
        assert!(proxy.admin().stat("server.accept_pauses") >= 2, "{program}");
    }
}

/// Whoever counts them, or limits them, when the process says that it is live, misses none.
#[test]
fn a_process_that_is_live_has_opened_what_its_workers_need() {
    for program in Program::ringmains() {
        let values = Values::from([("upstream".to_owned(), "1".to_owned())]);
        let workers = ["--concurrency", "8"];
        let proxy = Proxy::start_with(program, &front_proxy("", "", ""), &values, &workers);
        let live = proxy.descriptors();
        // Each worker hands over what it has recorded.
        proxy.admin().stats("");
        eventually("no more than at first", || (proxy.descriptors() <= live).then_some(()));
    }
}

/// Of what a process of this many has left, clients may hold a half.
const FEW: u64 = 64;

fn values(upstream: &Upstream) -> Values {
    Values::from([("upstream".to_owned(), upstream.address().port().to_string())])
}

#[test]
fn clients_leave_descriptors_for_their_upstreams() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![vec![
            Act::ReadBody,
            Act::AwaitRelease,
            Act::Send(answer.clone()),
        ]]);
        let config = front_proxy("", "", "");
        let proxy = Proxy::start_with_descriptors(program, FEW, &config, &values(&upstream));
        let mut clients: Vec<Client> =
            (0..2 * CLIENTS).map(|_| Client::connect(proxy.port("listener"))).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        eventually("the process to complain", || proxy.stderr().contains(COMPLAINT).then_some(()));
        upstream.release();
        for mut client in clients {
            let answer = client.read_response().expect("an answer");
            assert!(answer.start_line().contains("200"), "{program}: {answer}");
        }
        assert_eq!(proxy.admin().stat("cluster.backend.upstream_cx_connect_fail"), 0, "{program}");
        assert!(proxy.admin().stat("server.accept_pauses") > 0, "{program}");
        assert!(proxy.stderr().contains("kept for upstreams"), "{program}");
    }
}

/// Whether a request waits for a connection, asked on an admin connection that was open before.
fn is_waiting(admin: &mut Client) -> Option<()> {
    let stat = "cluster.backend.upstream_rq_pending_active";
    admin.send(format!("GET /stats?filter={stat} HTTP/1.1\r\nhost: admin\r\n\r\n"));
    let answer = admin.read_response().expect("admin answers").text();
    answer.contains(&format!("{stat}: 1")).then_some(())
}

#[test]
fn idle_connections_make_room_for_others() {
    let held = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    for program in Program::ringmains() {
        let held = vec![Act::ReadBody, Act::AwaitRelease, Act::Send(held.clone())];
        let upstream = Upstream::start(vec![held, ok()]);
        let config = front_proxy("", "", "connect_timeout: 60s");
        let proxy = Proxy::start(program, &config, &values(&upstream));
        let mut first = Client::connect(proxy.port("listener"));
        let mut second = Client::connect(proxy.port("listener"));
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 2);
        let mut admin = Client::connect(proxy.admin().port());
        assert_eq!(is_waiting(&mut admin), None);
        first.send(GET);
        upstream.wait_for_requests(1);
        proxy.deny_descriptors();
        second.send(GET);
        eventually("the second to wait", || is_waiting(&mut admin));
        upstream.release();
        first.read_response().expect("an answer");
        eventually("the idle connection to be closed", || upstream.connections()[0].end.map(drop));
        proxy.limit_descriptors(1000);
        let answer = second.read_response().expect("an answer");
        assert!(answer.start_line().contains("200"), "{program}: {answer}");
    }
}

#[test]
fn a_want_of_descriptors_is_not_laid_at_the_hosts_door() {
    let logged = r#"
        access_log:
        - name: file
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
            path: "{{scratch}}/access.log"
            log_format: { text_format_source: { inline_string: "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON%\n" } }
        "#;
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let config = front_proxy(logged, "", "connect_timeout: 0.2s");
        let proxy = Proxy::start(program, &config, &values(&upstream));
        let mut client = Client::connect(proxy.port("listener"));
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 1);
        proxy.deny_descriptors();
        client.send(GET);
        let answer = client.read_response().expect("an answer");
        assert_eq!(
            answer.text(),
            "upstream connect error or disconnect/reset before headers. reset reason: local connection failure",
            "{program}"
        );
        proxy.limit_descriptors(1000);
        let line = eventually("a line in the log", || {
            let text = proxy.file("access.log");
            text.contains('\n').then_some(text)
        });
        let reason = "no_descriptor_for_a_socket:_Too_many_open_files_(os_error_24)";
        let braces = format!("{{local_connection_failure|{reason}}}");
        assert_eq!(
            line,
            format!("UF upstream_reset_before_response_started{braces} {reason}\n"),
            "{program}"
        );
        assert_eq!(proxy.admin().stat("cluster.backend.upstream_cx_connect_fail"), 1, "{program}");
        assert!(
            proxy.admin().get("/clusters").text().contains("::cx_connect_fail::0\n"),
            "{program}: the host is innocent"
        );
    }
}

#[test]
fn too_few_to_serve_are_told_in_one_line() {
    let ports = ["admin", "listener", "upstream"].map(|name| (name.to_owned(), "0".to_owned()));
    let config = fill(&front_proxy("", "", ""), &Values::from(ports));
    for engine in ["auto", "epoll"] {
        for count in [6, 12, 16] {
            let arguments = ["--io-engine", engine, "--concurrency", "1", "--config-yaml", &config];
            let output = run_with_descriptors(count, &arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{engine}, {count}: {said}");
            let told = format!("the open-file limit of {count} is too small: ");
            assert!(said.lines().last().is_some_and(|line| line.starts_with(&told)), "{said}");
        }
    }
}

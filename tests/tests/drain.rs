//! The end of a process: SIGTERM lets requests in flight finish, a second one does not wait.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};
use ringmain_tests::wait::{PATIENCE, eventually, poll_for};

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200";

/// Room for as many requests at once as a test sends.
const ROOM: &str = "circuit_breakers: { thresholds: [ { max_connections: 4000, max_pending_requests: 4000, max_requests: 4000 } ] }";

/// Answers once the test says so.
fn held() -> Reply {
    vec![
        Act::ReadBody,
        Act::AwaitRelease,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate".to_vec()),
    ]
}

fn start(program: Program, upstream: &Upstream) -> Proxy {
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    Proxy::start(program, &front_proxy("", "", ""), &values)
}

/// A proxy that was told to end while one request waits for its upstream.
struct InFlight {
    upstream: Upstream,
    proxy: Proxy,
    client: Client,
}

impl InFlight {
    fn terminated(program: Program) -> Self {
        let upstream = Upstream::start(vec![held()]);
        let proxy = start(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        upstream.wait_for_requests(1);
        proxy.terminate();
        Self { upstream, proxy, client }
    }
}

#[test]
fn a_request_in_flight_finishes() {
    for program in Program::ringmains() {
        let InFlight { upstream, mut proxy, mut client } = InFlight::terminated(program);
        eventually("readiness to turn", || {
            let ready = proxy.admin().get("/ready");
            (ready.status() == Some(503) && ready.text() == "DRAINING\n").then_some(())
        });
        upstream.release();
        let response = client.read_response().expect("the request in flight is answered");
        assert_eq!((response.status(), response.text().as_str()), (Some(200), "late"), "{program}");
        assert_eq!(response.header("connection"), Some("close"), "{program}");
        assert_eq!(proxy.wait_exit().code(), Some(0), "{program}");
    }
}

#[test]
fn idle_connections_do_not_hold_it_up() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let mut proxy = start(program, &upstream);
        let mut used = Client::connect(proxy.port("listener"));
        used.send(GET);
        assert_eq!(
            used.read_response().map(|response| response.status()),
            Ok(Some(200)),
            "{program}"
        );
        let mut unused = Client::connect(proxy.port("listener"));
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 2);
        proxy.terminate();
        assert!(
            used.read_to_end().0.is_empty(),
            "{program}: nothing is said on an idle connection"
        );
        assert!(
            unused.read_to_end().0.is_empty(),
            "{program}: nothing is said on an unused connection"
        );
        assert_eq!(proxy.wait_exit().code(), Some(0), "{program}");
    }
}

#[test]
fn new_connections_end_once_it_drains() {
    for program in Program::ringmains() {
        let InFlight { upstream, mut proxy, mut client } = InFlight::terminated(program);
        let address = (Ipv4Addr::LOCALHOST, proxy.port("listener"));
        eventually("the listener to close", || TcpStream::connect(address).is_err().then_some(()));
        assert!(proxy.is_running(), "{program}: a request is still in flight");
        upstream.release();
        assert_eq!(
            client.read_response().map(|response| response.status()),
            Ok(Some(200)),
            "{program}"
        );
        assert_eq!(proxy.wait_exit().code(), Some(0), "{program}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for program in Program::ringmains() {
        let InFlight { upstream: _upstream, mut proxy, mut client } = InFlight::terminated(program);
        eventually("readiness to turn", || {
            (proxy.admin().get("/ready").status() == Some(503)).then_some(())
        });
        proxy.terminate();
        // The upstream still holds its answer: only the signal can have ended the process.
        assert!(!proxy.wait_exit().success(), "{program}: requests were cut");
        assert!(client.read_response().is_err(), "{program}: the request in flight is cut");
    }
}

#[test]
fn failing_health_checks_close_connections_until_they_pass_again() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let proxy = start(program, &upstream);
        let answer = |client: &mut Client| {
            client.send(GET);
            client.read_response().expect("an answer")
        };
        let mut kept = Client::connect(proxy.port("listener"));
        assert_eq!(answer(&mut kept).header("connection"), None, "{program}");
        assert_eq!(proxy.admin().post("/healthcheck/fail").text(), "OK\n", "{program}");
        assert_eq!(proxy.admin().get("/ready").text(), "DRAINING\n", "{program}");
        eventually("the worker to hear of it", || {
            let mut client = Client::connect(proxy.port("listener"));
            (answer(&mut client).header("connection") == Some("close")).then_some(())
        });
        assert_eq!(answer(&mut kept).header("connection"), Some("close"), "{program}");
        assert!(kept.read_to_end().0.is_empty(), "{program}: then it is closed");
        assert_eq!(proxy.admin().post("/healthcheck/ok").text(), "OK\n", "{program}");
        assert_eq!(proxy.admin().get("/ready").text(), "LIVE\n", "{program}");
        eventually("the worker to hear of it", || {
            let mut client = Client::connect(proxy.port("listener"));
            answer(&mut client).header("connection").is_none().then_some(())
        });
    }
}

#[test]
fn draining_listeners_leaves_connections_and_the_process() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let mut proxy = start(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        client.read_response().expect("an answer");
        // No listener is of inbound traffic: nothing happens.
        assert_eq!(proxy.admin().post("/drain_listeners?inboundonly").text(), "OK\n");
        drop(Client::connect(proxy.port("listener")));
        assert_eq!(proxy.admin().post("/drain_listeners").text(), "OK\n", "{program}");
        proxy.admin().wait_for_stat("listener_manager.listener_stopped", 1);
        let address = (Ipv4Addr::LOCALHOST, proxy.port("listener"));
        eventually("the listener to close", || TcpStream::connect(address).is_err().then_some(()));
        client.send(GET);
        let response = client.read_response().expect("the connection lives on");
        assert_eq!(response.header("connection"), None, "{program}");
        assert_eq!(proxy.admin().get("/ready").text(), "LIVE\n", "{program}");
        assert!(proxy.is_running(), "{program}");
    }
}

#[test]
fn a_graceful_drain_closes_connections_by_their_answers_first() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let arguments = ["--concurrency", "1", "--drain-time-s", "1"];
        let arguments = [&arguments[..], &["--drain-strategy", "immediate"]].concat();
        let proxy = Proxy::start_with(program, &front_proxy("", "", ""), &values, &arguments);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        client.read_response().expect("an answer");
        assert_eq!(proxy.admin().post("/drain_listeners?graceful").text(), "OK\n", "{program}");
        eventually("the worker to hear of it", || {
            client.send(GET);
            let response = client.read_response().expect("an answer");
            (response.header("connection") == Some("close")).then_some(())
        });
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_drain_close", 1);
        proxy.admin().wait_for_stat("listener_manager.listener_stopped", 1);
    }
}

/// What came of a request.
enum Outcome {
    /// Answered in full, and the connection stays.
    Kept(TcpStream),
    /// Answered in full, with the announcement that the connection ends.
    Announced,
    /// No full answer.
    Failed(String),
}

fn receive(mut stream: TcpStream) -> Outcome {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"\r\n\r\nok") {
        match stream.read(&mut piece) {
            Ok(0) => return Outcome::Failed(format!("closed after {} bytes", answer.len())),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) => return Outcome::Failed(error.to_string()),
        }
        if answer.len() >= OK.len() && !answer.starts_with(OK) {
            return Outcome::Failed(String::from_utf8_lossy(&answer).into());
        }
    }
    match String::from_utf8_lossy(&answer).contains("connection: close") {
        true => Outcome::Announced,
        false => Outcome::Kept(stream),
    }
}

/// Keeps `connections` busy, each with one request after the other, until no new one is accepted.
/// Every third connection serves one request only.
fn load(port: u16, connections: usize, answered: &AtomicU64, failures: &mut Vec<String>) {
    let mut open: Vec<Option<TcpStream>> = (0..connections).map(|_| None).collect();
    let mut accepting = true;
    while accepting || open.iter().any(Option::is_some) {
        let mut sent = Vec::with_capacity(connections);
        for slot in &mut open {
            let kept = slot.take();
            let new = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok();
            let Some(mut stream) = kept.or_else(|| new().filter(|_| accepting)) else {
                accepting = false;
                continue;
            };
            match stream.write_all(GET.as_bytes()) {
                Ok(()) => sent.push(stream),
                Err(error) => failures.push(format!("sending: {error}")),
            }
        }
        for (index, stream) in sent.into_iter().enumerate() {
            match receive(stream) {
                Outcome::Failed(reason) => failures.push(reason),
                Outcome::Announced => {}
                Outcome::Kept(_) if index % 3 == 0 => {}
                Outcome::Kept(stream) => open[index] = Some(stream),
            }
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn under_load_no_request_fails() {
    const THREADS: usize = 20;
    const CONNECTIONS_EACH: usize = 100;
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let arguments =
            ["--concurrency", "2", "--shutdown-grace-s", "8", "--drain-strategy", "immediate"];
        let mut proxy = Proxy::start_with(program, &front_proxy("", "", ROOM), &values, &arguments);
        let (port, answered) = (proxy.port("listener"), AtomicU64::new(0));
        let mut is_loaded = false;
        let failures: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut failures = Vec::new();
                        load(port, CONNECTIONS_EACH, &answered, &mut failures);
                        failures
                    })
                })
                .collect();
            // Whether or not that comes: the threads end when the proxy has.
            is_loaded = poll_for(PATIENCE, || {
                let all = (2 * THREADS * CONNECTIONS_EACH) as u64;
                (answered.load(Ordering::Relaxed) > all).then_some(())
            })
            .is_some();
            proxy.terminate();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(is_loaded, "{program}: load on all connections");
        assert_eq!(failures, Vec::<String>::new(), "{program}");
        assert_eq!(proxy.wait_exit().code(), Some(0), "{program}");
    }
}

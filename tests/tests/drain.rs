//! The end of a process: SIGTERM lets requests in flight finish, a second one does not wait.

use std::net::{Ipv4Addr, TcpStream};

use ringmain_tests::client::Client;
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
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate".to_vec()),
    ]
}

fn start(program: Program, upstream: &Upstream) -> Proxy {
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    Proxy::start(program, &front_proxy("", "", ""), &values)
}

#[test]
fn a_request_in_flight_finishes() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![held()]);
        let mut proxy = start(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        upstream.wait_for_requests(1);
        proxy.terminate();
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
        let upstream = Upstream::start(vec![held()]);
        let mut proxy = start(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        upstream.wait_for_requests(1);
        proxy.terminate();
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
        let upstream = Upstream::start(vec![held()]);
        let mut proxy = start(program, &upstream);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        upstream.wait_for_requests(1);
        proxy.terminate();
        eventually("readiness to turn", || {
            (proxy.admin().get("/ready").status() == Some(503)).then_some(())
        });
        proxy.terminate();
        // The upstream still holds its answer: only the signal can have ended the process.
        assert!(!proxy.wait_exit().success(), "{program}: requests were cut");
        assert!(client.read_response().is_err(), "{program}: the request in flight is cut");
    }
}

//! Upstream connections: kept, noticed when they close, and what becomes of a request that dies with
//! one.

use ringmain_tests::client::Client;
use ringmain_tests::message::Message;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi";

/// Reads the request and closes without a word.
fn closing() -> Reply {
    vec![Act::ReadBody, Act::Close]
}

/// A proxy before one scripted upstream.
struct Rig {
    proxy: Proxy,
    upstream: Upstream,
}

impl Rig {
    fn start(program: Program, replies: Vec<Reply>) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        Self { proxy: Proxy::start(program, &front_proxy("", "", ""), &values), upstream }
    }

    /// A request on a connection of its own.
    fn ask(&self, request: &str) -> Message {
        let mut client = Client::connect(self.proxy.port("listener"));
        client.send(request);
        client.read_response().expect("an answer")
    }

    fn requests_per_connection(&self) -> Vec<usize> {
        self.upstream.settle();
        self.upstream.connections().iter().map(|connection| connection.requests.len()).collect()
    }

    fn stat(&self, leaf: &str) -> u64 {
        self.proxy.admin().stat(&format!("cluster.backend.{leaf}"))
    }
}

#[test]
fn a_connection_serves_one_client_after_another() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()]);
        for _ in 0..5 {
            assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        }
        assert_eq!(rig.requests_per_connection(), [5], "{program}");
        assert_eq!(rig.stat("upstream_cx_active"), 1, "{program}");
    }
}

#[test]
fn requests_at_once_have_connections_of_their_own() {
    let held = vec![
        Act::ReadBody,
        Act::AwaitRelease,
        Act::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![held.clone()]);
        let mut clients: Vec<Client> =
            (0..4).map(|_| Client::connect(rig.proxy.port("listener"))).collect();
        clients.iter_mut().for_each(|client| client.send(GET));
        rig.upstream.wait_for_requests(4);
        rig.upstream.release();
        for client in &mut clients {
            assert_eq!(
                client.read_response().map(|response| response.status()),
                Ok(Some(204)),
                "{program}"
            );
        }
        assert_eq!(rig.requests_per_connection(), [1, 1, 1, 1], "{program}");
    }
}

#[test]
fn a_connection_closed_while_idle_is_not_used() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()]);
        assert_eq!(rig.ask(POST).status(), Some(200), "{program}");
        // Returns only after the proxy has closed its side too: it watches idle connections.
        rig.upstream.close_connections();
        rig.proxy.admin().wait_for_stat("cluster.backend.upstream_cx_active", 0);
        assert_eq!(rig.ask(POST).status(), Some(200), "{program}");
        assert_eq!(rig.requests_per_connection(), [1, 1], "{program}");
    }
}

#[test]
fn a_get_that_dies_on_a_reused_connection_is_sent_again() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok(), closing(), ok()]);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.requests_per_connection(), [2, 1], "{program}");
    }
}

#[test]
fn a_get_is_sent_again_only_once() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok(), closing(), closing(), ok()]);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.ask(GET).status(), Some(503), "{program}");
        assert_eq!(rig.requests_per_connection(), [2, 1], "{program}");
    }
}

#[test]
fn a_get_that_dies_on_a_fresh_connection_is_not_sent_again() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![closing(), ok()]);
        assert_eq!(rig.ask(GET).status(), Some(503), "{program}");
        assert_eq!(rig.requests_per_connection(), [1], "{program}");
    }
}

#[test]
fn a_post_is_never_sent_again() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok(), closing(), ok()]);
        assert_eq!(rig.ask(POST).status(), Some(200), "{program}");
        let refused = rig.ask(POST);
        assert_eq!(refused.status(), Some(503), "{program}");
        assert_eq!(
            refused.text(),
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            "{program}"
        );
        assert_eq!(rig.requests_per_connection(), [2], "{program}");
    }
}

#[test]
fn nothing_is_sent_again_once_an_answer_has_begun() {
    let half_a_head =
        vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200 OK\r\nconte".to_vec()), Act::Close];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok(), half_a_head.clone(), ok()]);
        assert_eq!(rig.ask(GET).status(), Some(200), "{program}");
        assert_eq!(rig.ask(GET).status(), Some(502), "{program}");
        assert_eq!(rig.requests_per_connection(), [2], "{program}");
    }
}

#[test]
fn a_connection_that_says_more_than_it_should_is_not_used_again() {
    let chatty = vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n".to_vec()),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![chatty.clone(), ok()]);
        assert_eq!(rig.ask(GET).text(), "ok", "{program}");
        assert_eq!(rig.ask(GET).text(), "ok", "{program}");
        assert_eq!(rig.requests_per_connection(), [1, 1], "{program}");
    }
}

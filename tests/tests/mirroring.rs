//! Copies of requests, where what becomes of them must not be felt: mirrors that hang, and clients
//! that leave.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const ROUTE: &str = "timeout: 0s\nrequest_mirror_policies: [{ cluster: mirror }]";

/// A proxy that copies every request to `mirror`, a cluster with these further fields.
struct Mirrored {
    proxy: Proxy,
    upstream: Upstream,
    mirror: Upstream,
}

fn start(program: Program, replies: Vec<Reply>, cluster: &str) -> Mirrored {
    let (upstream, mirror) = (Upstream::start(vec![ok()]), Upstream::start(replies));
    let template = format!(
        "{}  - name: mirror\n    type: STATIC\n    {cluster}\n    load_assignment: {{ cluster_name: mirror, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{mirror}}}} }} }} }} }}] }}] }}\n",
        front_proxy("", ROUTE, "")
    );
    let port = |upstream: &Upstream| upstream.address().port().to_string();
    let values =
        Values::from([("upstream".into(), port(&upstream)), ("mirror".into(), port(&mirror))]);
    Mirrored { proxy: Proxy::start(program, &template, &values), upstream, mirror }
}

impl Mirrored {
    fn connect(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    fn wait_for_stat(&self, name: &str, value: u64) {
        self.proxy.admin().wait_for_stat(&format!("cluster.{name}"), value);
    }
}

#[test]
fn a_mirror_that_takes_no_body_is_given_up() {
    let body = vec![b'x'; 32 * 1024 * 1024];
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    for program in Program::ringmains() {
        let mirrored = start(program, vec![vec![Act::AwaitRelease]], "");
        let mut client = mirrored.connect();
        client.send(&head);
        client.send(&body);
        assert_eq!(client.read_response().expect("a response").status(), Some(200), "{program}");
        mirrored.wait_for_stat("backend.retry_or_shadow_abandoned", 1);
        mirrored.wait_for_stat("mirror.upstream_rq_active", 0);
        assert_eq!(mirrored.upstream.requests()[0].body.len(), body.len(), "{program}");
        client.send(GET);
        assert_eq!(client.read_response().expect("a response").status(), Some(200), "{program}");
    }
}

#[test]
fn circuit_breakers_bound_the_copies_of_a_mirror_that_hangs() {
    let breakers = "circuit_breakers: { thresholds: [{ max_connections: 3, max_pending_requests: 2, max_requests: 100 }] }";
    for program in Program::ringmains() {
        let answering = vec![
            Act::AwaitRelease,
            Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()),
        ];
        let mirrored = start(program, vec![answering], breakers);
        let mut client = mirrored.connect();
        for _ in 0..10 {
            client.send(GET);
            assert_eq!(client.read_response().expect("a response").status(), Some(200));
        }
        mirrored.wait_for_stat("mirror.upstream_rq_pending_overflow", 5);
        mirrored.wait_for_stat("mirror.upstream_rq_active", 3);
        mirrored.wait_for_stat("mirror.upstream_rq_pending_active", 2);
        mirrored.mirror.release();
        mirrored.wait_for_stat("mirror.upstream_rq_200", 5);
        mirrored.wait_for_stat("mirror.upstream_rq_active", 0);
        assert_eq!(mirrored.mirror.requests().len(), 5, "{program}");
    }
}

#[test]
fn a_copy_ends_with_a_request_that_breaks_off() {
    for program in Program::ringmains() {
        let mirrored = start(program, vec![ok()], "");
        let mut client = mirrored.connect();
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhello");
        mirrored.mirror.wait_for_requests(1);
        mirrored.wait_for_stat("mirror.upstream_rq_active", 1);
        client.reset();
        mirrored.wait_for_stat("mirror.upstream_rq_active", 0);
        mirrored.wait_for_stat("mirror.upstream_cx_active", 0);
        mirrored.mirror.settle();
        assert_eq!(mirrored.mirror.requests()[0].body, b"hello", "{program}");
    }
}

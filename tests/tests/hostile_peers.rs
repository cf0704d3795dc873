//! Peers that are slow, come by the thousand, die, or find the proxy short of memory: each is ended by the
//! limit that is for it, others are served meanwhile, and afterwards nothing of it is left.
//!
//! `docs/testing.md` lists which test plays which hostile peer.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::port;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";

/// A proxy, its upstream, and what it held before anybody came.
struct Rig {
    program: Program,
    proxy: Proxy,
    upstream: Upstream,
    rest: AtRest,
}

impl Rig {
    /// With fields of the connection manager and of the route.
    fn start(program: Program, replies: Vec<Reply>, hcm: &str, route: &str) -> Self {
        Self::with_config(program, replies, &front_proxy(hcm, route, ""))
    }

    fn with_config(program: Program, replies: Vec<Reply>, config: &str) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, config, &values);
        let rest = AtRest::of(&proxy);
        Self { program, proxy, upstream, rest }
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    fn asking(&self, bytes: impl AsRef<[u8]>) -> Client {
        let mut client = self.client();
        client.send(bytes);
        client
    }

    fn status(&self, client: &mut Client) -> Option<u16> {
        client.read_response().expect("an answer").status()
    }

    /// Somebody else gets an answer.
    #[track_caller]
    fn serves(&self) {
        assert_eq!(self.status(&mut self.asking(CLOSE)), Some(200), "{}", self.program);
    }

    /// Somebody gets an answer, a good one or that there is none.
    #[track_caller]
    fn is_answered(&self) {
        let status = self.status(&mut self.asking(CLOSE));
        assert!(matches!(status, Some(200 | 503)), "{}: {status:?}", self.program);
    }

    #[track_caller]
    fn counted(&self, stat: &str, count: u64) {
        self.proxy.admin().wait_for_stat(stat, count);
    }

    /// Nothing of anybody is left, and requests are answered.
    #[track_caller]
    fn is_sound(&self) {
        self.serves();
        self.upstream.close_connections();
        self.rest.wait_for(&self.proxy);
    }
}

/// Sends `piece` again and again until the proxy has answered or closed; its answer.
fn dribble(client: Client, piece: &'static str) -> (Vec<u8>, End) {
    let mut sender = client.second();
    let mut reader = client;
    thread::scope(|scope| {
        let reading = scope.spawn(move || reader.read_to_end());
        while !reading.is_finished() {
            sender.send_pieces(&[piece]);
        }
        reading.join().expect("the reader does not panic")
    })
}

fn begins_with(answer: &(Vec<u8>, End), start: &str) -> bool {
    answer.1 != End::TimedOut && answer.0.starts_with(start.as_bytes())
}

#[test]
fn clients_with_slow_heads() {
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()], "request_headers_timeout: 1s", "");
        let silent = rig.asking("GET / HTTP/1.1\r\nho");
        let busy = dribble(rig.asking("GET / HTTP/1.1\r\nhost: "), "a");
        for answer in [busy, { silent }.read_to_end()] {
            assert!(begins_with(&answer, "HTTP/1.1 408 "), "{program}: {answer:?}");
        }
        rig.counted("http.ingress.downstream_rq_header_timeout", 2);
        rig.is_sound();
    }
}

#[test]
fn clients_with_slow_bodies() {
    const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()], "stream_idle_timeout: 1s", "timeout: 0s");
        let mut silent = rig.asking(POST.to_owned() + "abc");
        assert!(begins_with(&silent.read_to_end(), "HTTP/1.1 408 "), "{program}");
        rig.counted("http.ingress.downstream_rq_idle_timeout", 1);
        rig.serves();

        let rig = Rig::start(program, vec![ok()], "request_timeout: 1s", "timeout: 0s");
        let answer = dribble(rig.asking(POST), "a");
        assert!(begins_with(&answer, "HTTP/1.1 408 "), "{program}: {answer:?}");
        rig.counted("http.ingress.downstream_rq_timeout", 1);
        rig.is_sound();
    }
}

#[test]
fn upstreams_with_slow_heads() {
    let slow = || {
        let mut acts = vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200 OK\r\nx-a: ".to_vec())];
        acts.extend(vec![Act::Send(b"a".to_vec()); 600]);
        acts
    };
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![slow(), ok()], "", "timeout: 1s");
        let mut waiting = rig.asking(GET);
        rig.upstream.wait_for_requests(1);
        rig.serves();
        assert_eq!(rig.status(&mut waiting), Some(504), "{program}");
        drop(waiting);
        rig.counted("cluster.backend.upstream_rq_timeout", 1);
        rig.is_sound();
    }
}

#[test]
fn upstreams_with_slow_bodies() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec();
    for program in Program::ringmains() {
        let slow = vec![Act::ReadBody, Act::Send(begun.clone()), Act::Stall];
        let rig = Rig::start(program, vec![slow, ok()], "stream_idle_timeout: 1s", "timeout: 0s");
        let mut waiting = rig.asking(GET);
        rig.upstream.wait_for_requests(1);
        rig.serves();
        let (bytes, end) = waiting.read_to_end();
        assert!(end != End::TimedOut && bytes.ends_with(b"abc"), "{program}: {end:?}");
        drop(waiting);
        rig.counted("http.ingress.downstream_rq_idle_timeout", 1);
        rig.is_sound();
    }
}

#[test]
fn upstreams_that_leave_at_any_byte() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\ncomplete";
    let leaves = |(length, end): (usize, Act)| {
        vec![Act::ReadBody, Act::Send(ANSWER[..length].to_vec()), end]
    };
    let lengths = (0..ANSWER.len()).flat_map(|length| [(length, Act::Reset), (length, Act::Close)]);
    let mut replies: Vec<Reply> = lengths.map(leaves).collect();
    let count = replies.len();
    replies.push(ok());
    for program in Program::ringmains() {
        let rig = Rig::start(program, replies.clone(), "", "");
        for _ in 0..count {
            let (bytes, end) = rig.asking(CLOSE).read_to_end();
            let text = String::from_utf8_lossy(&bytes);
            assert!(end != End::TimedOut && !text.ends_with("complete"), "{program}: {text}");
        }
        rig.is_sound();
    }
}

/// Waves of clients that say nothing, half of a head, or a request whose answer they do not want.
#[test]
fn clients_that_come_in_floods() {
    const WAVES: usize = 10;
    const CLIENTS: usize = 200;
    let said = [&b""[..], &GET.as_bytes()[..20], GET.as_bytes()];
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()], "", "");
        for _ in 0..WAVES {
            let flood: Vec<Client> =
                (0..CLIENTS).map(|number| rig.asking(said[number % said.len()])).collect();
            rig.serves();
            for (number, client) in flood.into_iter().enumerate() {
                if number % 2 == 0 { client.reset() } else { drop(client) }
            }
            rig.serves();
        }
        rig.is_sound();
    }
}

/// The memory that a body takes which is waited for is too much: new requests are refused, that one is
/// served, and then all are again.
#[test]
fn a_process_that_is_short_of_memory() {
    const MIB: usize = 1024 * 1024;
    const BODY_BYTES: usize = 24 * MIB;
    let filter = "- name: buffer\n  typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 50000000 }\n";
    let overload = r#"overload_manager:
  refresh_interval: 0.02s
  resource_monitors:
  - name: envoy.resource_monitors.fixed_heap
    typed_config: { "@type": type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 33554432 }
  actions:
  - name: envoy.overload_actions.stop_accepting_requests
    triggers: [{ name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.6 } }]
"#;
    let config = front_proxy("", "", "").replace(
        "          http_filters:\n",
        &format!("          http_filters:\n{}", indented(filter, 10)),
    );
    let active = "overload.envoy.overload_actions.stop_accepting_requests.active";
    for program in Program::ringmains() {
        let rig = Rig::with_config(program, vec![ok()], &(overload.to_owned() + &config));
        rig.serves();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
        let mut large = rig.asking(head);
        large.send(vec![b'x'; BODY_BYTES - 1]);
        rig.counted(active, 1);
        let mut refused = rig.asking(GET);
        let answer = refused.read_response().expect("an answer");
        assert_eq!(
            (answer.status(), answer.text()),
            (Some(503), "envoy overloaded".into()),
            "{program}"
        );
        rig.counted("http.ingress.downstream_rq_overload_close", 1);
        large.send("x");
        assert_eq!(rig.status(&mut large), Some(200), "{program}");
        let served = rig.upstream.requests();
        assert!(served.iter().any(|request| request.body.len() == BODY_BYTES), "{program}");
        drop((large, refused));
        rig.counted(active, 0);
        rig.is_sound();
    }
}

/// Connections to the upstream break again and again while clients ask.
#[test]
fn upstreams_that_die_under_load() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 100;
    for program in Program::ringmains() {
        let rig = Rig::start(program, vec![ok()], "", "");
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| scope.spawn(|| (0..REQUESTS).for_each(|_| rig.is_answered())))
                .collect();
            while !clients.iter().all(thread::ScopedJoinHandle::is_finished) {
                rig.upstream.cut_connections();
                thread::sleep(Duration::from_millis(2));
            }
        });
        rig.is_sound();
    }
}

/// Nobody listens at first, then somebody does, then nobody again, and again.
#[test]
fn all_hosts_down_and_back() {
    for program in Program::ringmains() {
        let port = port::free();
        let values = Values::from([("upstream".into(), port.to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let rest = AtRest::of(&proxy);
        let status = || {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(CLOSE);
            client.read_response().expect("an answer").status()
        };
        for _ in 0..3 {
            assert_eq!(status(), Some(503), "{program}");
            let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is still free");
            let upstream = thread::spawn(move || answer_once(&listener));
            assert_eq!(status(), Some(200), "{program}");
            upstream.join().expect("the upstream does not panic");
            eventually("the connection to be let go", || {
                (proxy.admin().stat("cluster.backend.upstream_cx_active") == 0).then_some(())
            });
        }
        rest.wait_for(&proxy);
    }
}

fn answer_once(listener: &TcpListener) {
    use std::io::{Read, Write};
    let (mut stream, _) = listener.accept().expect("the proxy connects");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("the proxy reads");
}

/// All deadlines pass while the process does not run; those who wait are told, and the next are served.
#[test]
fn a_clock_that_jumps() {
    for program in Program::ringmains() {
        let stalls = vec![Act::ReadBody, Act::Stall];
        let limits = "common_http_protocol_options: { idle_timeout: 1s }";
        let rig = Rig::start(program, vec![stalls, ok()], limits, "timeout: 1s");
        let mut waiting = rig.asking(GET);
        rig.upstream.wait_for_requests(1);
        let mut idle = rig.asking(GET);
        assert_eq!(rig.status(&mut idle), Some(200), "{program}");
        rig.proxy.suspend();
        let mut late = rig.asking(CLOSE);
        thread::sleep(Duration::from_millis(1500));
        rig.proxy.resume();
        assert_eq!(rig.status(&mut waiting), Some(504), "{program}");
        assert_eq!(rig.status(&mut late), Some(200), "{program}");
        assert_eq!(idle.read_to_end().1, End::Closed, "{program}");
        drop((waiting, idle, late));
        rig.is_sound();
    }
}

/// Where the other side has ended its sending, what it is sent still arrives.
#[test]
fn peers_that_close_by_halves() {
    let half = |rest: &str| {
        let answer = format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
        vec![Act::ReadBody, Act::Send(answer), Act::HalfClose]
    };
    let answers = [
        half("content-length: 2\r\n\r\nok"),
        half("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n"),
        vec![Act::HalfClose],
        ok(),
    ];
    for program in Program::ringmains() {
        let rig = Rig::start(program, answers.to_vec(), "", "");
        let ends: Vec<String> = (0..3)
            .map(|_| {
                let (bytes, end) = rig.asking(CLOSE).read_to_end();
                assert_ne!(end, End::TimedOut, "{program}");
                String::from_utf8_lossy(&bytes).into_owned()
            })
            .collect();
        assert!(ends[0].starts_with("HTTP/1.1 200 ") && ends[0].ends_with("ok"), "{ends:?}");
        assert!(!ends[1].ends_with("0\r\n\r\n"), "{ends:?}");
        assert!(ends[2].starts_with("HTTP/1.1 503 "), "{ends:?}");
        let mut client = rig.asking(GET);
        client.half_close();
        let answer = client.read_to_end();
        assert!(begins_with(&answer, "HTTP/1.1 200 ") && answer.0.ends_with(b"ok"), "{answer:?}");
        drop(client);
        rig.is_sound();
    }
}

//! Peers that misbehave: whatever they do, the proxy serves the next client and forgets the last.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::{Program, Proxy, run_ringmain};
use ringmain_tests::template::{Values, fill, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok};
use ringmain_tests::wait::PATIENCE;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const UNFINISHED_POST: &str =
    "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 100\r\n\r\nabc";

fn start(program: Program, upstream: &Upstream) -> Proxy {
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    Proxy::start(program, &front_proxy("delayed_close_timeout: 0.2s", "", ""), &values)
}

fn connect(proxy: &Proxy) -> Client {
    Client::connect(proxy.port("listener"))
}

/// Lets `misbehave` loose on a proxy of each engine; then a request must pass and, once its client
/// has gone, no connection may be left, and no descriptor that was not there before.
fn survives(replies: &[Reply], misbehave: impl Fn(&Proxy, &Upstream)) {
    for program in Program::ringmains() {
        let upstream = Upstream::start(replies.to_vec());
        let proxy = start(program, &upstream);
        let rest = AtRest::of(&proxy);
        misbehave(&proxy, &upstream);
        let mut client = connect(&proxy);
        client.send(GET);
        assert_eq!(
            client.read_response().map(|response| response.status()),
            Ok(Some(200)),
            "{program}"
        );
        drop(client);
        upstream.close_connections();
        rest.wait_for(&proxy);
    }
}

#[test]
fn clients_that_talk_nonsense() {
    survives(&[ok()], |proxy, _| {
        for nonsense in [
            &b"\x16\x03\x01\x02\0\x01\0\x01"[..],
            b"\0\0\0\0",
            b"\xff\xfe\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ] {
            let mut client = connect(proxy);
            client.send(nonsense);
            client.half_close();
            client.read_to_end();
        }
    });
}

#[test]
fn clients_that_leave_at_any_byte() {
    survives(&[ok()], |proxy, _| {
        for length in 0..UNFINISHED_POST.len() {
            let mut client = connect(proxy);
            client.send(&UNFINISHED_POST[..length]);
            if length % 2 == 0 { client.reset() } else { drop(client) }
        }
    });
}

#[test]
fn clients_that_leave_while_the_upstream_thinks() {
    let slow = vec![Act::ReadBody, Act::Stall];
    survives(&[slow.clone(), slow, ok()], |proxy, upstream| {
        for count in 1..=2 {
            let mut client = connect(proxy);
            client.send(GET);
            upstream.wait_for_requests(count);
            client.reset();
        }
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
    });
}

#[test]
fn clients_that_leave_while_the_upstream_says_no_more() {
    const CLIENTS: usize = 20;
    let begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec();
    let begun = vec![Act::ReadBody, Act::Send(begun), Act::Stall];
    let mut replies = vec![begun; CLIENTS];
    replies.push(ok());
    survives(&replies, |proxy, _| {
        let rest = AtRest::of(proxy);
        for count in 0..CLIENTS {
            let mut client = connect(proxy);
            client.send(GET);
            assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(200)));
            if count % 2 == 0 { client.reset() } else { drop(client) }
        }
        rest.wait_for(proxy);
        assert_eq!(proxy.admin().stat("cluster.backend.upstream_rq_timeout"), 0);
    });
}

#[test]
fn clients_that_do_not_read() {
    const MIB: usize = 1024 * 1024;
    let body = "x".repeat(32 * MIB);
    let big = vec![
        Act::ReadBody,
        Act::Send(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
        ),
    ];
    survives(&[big, ok()], |proxy, upstream| {
        let mut client = connect(proxy);
        client.send(GET);
        upstream.wait_for_requests(1);
        // The head shows that the answer is under way; then the client goes with most of it unread.
        assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(200)));
        client.reset();
    });
}

#[test]
fn slow_clients_are_served() {
    survives(&[ok()], |proxy, _| {
        let request = "POST /slow HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\nabc";
        let pieces: Vec<&[u8]> = request.as_bytes().chunks(2).collect();
        let mut client = connect(proxy);
        client.send_pieces(&pieces);
        assert_eq!(client.read_response().map(|response| response.status()), Ok(Some(200)));
    });
}

#[test]
fn upstreams_that_talk_nonsense() {
    let says = |bytes: &[u8]| vec![Act::ReadBody, Act::Send(bytes.to_vec()), Act::Close];
    let replies =
        [says(b"\0\0\0\0\r\n\r\n"), says(b"HTTP/1.1 200 OK\r\n\xff\xff\r\n\r\n"), says(b""), ok()];
    survives(&replies, |proxy, _| {
        for status in [502, 502, 503] {
            let mut client = connect(proxy);
            client.send(GET);
            assert_eq!(client.read_response().map(|response| response.status()), Ok(Some(status)));
        }
    });
}

#[test]
fn upstreams_that_send_many_interim_responses() {
    let many = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000);
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    survives(&[vec![Act::ReadBody, Act::Send((many + last).into_bytes())], ok()], |proxy, _| {
        let mut client = connect(proxy);
        client.send(GET);
        assert_eq!(client.read_response().map(|response| response.text()), Ok("ok".into()));
    });
}

#[test]
fn a_second_process_ends_before_it_listens() {
    // Both addresses are taken: it must fail at the admin address, before it takes a connection
    // from the first process, whose listeners it could share.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    let port = taken.local_addr().expect("a bound socket has an address").port().to_string();
    let values = ["admin", "listener", "upstream"].map(|name| (name.to_owned(), port.clone()));
    let text = fill(&front_proxy("", "", ""), &Values::from(values));
    let output = run_ringmain(&["--config-yaml", &text]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("listener 'admin': cannot listen on"), "{said}");
}

#[test]
fn many_clients_at_once() {
    survives(&[ok()], |proxy, _| {
        let mut clients: Vec<Client> = (0..200).map(|_| connect(proxy)).collect();
        for _ in 0..3 {
            clients.iter_mut().for_each(|client| client.send(GET));
            for client in &mut clients {
                assert_eq!(client.read_response().map(|response| response.text()), Ok("ok".into()));
            }
        }
    });
}

#[test]
fn upstreams_that_do_not_read() {
    // More than anybody takes while the client has time for its response.
    const LENGTH: u64 = 1 << 40;
    let head = format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {LENGTH}\r\n\r\n");
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![vec![Act::AwaitRelease, Act::Close]]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let limits = "stream_idle_timeout: 0.5s\ndelayed_close_timeout: 0.2s";
        let proxy = Proxy::start(program, &front_proxy(limits, "", ""), &values);
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port("listener")))
            .expect("the proxy listens");
        client.set_write_timeout(Some(PATIENCE)).expect("SO_SNDTIMEO");
        client.write_all(head.as_bytes()).expect("room");
        // Who goes on for ever is told that nobody listens.
        let piece = [b'x'; 64 * 1024];
        let error = loop {
            if let Err(error) = client.write_all(&piece) {
                break error;
            }
        };
        let is_told = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(is_told, "{program}: {error}");
        drop(client);
        let admin = proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_rq_idle_timeout", 1);
        admin.wait_for_stat("http.ingress.downstream_rq_4xx", 1);
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
        admin.wait_for_stat("cluster.backend.upstream_rq_active", 0);
        admin.wait_for_stat("cluster.backend.upstream_cx_active", 0);
        upstream.release();
    }
}

#[test]
fn clients_that_leave_after_a_body_in_pieces() {
    let slow = vec![Act::ReadBody, Act::Stall];
    survives(&[slow, ok()], |proxy, upstream| {
        let mut client = connect(proxy);
        client.send_pieces(&["POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na", "bc"]);
        upstream.wait_for_requests(1);
        client.reset();
        let admin = proxy.admin();
        admin.wait_for_stat("cluster.backend.upstream_rq_active", 0);
        admin.wait_for_stat("http.ingress.downstream_rq_rx_reset", 1);
    });
}

#[test]
fn clients_that_keep_an_answered_request_open() {
    let early = vec![Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec())];
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![early.clone()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let at_once = front_proxy("delayed_close_timeout: 0s", "", "");
        let proxy = Proxy::start(program, &at_once, &values);
        let mut client = connect(&proxy);
        client.send(UNFINISHED_POST);
        assert_eq!(client.read_response().map(|response| response.text()), Ok("ok".into()));
        // The client stays; without a delay nothing may wait for it.
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        proxy.admin().wait_for_stat("cluster.backend.upstream_rq_active", 0);
    }
}

/// A limit that no test waits for.
const LONG_DELAY: &str = "delayed_close_timeout: 600s\n";

#[test]
fn clients_that_say_they_are_done_are_not_waited_for() {
    for program in [Program::ringmains(), vec![Program::Envoy]].concat() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(LONG_DELAY, "", ""), &values);
        let requests = [
            "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc",
        ];
        for request in requests {
            let mut client = connect(&proxy);
            client.send(request);
            let response = client.read_response().expect("a response");
            assert_eq!(response.status(), Some(200), "{program}");
            // The client keeps its side open.
            proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
            assert_eq!(client.read_to_end(), (Vec::new(), End::Closed), "{program}");
        }
        assert_eq!(proxy.admin().stat("http.ingress.downstream_cx_destroy_local"), 2, "{program}");
        assert_eq!(proxy.admin().stat("http.ingress.downstream_cx_delayed_close_timeout"), 0);
    }
}

#[test]
fn clients_that_could_send_more_are_waited_for() {
    let one =
        format!("{LONG_DELAY}common_http_protocol_options: {{ max_requests_per_connection: 1 }}");
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(&one, "", ""), &values);
        let mut client = connect(&proxy);
        client.send(GET);
        assert_eq!(client.read_response().map(|response| response.status()), Ok(Some(200)));
        assert_eq!(client.read_to_end(), (Vec::new(), End::Closed), "{program}");
        // Sent before the client saw the end, as far as the proxy can know: no reset may answer it.
        client.send(GET);
        assert_eq!(proxy.admin().stat("http.ingress.downstream_cx_active"), 1, "{program}");
        client.half_close();
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        assert_eq!(client.read_to_end(), (Vec::new(), End::Closed), "{program}");
    }
}

/// That we close is our word; the client has not said that it is done.
#[test]
fn clients_that_are_refused_are_waited_for() {
    const UPGRADE: &str =
        "GET / HTTP/1.1\r\nhost: a.example\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy(LONG_DELAY, "", ""), &values);
        for (request, status) in [("GET / HTTP/1.1\r\n\r\n", 400), (UPGRADE, 403)] {
            let mut client = connect(&proxy);
            client.send(request);
            let response = client.read_response().expect("a response");
            assert_eq!(response.status(), Some(status), "{program}");
            assert_eq!(client.read_to_end(), (Vec::new(), End::Closed), "{program}");
            client.send(GET);
            assert_eq!(proxy.admin().stat("http.ingress.downstream_cx_active"), 1, "{program}");
            drop(client);
            proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        }
    }
}

/// Why a client is answered before all of its body has come: fields of the connection manager, and what the host
/// does.
fn early_answers() -> [(u16, &'static str, Reply); 4] {
    let early = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 4\r\n\r\nbig!".to_vec();
    [
        (413, "", vec![Act::Send(early), Act::Stall]),
        (503, "", vec![Act::ReadBytes(3), Act::Reset]),
        (408, "request_timeout: 0.3s\n", vec![Act::Stall]),
        (408, "stream_idle_timeout: 0.3s\n", vec![Act::Stall]),
    ]
}

/// Its answer is not lost: nothing that it sends is answered by a reset (RFC 9112 §9.6).
#[test]
fn a_client_that_writes_on_can_read_its_answer() {
    const PIECES: usize = 20;
    let piece = [b'x'; 5000];
    let head =
        format!("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: {}\r\n\r\nabc", 1 << 20);
    for program in Program::ringmains() {
        for (status, hcm, reply) in early_answers() {
            let upstream = Upstream::start(vec![reply]);
            let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
            let template = front_proxy(&format!("{LONG_DELAY}{hcm}"), "", "");
            let proxy = Proxy::start(program, &template, &values);
            let mut client = connect(&proxy);
            client.send(&head);
            client.wait_for_bytes();
            for _ in 0..PIECES {
                assert!(client.is_taken(piece), "{program}, {status}: nobody resets it");
            }
            let response = client.read_response().expect("a response");
            assert_eq!(response.status(), Some(status), "{program}");
            client.half_close();
            assert_eq!(client.read_to_end(), (Vec::new(), End::Closed), "{program}, {status}");
            upstream.close_connections();
            proxy.admin().wait_for_stat("http.ingress.downstream_cx_active", 0);
        }
    }
}

/// What comes first, and what comes then without end.
type Endless = (&'static str, &'static str);

#[test]
fn clients_that_never_stop() {
    const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    const CHUNK: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;a";
    let endless: [Endless; 6] = [
        ("GET /", "a"),
        ("GET / HTTP/1.1\r\nhost: a\r\n", "x-field: value\r\n"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx-field: ", "a"),
        (POST, "x-field: value\r\n"),
        (CHUNK, "a"),
        ("\r\n", "\r\n"),
    ];
    survives(&[ok()], |proxy, _| {
        for (first, filler) in endless {
            let mut client = connect(proxy);
            client.send(first);
            for _ in 0..64 {
                client.send(filler.repeat(4096));
            }
            assert_ne!(client.read_to_end().1, End::TimedOut, "{first}");
        }
    });
}

#[test]
fn upstreams_that_never_stop() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const LAST: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    const HINT: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let (timeout, error) = ("upstream_rq_timeout", "upstream_cx_protocol_error");
    // And what ends it.
    let endless: [(Endless, &str); 5] = [
        ((CHUNKED, "1\r\na\r\n"), timeout),
        (("HTTP/1.1 200 OK\r\n", "x-field: value\r\n"), error),
        (("HTTP/1.1 200 OK\r\nx-field: ", "a"), error),
        ((LAST, "x-field: value\r\n"), error),
        ((HINT, HINT), timeout),
    ];
    for program in Program::ringmains() {
        for ((first, filler), stat) in endless {
            let upstream = endless_upstream(first, filler);
            let values = Values::from([("upstream".into(), upstream.to_string())]);
            let proxy = Proxy::start(program, &front_proxy("", "timeout: 1s", ""), &values);
            let rest = AtRest::of(&proxy);
            let mut client = connect(&proxy);
            client.send(GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
            // Only a worker that looks at its clock meanwhile, or has a limit, can end this.
            assert_ne!(client.read_to_end().1, End::TimedOut, "{program}: {first}");
            drop(client);
            proxy.admin().wait_for_stat(&format!("cluster.backend.{stat}"), 1);
            rest.wait_for(&proxy);
        }
    }
}

/// An upstream whose only response goes on for as long as somebody takes it, and as the test waits.
fn endless_upstream(first: &'static str, filler: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy connects");
        let more = filler.repeat(10_000);
        let mut sent = stream.write_all(first.as_bytes());
        let until = Instant::now() + PATIENCE;
        while sent.is_ok() && Instant::now() < until {
            sent = stream.write_all(more.as_bytes());
        }
    });
    port
}

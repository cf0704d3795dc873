//! What HTTP/2 costs in allocations: for a request, to upstreams of either version, and for a connection
//! that rests. Most of it is the `h2` crate's; the bounds tell when more is added.

mod counted_worker;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use counted_worker::{CONFIG, CountedWorker, allocations, held_at_rest, host};
use ringmain::cluster::HostDescription;
use ringmain::runtime::EngineChoice;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const FRAME_HEADER_BYTES: usize = 9;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `:method: GET`, `:scheme: http`, `:path: /`, `:authority: example`, `user-agent: test`, `accept: */*`,
/// the last three not indexed (RFC 7541 §6.2.2).
const REQUEST: &[u8] = b"\x82\x86\x84\x01\x07example\x0f\x2b\x04test\x0f\x04\x03*/*";
/// `:status: 200`, `content-type: text/plain`, `content-length: 5`.
const RESPONSE: &[u8] = b"\x88\x0f\x10\x0atext/plain\x0f\x0d\x015";
const HTTP1_RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

const HTTP2_CLUSTER: &str = r#"    - name: c
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"#;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

/// Reads the next frame: its type, its flags and its stream.
fn read_frame(stream: &mut TcpStream) -> Option<(u8, u8, u32)> {
    let mut head = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut head).ok()?;
    let [high, middle, low, kind, flags, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((kind, flags, u32::from_be_bytes(id)))
}

/// Answers each request of each connection by `answer`.
fn upstream(answer: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).expect("TCP_NODELAY");
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// A worker whose cluster has one host, which answers so.
fn start(choice: EngineChoice, config: &str, answer: fn(TcpStream)) -> CountedWorker {
    CountedWorker::start(choice, config, vec![host(HostDescription::new(upstream(answer)))])
}

fn answer_http1(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    // The proxy sends a head without a body in one piece.
    while stream.read(&mut buffer).is_ok_and(|count| count > 0)
        && stream.write_all(HTTP1_RESPONSE).is_ok()
    {}
}

fn answer_http2(mut stream: TcpStream) {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).expect("a preface");
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).expect("the proxy reads");
    while let Some((kind, flags, id)) = read_frame(&mut stream) {
        let answer = match kind {
            SETTINGS if flags & ACK == 0 => frame(SETTINGS, ACK, 0, b""),
            HEADERS => {
                [frame(HEADERS, END_HEADERS, id, RESPONSE), frame(DATA, END_STREAM, id, b"hello")]
                    .concat()
            }
            _ => continue,
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// A client that makes one request after the other.
struct Client {
    stream: TcpStream,
    next: u32,
}

impl Client {
    fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("the worker listens");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).expect("it reads");
        Self { stream, next: 1 }
    }

    fn ask(&mut self, requests: usize) {
        for _ in 0..requests {
            let request = frame(HEADERS, END_STREAM | END_HEADERS, self.next, REQUEST);
            self.stream.write_all(&request).expect("the proxy reads");
            loop {
                let (kind, flags, id) = read_frame(&mut self.stream).expect("the proxy answers");
                if kind == DATA && id == self.next && flags & END_STREAM != 0 {
                    break;
                }
                if kind == SETTINGS && flags & ACK == 0 {
                    self.stream.write_all(&frame(SETTINGS, ACK, 0, b"")).expect("it reads");
                }
            }
            self.next += 2;
        }
    }
}

/// In a round; what is done by the clock may fall into one, what requests cost is in each.
const REQUESTS: u32 = 200;
const ROUNDS: usize = 10;

fn allocations_per_request(choice: EngineChoice, config: &str, answer: fn(TcpStream)) -> f64 {
    let worker = start(choice, config, answer);
    let mut client = Client::open(worker.address);
    client.ask(200);
    let round = |_| {
        let before = allocations();
        client.ask(REQUESTS as usize);
        allocations() - before
    };
    let fewest = (0..ROUNDS).map(round).min().expect("there are rounds");
    drop(client);
    worker.end();
    fewest as f64 / f64::from(REQUESTS)
}

/// One test, as all workers of this process are counted together.
#[test]
fn what_http2_allocates() {
    let http2 = CONFIG.replace("    - name: c\n", HTTP2_CLUSTER);
    assert_ne!(http2, CONFIG);
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        let to_http1 = allocations_per_request(choice, CONFIG, answer_http1);
        let to_http2 = allocations_per_request(choice, &http2, answer_http2);
        println!("{choice:?}: to HTTP/1 {to_http1}, to HTTP/2 {to_http2} allocations per request");
        assert!(to_http1 <= 11.5, "{choice:?}: {to_http1}");
        assert!(to_http2 <= 26.5, "{choice:?}: {to_http2}");
        resting_connections_hold_little(choice);
    }
}

fn resting_connections_hold_little(choice: EngineChoice) {
    const CONNECTIONS: usize = 50;
    /// What a connection that has had a request may hold; 28 KiB are buffers of the crate's.
    const BYTES_MAX: usize = 40 * 1024;
    /// What may be left of one that has closed: its places in the worker's tables.
    const CLOSED_BYTES_MAX: usize = 2048;
    let worker = start(choice, CONFIG, answer_http1);
    let mut first = Client::open(worker.address);
    first.ask(200);
    let before = held_at_rest();
    let clients: Vec<Client> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = Client::open(worker.address);
            client.ask(1);
            client
        })
        .collect();
    let held = held_at_rest().saturating_sub(before) / CONNECTIONS;
    println!("{choice:?}: {held} bytes for a connection that rests");
    assert!(held <= BYTES_MAX, "{choice:?}: {held}");
    drop(clients);
    let left = held_at_rest().saturating_sub(before) / CONNECTIONS;
    println!("{choice:?}: {left} bytes left of one");
    assert!(left <= CLOSED_BYTES_MAX, "{choice:?}: {left}");
    drop(first);
    worker.end();
}

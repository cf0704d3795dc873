//! In the steady state a worker allocates nothing for a request, holds little for a connection that waits
//! for one, and does next to nothing for hosts that stay.
//!
//! A worker runs on a thread of this test whose allocations are counted; clients send small GETs to an
//! upstream that answers from a constant.
mod counted_worker;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use counted_worker::{CONFIG, CountedWorker, allocations, held_at_rest, host};
use ringmain::cluster::{Host, HostDescription};
use ringmain::runtime::EngineChoice;

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
const REQUEST: &[u8] =
    b"GET /path HTTP/1.1\r\nhost: example\r\nuser-agent: test\r\naccept: */*\r\n\r\n";

/// Answers every request head on every connection.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        // The proxy sends a head without a body in one piece.
        if count == 0 || stream.write_all(RESPONSE).is_err() {
            return;
        }
    }
}

fn send_requests(client: &mut TcpStream, count: usize) {
    let mut buffer = [0; 4096];
    for _ in 0..count {
        client.write_all(REQUEST).expect("the proxy reads");
        let mut received = 0;
        while !buffer[..received].ends_with(b"hello") {
            let count = client.read(&mut buffer[received..]).expect("the proxy answers");
            assert!(count > 0, "the proxy closed the connection");
            received += count;
        }
    }
}

/// A worker whose cluster has one host, which answers.
fn worker(choice: EngineChoice, config: &str) -> CountedWorker {
    CountedWorker::start(choice, config, vec![host(HostDescription::new(upstream()))])
}

/// A client of `worker` that has sent some requests.
fn client(worker: &CountedWorker, requests: usize) -> TcpStream {
    let mut client = TcpStream::connect(worker.address).expect("the worker listens");
    send_requests(&mut client, requests);
    client
}

fn allocations_for_requests(choice: EngineChoice, config: &str) -> u64 {
    let worker = worker(choice, config);
    let mut client = client(&worker, 200);
    let fewest = (0..ROUNDS).map(|_| allocations_for(&mut client, REQUESTS)).min();
    drop(client);
    worker.end();
    fewest.expect("there are rounds")
}

/// What is done by the clock, such as giving spare buffers back, may fall into a round and have
/// something allocated anew; what requests cost is in every round.
const ROUNDS: usize = 25;
/// In a round; few, so that a machine under load gets through some rounds between two ticks.
const REQUESTS: usize = 200;

fn allocations_for(client: &mut TcpStream, requests: usize) -> u64 {
    let before = allocations();
    send_requests(client, requests);
    allocations() - before
}

/// One test, as all workers of this process are counted together.
#[test]
fn the_steady_state_allocates_nothing_and_waiting_costs_little() {
    a_small_get_allocates_nothing();
    http_filters_allocate_nothing();
    a_log_line_allocates_nothing_but_its_share_of_a_buffer();
    a_connection_that_waits_holds_little();
    a_change_of_hosts_allocates_once_for_each_that_comes();
}

fn a_small_get_allocates_nothing() {
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        assert_eq!(allocations_for_requests(choice, CONFIG), 0, "on {choice:?}");
    }
}

/// What a worker does about thousands of hosts holds its requests up: it makes what it needs for each
/// that comes, and nothing for those that stay.
fn a_change_of_hosts_allocates_once_for_each_that_comes() {
    const COMING: u64 = 5_000;
    /// Tables, and what happens by the clock meanwhile.
    const OTHERS_MAX: u64 = 100;
    let serving = host(HostDescription::new(upstream()));
    // Asked when no other host is left.
    let next = || {
        let nobody = HostDescription::new(SocketAddr::from(([127, 0, 0, 1], 9)));
        host(HostDescription { priority: 1, ..nobody })
    };
    let with_others = |others: &[Arc<Host>]| [std::slice::from_ref(&serving), others].concat();
    let others: Vec<_> = (0..COMING).map(|_| next()).collect();
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        let mut worker = CountedWorker::start(choice, CONFIG, with_others(&[]));
        let mut client = client(&worker, 200);
        let coming = worker.allocations_for_hosts(with_others(&others));
        assert!((COMING..COMING + OTHERS_MAX).contains(&coming), "{coming} on {choice:?}");
        let staying = worker.allocations_for_hosts(with_others(&others[1..]));
        assert!(staying < OTHERS_MAX, "{staying} on {choice:?}");
        send_requests(&mut client, 1);
        drop(client);
        worker.end();
    }
}

/// Filters that serve the request, and one that does not.
fn http_filters_allocate_nothing() {
    const FILTERS: &str = r#"
                  - name: rbac
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
                      rules: { policies: { p: { permissions: [{ header: { name: user-agent, string_match: { prefix: te } } }], principals: [{ remote_ip: { address_prefix: 127.0.0.0, prefix_len: 8 } }] } } }
                      shadow_matcher:
                        matcher_tree:
                          input: { name: i, typed_config: { "@type": type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput } }
                          exact_match_map: { map: { 127.0.0.1: { action: { name: a, typed_config: { "@type": type.googleapis.com/envoy.config.rbac.v3.Action, name: p } } } } }
                  - name: limit
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                      stat_prefix: limit
                      token_bucket: { max_tokens: 1000000, fill_interval: 1s }
                      filter_enabled: { default_value: { numerator: 100 } }
                      rate_limits: [{ actions: [{ remote_address: {} }, { request_headers: { header_name: accept, descriptor_key: a } }] }]
                      descriptors: [{ entries: [{ key: remote_address, value: 127.0.0.1 }, { key: a, value: "*/*" }], token_bucket: { max_tokens: 1000000, fill_interval: 1s } }]
                  - name: csrf
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.csrf.v3.CsrfPolicy
                      filter_enabled: { default_value: { numerator: 100 } }
                  - name: fault
                    disabled: true
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                  - name: router
"#;
    let config = CONFIG.replace("                  - name: router\n", &FILTERS[1..]);
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        assert_eq!(allocations_for_requests(choice, &config), 0, "on {choice:?}");
    }
}

/// Both logs together hand a buffer over every few hundred requests.
fn a_log_line_allocates_nothing_but_its_share_of_a_buffer() {
    const LOGS: &str = r#"
                access_log:
                - name: text
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                    path: /dev/null
                - name: json
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                    path: /dev/null
                    log_format:
                      json_format:
                        time: "%START_TIME(%s.%6f %Z)%"
                        local: "%START_TIME_LOCAL%"
                        agent: "\"%REQ(user-agent)%\""
                        times: ["%DURATION%", "%COMMON_DURATION(US_TX_BEG:DS_TX_END:ns)%"]
                        id: "%UNIQUE_ID%"
                        host: "%UPSTREAM_HOST%"
"#;
    let config = CONFIG.replace("                access_log: []\n", &LOGS[1..]);
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        let allocations = allocations_for_requests(choice, &config);
        assert!(allocations < 10, "{allocations} for {REQUESTS} requests on {choice:?}");
    }
}

const WAITING: usize = 200;
/// What a connection that waits for its next request may hold, of all that its worker allocates.
const WAITING_BYTES_MAX: usize = 1536;
/// What may be left of one that has closed: its places in the worker's tables.
const CLOSED_BYTES_MAX: usize = 768;

/// Connections that have had a request hold little once they have waited for a while.
fn a_connection_that_waits_holds_little() {
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        let worker = worker(choice, CONFIG);
        let first = client(&worker, 1);
        let before = held_at_rest();
        let clients: Vec<TcpStream> = (0..WAITING).map(|_| client(&worker, 1)).collect();
        let held = (held_at_rest().saturating_sub(before)) / WAITING;
        assert!(held <= WAITING_BYTES_MAX, "{held} bytes each on {choice:?}");
        println!("{held} bytes for a waiting connection on {choice:?}");
        drop(clients);
        let left = (held_at_rest().saturating_sub(before)) / WAITING;
        assert!(left <= CLOSED_BYTES_MAX, "{left} bytes each on {choice:?}");
        println!("{left} bytes left of one on {choice:?}");
        drop(first);
        worker.end();
    }
}

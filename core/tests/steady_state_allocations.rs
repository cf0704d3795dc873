//! In the steady state a worker allocates nothing for a request, holds little for a connection that waits
//! for one, and does next to nothing for hosts that stay.
//!
//! A worker runs on a thread of this test whose allocations are counted; clients send small GETs to an
//! upstream that answers from a constant.
#![allow(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringmain::access_log::{LogBuffers, LogWriter};
use ringmain::cluster::{Bells, Host, HostDescription, HostSet, HostSlots, ToldHosts};
use ringmain::runtime::{EngineChoice, Post, mailbox, memory, plan};
use ringmain::server::{Command, Compiled, ListeningSocket, WorkerSeed, run_worker};
use ringmain::stats::WorkerId;
use ringmain_config::LoadOptions;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Bytes allocated and not freed; below zero it wraps.
static HELD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn is_counted() -> bool {
    COUNTED.try_with(Cell::get).unwrap_or(false)
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_counted() {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            HELD.fetch_add(layout.size(), Ordering::Relaxed);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if is_counted() {
            HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONFIG: &str = r#"
static_resources:
  listeners:
    - name: l
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: http
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: test
                use_remote_address: true
                access_log: []
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{ match: { prefix: / }, route: { cluster: c } }]
                http_filters:
                  - name: router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: c
      load_assignment: { cluster_name: c }
"#;

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

/// A worker that is counted.
struct CountedWorker {
    address: SocketAddr,
    compiled: Arc<Compiled>,
    host_slots: Arc<HostSlots>,
    told: Arc<ToldHosts>,
    post: Post<Command>,
    thread: JoinHandle<()>,
}

impl CountedWorker {
    fn start(choice: EngineChoice, config: &str) -> Self {
        Self::start_with(choice, config, vec![host(HostDescription::new(upstream()))])
    }

    fn start_with(choice: EngineChoice, config: &str, hosts: Vec<Arc<Host>>) -> Self {
        let loaded = ringmain_config::load("test", config, &LoadOptions::default()).expect("legal");
        let socket = TcpListener::bind(loaded.bootstrap.listeners[0].sockets[0].address)
            .expect("a free port");
        let address = socket.local_addr().expect("bound");
        let compiled = Arc::new(Compiled::new(&loaded.bootstrap, vec![vec![address]], 1));
        let writer = LogWriter::start(&compiled.log_sinks).expect("no logs to open");
        let (post, mail) = mailbox(16).expect("an eventfd");
        let host_slots = Arc::new(HostSlots::new(std::iter::once(post.bell()), 1));
        let seed = WorkerSeed {
            id: WorkerId(0),
            core: None,
            plan: plan(choice).expect("an engine"),
            compiled: compiled.clone(),
            sockets: vec![ListeningSocket { listener: 0, address, socket }],
            logs: LogBuffers::new(compiled.log_sinks.len(), writer.sender()),
            bells: Arc::new(Bells::new(std::iter::once(post.bell()))),
            host_slots: host_slots.clone(),
            client_descriptors: None,
        };
        let thread = thread::spawn(move || {
            COUNTED.set(true);
            run_worker(seed, mail).expect("the worker runs");
        });
        let told = tell(&compiled, &host_slots, hosts);
        post.send(Command::Listen).expect("room");
        Self { address, compiled, host_slots, told, post, thread }
    }

    /// Allocations while it takes these hosts over.
    fn allocations_for_hosts(&mut self, hosts: Vec<Arc<Host>>) -> u64 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let told = tell(&self.compiled, &self.host_slots, hosts);
        // Held until the worker has let go, as the control thread does.
        let last = std::mem::replace(&mut self.told, told);
        while Arc::strong_count(&last) > 1 {
            thread::yield_now();
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    }

    /// A client that has sent some requests.
    fn client(&self, requests: usize) -> TcpStream {
        let mut client = TcpStream::connect(self.address).expect("the worker listens");
        send_requests(&mut client, requests);
        client
    }

    fn end(self) {
        drop(self.post);
        self.thread.join().expect("the worker ends");
    }
}

fn tell(compiled: &Compiled, slots: &HostSlots, hosts: Vec<Arc<Host>>) -> Arc<ToldHosts> {
    let hosts = Arc::new(HostSet { hosts });
    let plan = Arc::new(compiled.clusters[0].plan(&hosts, None, None));
    let told = Arc::new(ToldHosts { hosts, plan });
    slots.fill(0, &told);
    told
}

fn host(description: HostDescription) -> Arc<Host> {
    Arc::new(Host::new(description, 1))
}

fn allocations_for_requests(choice: EngineChoice, config: &str) -> u64 {
    let worker = CountedWorker::start(choice, config);
    let mut client = worker.client(200);
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
    let allocations = || ALLOCATIONS.load(Ordering::Relaxed) + memory::blocks_outside_heap() as u64;
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
        let nobody = HostDescription::new(([127, 0, 0, 1], 9).into());
        host(HostDescription { priority: 1, ..nobody })
    };
    let with_others = |others: &[Arc<Host>]| [std::slice::from_ref(&serving), others].concat();
    let others: Vec<_> = (0..COMING).map(|_| next()).collect();
    for choice in [EngineChoice::Auto, EngineChoice::Epoll] {
        let mut worker = CountedWorker::start_with(choice, CONFIG, with_others(&[]));
        let mut client = worker.client(200);
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
        let worker = CountedWorker::start(choice, CONFIG);
        let first = worker.client(1);
        let before = held_at_rest();
        let clients: Vec<TcpStream> = (0..WAITING).map(|_| worker.client(1)).collect();
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

/// Bytes that the worker holds, once it has not changed them for two rounds of giving spare memory back.
fn held_at_rest() -> usize {
    const ROUNDS: Duration = Duration::from_millis(2100);
    let mut seen = (0, Instant::now());
    while seen.1.elapsed() < ROUNDS {
        let held = HELD.load(Ordering::Relaxed) + memory::bytes_outside_heap();
        if held != seen.0 {
            seen = (held, Instant::now());
        }
        thread::sleep(Duration::from_millis(10));
    }
    seen.0
}

//! A worker on a thread of the test's, whose allocations are counted.
#![allow(unsafe_code, reason = "a global allocator that counts")]
#![allow(dead_code, reason = "each test uses what it needs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringmain::access_log::{LogBuffers, LogWriter};
use ringmain::cluster::{Bells, Host, HostDescription, HostSet, HostSlots, ToldHosts};
use ringmain::listener::Handover;
use ringmain::runtime::{EngineChoice, Post, mailbox, memory, plan};
use ringmain::server::{Command, Compiled, Descriptors, ListeningSocket, WorkerSeed, run_worker};
use ringmain::stats::WorkerId;
use ringmain_config::LoadOptions;
use tokio::sync::mpsc;

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

/// How often workers have allocated.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed) + memory::blocks_outside_heap() as u64
}

/// Bytes that the worker holds, once it has not changed them for two rounds of giving spare memory back.
pub fn held_at_rest() -> usize {
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

/// One listener, and one cluster whose hosts are told.
pub const CONFIG: &str = r#"
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

/// A worker that is counted.
pub struct CountedWorker {
    /// Where it listens.
    pub address: SocketAddr,
    compiled: Arc<Compiled>,
    host_slots: Arc<HostSlots>,
    told: Arc<ToldHosts>,
    post: Post<Command>,
    thread: JoinHandle<()>,
}

impl CountedWorker {
    /// Starts one of `config` whose cluster has `hosts`.
    pub fn start(choice: EngineChoice, config: &str, hosts: Vec<Arc<Host>>) -> Self {
        let loaded = ringmain_config::load("test", config, &LoadOptions::default()).expect("legal");
        let wanted = loaded.bootstrap.listeners[0].sockets[0].address.socket().expect("a port");
        let socket = TcpListener::bind(wanted).expect("a free port");
        let address = socket.local_addr().expect("bound");
        let compiled = Arc::new(Compiled::new(&loaded.bootstrap, vec![vec![address.into()]], 1));
        let writer = LogWriter::start(&compiled.log_sinks).expect("no logs to open");
        let (post, mail) = mailbox(16).expect("an eventfd");
        let host_slots = Arc::new(HostSlots::new(std::iter::once(post.bell()), 1));
        let seed = WorkerSeed {
            id: WorkerId(0),
            core: None,
            plan: plan(choice).expect("an engine"),
            compiled: compiled.clone(),
            sockets: vec![ListeningSocket {
                listener: 0,
                address: address.into(),
                socket: socket.into(),
            }],
            logs: LogBuffers::new(compiled.log_sinks.len(), writer.sender()),
            bells: Arc::new(Bells::new(std::iter::once(post.bell()))),
            host_slots: host_slots.clone(),
            handover: Arc::new(Handover::new(std::iter::once(post.bell()))),
            descriptors: Descriptors { clients: None, pipes: 0 },
        };
        let thread = thread::spawn(move || {
            COUNTED.set(true);
            run_worker(seed, mail).expect("the worker runs");
        });
        let told = tell(&compiled, &host_slots, hosts);
        post.send(Command::Listen(mpsc::channel(1).0)).expect("room");
        Self { address, compiled, host_slots, told, post, thread }
    }

    /// Allocations while it takes these hosts over.
    pub fn allocations_for_hosts(&mut self, hosts: Vec<Arc<Host>>) -> u64 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let told = tell(&self.compiled, &self.host_slots, hosts);
        // Held until the worker has let go, as the control thread does.
        let last = std::mem::replace(&mut self.told, told);
        while Arc::strong_count(&last) > 1 {
            thread::yield_now();
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    }

    /// Waits for its end, once its connections are closed.
    pub fn end(self) {
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

/// A host of the cluster.
pub fn host(description: HostDescription) -> Arc<Host> {
    Arc::new(Host::new(description, 1))
}

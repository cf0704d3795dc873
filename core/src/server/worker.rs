//! A worker: one pinned thread, its event loop, and everything that only it touches.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringmain_config::overload::OverloadActionKind;
use ringmain_config::tls::UpstreamTlsContext;
use tokio::sync::{mpsc, oneshot};

use super::descriptors::Descriptors;
use super::{Compiled, Dispatcher, ListeningSocket, connection_ids};
use crate::access_log::LogBuffers;
use crate::cluster::{Bells, HostSlots, WorkerCluster};
use crate::http::clock::Clock;
use crate::http::exchange::ExchangePool;
use crate::http::request_id::RequestIds;
use crate::listener::{
    Acceptor, ConnectionLimit, Connections, DrainDecision, DrainScope, DrainSequence, Handover,
    Intake,
};
use crate::random::Random;
use crate::runtime::{self, BufferPool, EnginePlan, Mailbox, SplicePipes, Timers, Watches};
use crate::stats::scopes::{Http2Stats, WorkerStats};
use crate::stats::{Handed, WorkerHistograms, WorkerId};
use crate::transport_socket::tls::{ServerContext, ServerContexts};

/// What the control thread tells a worker.
#[derive(Debug)]
pub enum Command {
    /// Open the listeners: every cluster has had its first discovery. The sender is dropped when the worker accepts.
    Listen(mpsc::Sender<()>),
    /// Hand over what was recorded since the last time.
    CollectHistograms(oneshot::Sender<Handed>),
    /// Write out the access log lines held back.
    FlushLogs,
    /// Answer with `connection: close` while health checks are to fail.
    FailHealthChecks(bool),
    /// Answer more and more requests with `connection: close`.
    Drain(DrainSequence),
    /// Stop accepting.
    StopListening(DrainScope),
    /// Certificates or ticket keys have changed.
    SetServerContext {
        /// Index of the context.
        index: usize,
        /// What new connections get.
        context: Arc<ServerContext>,
    },
    /// Certificates towards the hosts of a cluster have changed.
    SetClientContext {
        /// Index of the cluster.
        cluster: usize,
        /// Place of the transport socket.
        place: usize,
        /// What new connections are opened with.
        source: Arc<UpstreamTlsContext>,
    },
    /// Close the connections that were idle at the last such command and ever since.
    CloseIdle,
}

/// What a worker is made of; crosses to its thread once.
#[derive(Debug)]
pub struct WorkerSeed {
    /// Which worker.
    pub id: WorkerId,
    /// The core to run on; absent means anywhere.
    pub core: Option<core_affinity::CoreId>,
    /// The engine.
    pub plan: EnginePlan,
    /// The configuration.
    pub compiled: Arc<Compiled>,
    /// One for each address of each listener.
    pub sockets: Vec<ListeningSocket>,
    /// Where access log lines go.
    pub logs: LogBuffers,
    /// Those of all workers.
    pub bells: Arc<Bells>,
    /// What the workers are told of hosts.
    pub host_slots: Arc<HostSlots>,
    /// Connections on their way from worker to worker.
    pub handover: Arc<Handover>,
    /// What clients and pipes may have of the descriptors.
    pub descriptors: Descriptors,
}

/// A worker's own things. `Rc`, `Cell` and `RefCell` inside: no other thread ever sees them.
#[derive(Debug)]
pub struct Worker {
    /// Which worker.
    pub id: WorkerId,
    /// The configuration.
    pub compiled: Arc<Compiled>,
    /// Deadlines.
    pub timers: Rc<Timers>,
    /// Clients that wait for a response.
    pub watches: Rc<Watches>,
    /// Spare buffers.
    pub buffers: Rc<BufferPool>,
    /// Pipes for what goes from socket to socket.
    pub pipes: SplicePipes,
    /// TLS of the filter chains.
    pub server_contexts: ServerContexts,
    /// Latencies.
    pub histograms: Rc<WorkerHistograms>,
    /// Access log lines not yet handed to the writer.
    pub logs: RefCell<LogBuffers>,
    /// Spare message heads.
    pub exchanges: ExchangePool,
    /// The wall clock and the `date` header.
    pub clock: Clock,
    /// `x-request-id` values.
    pub request_ids: RequestIds,
    /// Random numbers for choices.
    pub random: Rc<Random>,
    /// Downstream connections, for drain.
    pub connections: Rc<Connections>,
    /// Whether responses carry `connection: close`.
    pub drain: DrainDecision,
    /// How many descriptors clients may hold, of all workers; absent where there is no limit.
    pub client_descriptors: Option<Arc<ConnectionLimit>>,
    /// Where connections go that another worker is to serve.
    pub handover: Arc<Handover>,
    clusters: Box<[Rc<WorkerCluster>]>,
    bells: Arc<Bells>,
    host_slots: Arc<HostSlots>,
}

/// Ticks between two looks at the clients that wait for a response: 50 ms.
const WATCH_TICKS: u64 = 5;
/// Ticks between two looks at the idle upstream connections: 250 ms.
const IDLE_TICKS: u64 = 25;
/// Ticks between two looks at spare memory of no use: a second.
const SHRINK_TICKS: u64 = 100;

impl Worker {
    fn new(seed: WorkerSeed) -> Rc<Self> {
        let WorkerSeed { id, compiled, logs, bells, host_slots, handover, descriptors, .. } = seed;
        let histograms = Rc::new(WorkerHistograms::new(&compiled.histograms));
        let timers = Timers::new();
        let random = Rc::new(Random::default());
        let buffers = Rc::<BufferPool>::default();
        let server_contexts = ServerContexts::new(&compiled.server_contexts);
        let clusters = compiled
            .clusters
            .iter()
            .map(|shared| {
                let (histograms, timers) = (histograms.clone(), timers.clone());
                let (bells, random, buffers) = (bells.clone(), random.clone(), buffers.clone());
                WorkerCluster::new(shared.clone(), id, histograms, timers, bells, random, buffers)
            })
            .collect();
        Rc::new(Self {
            id,
            compiled,
            timers,
            watches: Rc::default(),
            buffers,
            pipes: SplicePipes::new(descriptors.pipes),
            server_contexts,
            histograms,
            logs: RefCell::new(logs),
            exchanges: ExchangePool::default(),
            clock: Clock::default(),
            request_ids: RequestIds::default(),
            random,
            connections: Rc::default(),
            drain: DrainDecision::default(),
            client_descriptors: descriptors.clients,
            handover,
            clusters,
            bells,
            host_slots,
        })
    }

    /// The cluster at `index` of the configuration.
    pub fn cluster(&self, index: usize) -> &Rc<WorkerCluster> {
        &self.clusters[index]
    }

    /// Whether an overload action is to be taken this time.
    pub fn overloaded(&self, action: OverloadActionKind) -> bool {
        self.compiled.overload.takes(action, || self.random.next())
    }

    /// This worker's counters of itself.
    pub fn stats(&self) -> &WorkerStats {
        self.compiled.worker_stats.of(self.id)
    }

    /// This worker's counters of HTTP/2.
    pub fn http2_stats(&self) -> &Http2Stats {
        self.compiled.http2_stats.of(self.id)
    }

    fn dispatcher(&self) -> Option<Dispatcher> {
        self.compiled.dispatchers.as_ref()?.workers.get(self.id.0).copied()
    }

    /// Has the turns of the event loop recorded, where that is asked for.
    fn measure_turns(&self) {
        if let Some(dispatcher) = self.dispatcher() {
            let histograms = self.histograms.clone();
            runtime::measure_turns(move |turn| {
                histograms.record(dispatcher.loop_duration_us, micros(turn));
            });
        }
    }

    /// Does what is done by the clock, for ever.
    async fn keep_time(self: Rc<Self>) {
        let mut ticks = 0_u64;
        let dispatcher = self.dispatcher();
        runtime::every(runtime::TICK, |late| {
            ticks += 1;
            if let Some(dispatcher) = dispatcher {
                self.histograms.record(dispatcher.poll_delay_us, micros(late));
            }
            self.timers.sweep();
            self.clock.refresh();
            if ticks.is_multiple_of(WATCH_TICKS) {
                self.watches.sweep();
            }
            if ticks.is_multiple_of(IDLE_TICKS) {
                self.sweep_idle();
            }
            if ticks.is_multiple_of(SHRINK_TICKS) {
                self.buffers.shrink();
                self.pipes.shrink();
                runtime::shrink_rooms();
                runtime::shrink_pieces();
            }
        })
        .await;
    }

    /// Looks at the idle upstream connections: where descriptors are wanted, none is left idle.
    fn sweep_idle(&self) {
        let is_short = self.clusters.iter().filter(|cluster| cluster.take_want()).count() > 0;
        for cluster in &self.clusters {
            if is_short {
                cluster.close_idle();
            }
            cluster.sweep_idle();
        }
    }

    /// Takes over what discovery and health checks have come to, and what other workers hand over or have
    /// rung for.
    fn answer_bells(self: &Rc<Self>) {
        self.handover.empty(self.id, |connection| {
            Rc::new(Intake::new(self, connection.listener)).take_over(connection);
        });
        self.host_slots.empty(self.id, |cluster, told| self.clusters[cluster].set_hosts(told));
        self.bells.answer(self.id, self.clusters.len(), |index| {
            self.clusters[index].answer_bell();
        });
    }

    fn act(self: &Rc<Self>, command: Command, acceptors: &[Rc<Acceptor>]) {
        // What was told before the command counts before it.
        self.answer_bells();
        match command {
            Command::Listen(_accepting) => {
                for acceptor in acceptors {
                    runtime::spawn(acceptor.clone().run());
                }
            }
            Command::CollectHistograms(reply) => {
                // The asker may have given up; what was taken is then lost with its interval.
                let _asker_gone = reply.send(self.histograms.take());
            }
            Command::FlushLogs => self.logs.borrow_mut().flush(),
            Command::FailHealthChecks(fail) => self.drain.fail_health_checks(fail),
            Command::Drain(sequence) => self.drain.begin(sequence),
            Command::StopListening(scope) => {
                for acceptor in acceptors {
                    if scope.takes(acceptor.listener().config.traffic_direction) {
                        runtime::spawn(acceptor.clone().leave());
                    }
                }
            }
            Command::SetServerContext { index, context } => {
                self.server_contexts.set(index, context);
            }
            Command::SetClientContext { cluster, place, source } => {
                self.clusters[cluster].set_client_context(place, &source);
            }
            Command::CloseIdle => self.connections.close_idle(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Runs a worker on this thread until the control thread lets go of its mailbox.
pub fn run_worker(seed: WorkerSeed, mailbox: Mailbox<Command>) -> io::Result<()> {
    if let Some(core) = seed.core
        && !core_affinity::set_for_current(core)
    {
        tracing::warn!(
            worker = seed.id.0,
            core = core.id,
            "cannot pin to the core; running unpinned"
        );
    }
    connection_ids::count_as(seed.id, seed.compiled.workers);
    let plan = seed.plan.clone();
    runtime::run(&plan, serve(seed, mailbox))?
}

async fn serve(mut seed: WorkerSeed, mailbox: Mailbox<Command>) -> io::Result<()> {
    let (sockets, engine) = (std::mem::take(&mut seed.sockets), seed.plan.engine);
    let worker = Worker::new(seed);
    let mut acceptors = Vec::with_capacity(sockets.len());
    for socket in sockets {
        acceptors.push(Rc::new(Acceptor::new(&worker, socket, engine)?));
    }
    worker.measure_turns();
    runtime::spawn(worker.clone().keep_time());
    let act = |command| worker.act(command, &acceptors);
    let result = mailbox.serve(act, || worker.answer_bells()).await;
    worker.logs.borrow_mut().flush();
    result
}

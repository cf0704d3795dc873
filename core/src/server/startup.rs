//! From arguments to a serving process, and to its end.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use core_affinity::CoreId;
use ringmain_config::LoadError;
use ringmain_config::address::Address;
use ringmain_config::bootstrap::Bootstrap;
use socket2::Socket;
use tokio::sync::mpsc;

pub use super::configuration::told;

use super::args::{Args, CpuList, Mode};
use super::configuration::{Written, load, name_node};
use super::control::{Boot, Control, ServerState};
use super::descriptors::{self, Descriptors};
use super::signals::Signals;
use super::sockets::{BoundAddress, bind_admin, bind_all, transpose};
use super::tls_upkeep::keep_tls_fresh;
use super::upkeep::{flush_logs, flush_stats, return_memory};
use super::worker::{Command, WorkerSeed, run_worker};
use super::{Compiled, demo, drain, log, overload};
use crate::access_log::{LogBuffers, LogWriter, OpenError};
use crate::cluster::{Bells, HostSlots};
use crate::listener::Handover;
use crate::runtime::{self, Mailbox, Post, mailbox};
use crate::stats::{HistogramId, WorkerId};
use crate::{admin, discovery, health_check, outlier_detection};

/// Why the process does not start, or ended other than asked for.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong; every fault is named.
    #[error("{}", .0.rendered())]
    Config(#[from] LoadError),
    /// A file of the command line cannot be used.
    #[error("cannot {what} '{path}': {source}")]
    File {
        /// What was to be done with it.
        what: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A listener's address cannot be used.
    #[error("listener '{name}': cannot listen on {address}: {source}")]
    Listen {
        /// The listener.
        name: String,
        /// Its address.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// A port of the embedded demo cannot be used.
    #[error(
        "the embedded demo cannot listen on {address}: {source}; it needs the ports 9901 and 10000 to 10002"
    )]
    Demo {
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An access log cannot be used.
    #[error(transparent)]
    AccessLog(#[from] OpenError),
    /// `--cpuset` names cores on which nothing may run here.
    #[error("--cpuset names cores that this process cannot run on: {refused}; it can on {usable}")]
    NoSuchCores {
        /// Those.
        refused: CpuList,
        /// Those that it runs on where none are named.
        usable: CpuList,
    },
    /// The configuration needs a cargo feature that is off.
    #[error("{0}; build ringmain with the cargo feature 'aws'")]
    NotInThisBuild(String),
    /// `--restart-epoch` above 0.
    #[error("--restart-epoch {0}: ringmain has no hot restart; start without it")]
    RestartEpoch(u32),
    /// The open-file limit leaves nothing to serve with.
    #[error(
        "the open-file limit of {limit} is too small: {needed} more descriptors are needed to serve ({source}); \
         raise it (`ulimit -n`, `LimitNOFILE=`)"
    )]
    Descriptors {
        /// `RLIMIT_NOFILE`.
        limit: u64,
        /// How many are missing at least, beside those that are open.
        needed: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The engine, a thread or another resource is refused by the system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A worker has ended while it was needed.
    #[error("worker {worker} has ended: {reason}")]
    WorkerEnded {
        /// Which.
        worker: usize,
        /// Why.
        reason: String,
    },
    /// A second signal came while requests were still in flight.
    #[error("ended at once by a second signal; {0} connections were cut")]
    Forced(u64),
}

impl StartError {
    /// For what the system says of the file at `path`.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { what, path: path.display().to_string(), source }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// The whole program.
pub fn main(args: &Args) -> Result<(), StartError> {
    let log_path = args.log_path.as_deref().unwrap_or(Path::new("log"));
    let log_levels = log::start(args).map_err(StartError::file("write", log_path))?;
    if let Some(epoch) = args.restart_epoch.filter(|epoch| *epoch > 0) {
        return Err(StartError::RestartEpoch(epoch));
    }
    for (option, reason) in args.without_effect() {
        tracing::warn!("{option} has no effect: {reason}");
    }
    let is_demo = args.config_path.is_none() && args.config_yaml.is_none();
    let written = Written::of(args)?;
    let mut bootstrap = load(args, &written)?;
    if args.mode != Mode::Serve {
        println!("configuration '{}' OK", written.origin);
        return Ok(());
    }
    name_node(&mut bootstrap.node, args);
    descriptors::raise_limit();
    if is_demo {
        demo::start_upstreams()?;
    }
    let server = Server::prepare(args, &bootstrap)?;
    // The schema and the messages of the file are gone; what they took was many times what is left.
    let written = bootstrap.admin.is_some().then_some(written);
    runtime::release_freed_memory();
    if is_demo {
        println!("{}", demo::GREETING);
    }
    server.run(&bootstrap, written, log_levels)
}

/// Everything started but not yet serving.
struct Server {
    compiled: Arc<Compiled>,
    args: Args,
    posts: Vec<Post<Command>>,
    host_slots: Arc<HostSlots>,
    workers: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<(usize, String)>,
    writer: LogWriter,
    admin: Option<Socket>,
}

/// Commands that may wait for a worker.
const MAILBOX_COMMANDS: usize = 1024;

impl Server {
    fn prepare(args: &Args, bootstrap: &Bootstrap) -> Result<Self, StartError> {
        let plan = runtime::plan(args.io_engine).map_err(system("cannot use io_uring"))?;
        let cores = cores(args)?;
        let workers = args.concurrency.map_or(cores.len().max(1), |count| count as usize);
        tracing::info!(workers, "I/O engine: {plan}");
        // First: a second process by mistake must end here, before its listening sockets take
        // connections from the first one's.
        let admin = bootstrap.admin.as_ref().map(bind_admin).transpose()?;
        let sockets = bind_all(&bootstrap.listeners, workers)?;
        let descriptors = Descriptors::share_out(workers)?;
        let of_listener =
            |bound: &Vec<BoundAddress>| bound.iter().map(|one| one.address.clone()).collect();
        let addresses: Vec<Vec<Address>> = sockets.iter().map(of_listener).collect();
        let compiled = Arc::new(Compiled::new(bootstrap, addresses, workers));
        let writer = LogWriter::start(&compiled.log_sinks)?;
        let mut per_worker = transpose(sockets, workers);
        let (ended_sender, ended) = mpsc::channel(workers);
        let mut server = Self {
            compiled,
            args: args.clone(),
            posts: Vec::new(),
            host_slots: Arc::default(),
            workers: Vec::new(),
            ended,
            writer,
            admin,
        };
        let mails = server.open_mailboxes(workers)?;
        let bells = Arc::new(Bells::new(server.posts.iter().map(Post::bell)));
        let clusters = server.compiled.clusters.len();
        server.host_slots = Arc::new(HostSlots::new(server.posts.iter().map(Post::bell), clusters));
        let balances = server.compiled.listeners.iter().any(|listener| listener.balance.is_some());
        let handed_to = server.posts.iter().filter(|_| balances);
        let handover = Arc::new(Handover::new(handed_to.map(Post::bell)));
        for (index, (sockets, mail)) in per_worker.drain(..).zip(mails).enumerate() {
            let core = cores.get(index % cores.len().max(1)).copied();
            let seed = WorkerSeed {
                id: WorkerId(index),
                core,
                plan: plan.clone(),
                compiled: server.compiled.clone(),
                sockets,
                logs: LogBuffers::new(server.compiled.log_sinks.len(), server.writer.sender()),
                bells: bells.clone(),
                host_slots: server.host_slots.clone(),
                handover: handover.clone(),
                descriptors: descriptors.clone(),
            };
            server.start_worker(seed, mail, ended_sender.clone())?;
        }
        Ok(server)
    }

    fn open_mailboxes(&mut self, workers: usize) -> Result<Vec<Mailbox<Command>>, StartError> {
        let mut mails = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (post, mail) =
                mailbox(MAILBOX_COMMANDS).map_err(system("cannot make a worker's mailbox"))?;
            self.posts.push(post);
            mails.push(mail);
        }
        Ok(mails)
    }

    fn start_worker(
        &mut self,
        seed: WorkerSeed,
        mail: Mailbox<Command>,
        ended: mpsc::Sender<(usize, String)>,
    ) -> Result<(), StartError> {
        let index = seed.id.0;
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    run_worker(seed, mail)
                }));
                let reason = match result {
                    Ok(Ok(())) => "its mailbox was closed".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "it panicked".to_owned(),
                };
                // Nobody listens once the process is ending.
                let _ending = ended.try_send((index, reason));
            })
            .map_err(system("cannot start a worker's thread"))?;
        self.workers.push(thread);
        Ok(())
    }

    fn run(
        self,
        bootstrap: &Bootstrap,
        written: Option<Written>,
        log_levels: log::LogLevels,
    ) -> Result<(), StartError> {
        let Self { compiled, args, posts, host_slots, workers, mut ended, writer, admin } = self;
        let (shutdown_sender, shutdown) = mpsc::channel(1);
        let logs = writer.control();
        let boot = Boot {
            node: bootstrap.node.clone(),
            local_cluster: bootstrap.local_cluster,
            has_admin: bootstrap.admin.is_some(),
            stats_flush_interval: bootstrap.stats_flush_interval,
            overload_manager: bootstrap.overload_manager.clone(),
            runtime: bootstrap.runtime.clone(),
            written,
            log_levels,
            args,
        };
        let control =
            Arc::new(Control::new(compiled, boot, posts, host_slots, logs, shutdown_sender));
        let runtime =
            control_runtime(&control).map_err(system("cannot start the control thread"))?;
        let serving = serve(control, admin, shutdown, &mut ended);
        let result = runtime.block_on(serving);
        // Dropping the runtime drops the last hold on the workers' mailboxes, which ends them.
        drop(runtime);
        if !matches!(result, Err(StartError::WorkerEnded { .. } | StartError::Forced(_))) {
            for worker in workers {
                // A panic has been reported by the worker itself.
                let _ended = worker.join();
            }
            if !writer.join(LAST_LINES_LIMIT) {
                tracing::warn!("access log lines are lost: they cannot be written");
            }
        }
        result
    }
}

/// The control thread's event loop.
fn control_runtime(control: &Arc<Control>) -> io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if let Some(dispatchers) = &control.compiled.dispatchers {
        record_turns(&mut builder, control, dispatchers.main_loop_duration_us);
    }
    builder.build()
}

/// Has the turns of the control thread's event loop recorded.
fn record_turns(builder: &mut tokio::runtime::Builder, control: &Arc<Control>, id: HistogramId) {
    let now_us = |control: &Control| {
        u64::try_from(control.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    };
    let begun_us = Arc::new(AtomicU64::new(now_us(control)));
    let (waking, begins_us) = (control.clone(), begun_us.clone());
    builder.on_thread_unpark(move || begins_us.store(now_us(&waking), Ordering::Relaxed));
    let parking = control.clone();
    builder.on_thread_park(move || {
        let begun_us = begun_us.load(Ordering::Relaxed);
        parking.record(id, now_us(&parking).saturating_sub(begun_us));
    });
}

/// How long the last access log lines may take to be written.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(2);

/// The control thread: admin, discovery, then signals until the end.
async fn serve(
    control: Arc<Control>,
    admin: Option<Socket>,
    mut shutdown: mpsc::Receiver<()>,
    ended: &mut mpsc::Receiver<(usize, String)>,
) -> Result<(), StartError> {
    let mut signals = Signals::new(&control).map_err(system("cannot listen for signals"))?;
    if let Some(socket) = admin {
        let address =
            runtime::local_address(&socket).map_err(system("cannot tell the address of admin"))?;
        admin::start(control.clone(), socket).map_err(system("cannot start admin"))?;
        tracing::info!("admin listens on {address}");
        write_admin_address(&control.boot.args, &address)?;
    }
    control.set_state(ServerState::Initializing);
    tokio::select! {
        () = open_listeners(&control) => {}
        () = signals.terminate() => return Ok(()),
        _ = shutdown.recv() => return Ok(()),
        Some(end) = ended.recv() => return Err(worker_ended(end)),
    }
    control.set_state(ServerState::Live);
    let bound = control.compiled.listeners.iter().filter(|listener| listener.config.bind_to_port);
    for listener in bound {
        for address in &listener.addresses {
            tracing::info!("listener '{}' serves {address}", listener.name);
        }
    }
    let started_ms = u64::try_from(control.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    control.record(control.compiled.process_histograms.initialization_time_ms, started_ms);
    let flushing = tokio::spawn(flush_logs(control.clone()));
    let returning = tokio::spawn(return_memory());
    tokio::spawn(flush_stats(control.clone()));
    tokio::spawn(overload::watch(control.clone()));
    tokio::spawn(keep_tls_fresh(control.clone()));
    tokio::select! {
        () = signals.terminate() => tracing::info!("draining after a signal"),
        _ = shutdown.recv() => tracing::info!("draining as admin asked"),
        Some(end) = ended.recv() => return Err(worker_ended(end)),
    }
    flushing.abort();
    returning.abort();
    end(&control, &mut signals).await
}

async fn end(control: &Control, signals: &mut Signals) -> Result<(), StartError> {
    let grace = Duration::from_secs(control.boot.args.shutdown_grace_s);
    let limit = Duration::from_secs(control.boot.args.shutdown_limit_s);
    tokio::select! {
        left = drain::drain(control, grace, limit) => {
            if left > 0 {
                tracing::warn!(connections = left, "cut after {limit:?}");
            }
            Ok(())
        }
        () = signals.terminate() => Err(StartError::Forced(control.active_connections())),
    }
}

fn worker_ended((worker, reason): (usize, String)) -> StartError {
    StartError::WorkerEnded { worker, reason }
}

/// Opens the listeners once the first looks are over; returns when all workers accept. With a worker that has ended it never does.
async fn open_listeners(control: &Arc<Control>) {
    first_looks(control).await;
    let (accepting, mut done) = mpsc::channel(1);
    control.tell_all(|| Command::Listen(accepting.clone())).await;
    drop(accepting);
    // Nobody sends: the channel closes when the last worker has let go of its end.
    let _channel_closed = done.recv().await;
}

/// The listeners open when every cluster knows its hosts and, where they are checked, their health.
async fn first_looks(control: &Arc<Control>) {
    first_discovery(control).await;
    outlier_detection::start(control);
    let (first, mut done) = mpsc::channel(1);
    health_check::start(control, &first);
    drop(first);
    // Nobody sends. Each check ends by its time-out, so there is no other limit, as in Envoy.
    let _channel_closed = done.recv().await;
}

/// How long the listeners wait for clusters to find their first hosts.
const FIRST_DISCOVERY_LIMIT: Duration = Duration::from_secs(15);

async fn first_discovery(control: &Arc<Control>) {
    let (first, mut done) = mpsc::channel(1);
    let waits = control.compiled.clusters.iter().filter_map(|cluster| {
        cluster.config.discovery.aws_limits().map(|limits| limits.wait_for_first_discovery)
    });
    // Each of these lets go of its end by itself when its time is over.
    let limit = waits.max().map_or(FIRST_DISCOVERY_LIMIT, |wait| wait.max(FIRST_DISCOVERY_LIMIT));
    discovery::start(control, &first).await;
    drop(first);
    // Nobody sends: the channel closes when the last cluster has let go of its end.
    if tokio::time::timeout(limit, done.recv()).await.is_err() {
        tracing::warn!("listeners open before every cluster has found its hosts");
    }
}

fn write_admin_address(args: &Args, address: &Address) -> Result<(), StartError> {
    let Some(path) = &args.admin_address_path else { return Ok(()) };
    std::fs::write(path, address.to_string()).map_err(StartError::file("write", path))
}

/// The cores for the workers, in order; empty where the system does not say. Those that somebody has asked for
/// must be there: workers that share a core by mistake would only be slow.
fn cores(args: &Args) -> Result<Vec<CoreId>, StartError> {
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    let Some(CpuList(list)) = &args.cpuset else { return Ok(usable) };
    let asked: Vec<CoreId> = list.iter().map(|id| CoreId { id: *id }).collect();
    let refused = refused(asked.clone()).map_err(system("cannot start a thread"))?;
    if refused.is_empty() {
        return Ok(asked);
    }
    let usable = usable.iter().map(|core| core.id).collect();
    Err(StartError::NoSuchCores { refused: CpuList(refused), usable: CpuList(usable) })
}

/// Which of `cores` the system lets nobody run on. A core outside the process' own affinity may do, so a thread tries.
fn refused(cores: Vec<CoreId>) -> io::Result<Vec<usize>> {
    let try_all = move || {
        let refused = cores.into_iter().filter(|core| !core_affinity::set_for_current(*core));
        refused.map(|core| core.id).collect()
    };
    let thread = std::thread::Builder::new().name("cores".into()).spawn(try_all)?;
    Ok(thread.join().expect("asking for a core does not panic"))
}

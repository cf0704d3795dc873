//! From arguments to a serving process, and to its end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ringmain_config::bootstrap::{Bootstrap, Node};
use ringmain_config::listener as config;
use ringmain_config::{Diagnostic, LoadError, LoadOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::args::{Args, LogForm, Mode};
use super::control::{Boot, Control, ServerState};
use super::worker::{Command, WorkerSeed, run_worker};
use super::{Compiled, demo, drain, log};
use crate::access_log::{LogBuffers, LogWriter, OpenError};
use crate::cluster::Bells;
use crate::runtime::{self, ListenOptions, Mailbox, Post, mailbox};
use crate::stats::WorkerId;
use crate::{admin, discovery};

/// Why the process does not start, or ended other than asked for.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong; every fault is named.
    #[error("{}", .0.rendered())]
    Config(#[from] LoadError),
    /// A file of the command line cannot be used.
    #[error("{path}: {source}")]
    File {
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
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An access log cannot be used.
    #[error(transparent)]
    AccessLog(#[from] OpenError),
    /// The configuration needs a cargo feature that is off.
    #[error("{0}; build ringmain with the cargo feature 'aws'")]
    NotInThisBuild(String),
    /// `--restart-epoch` above 0.
    #[error("--restart-epoch {0}: ringmain has no hot restart; start without it")]
    RestartEpoch(u32),
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

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}

/// The whole program.
pub fn main(args: &Args) -> Result<(), StartError> {
    let log_levels = log::start(args).map_err(|source| StartError::File {
        path: args.log_path.as_deref().unwrap_or(Path::new("log")).display().to_string(),
        source,
    })?;
    if let Some(epoch) = args.restart_epoch.filter(|epoch| *epoch > 0) {
        return Err(StartError::RestartEpoch(epoch));
    }
    for (option, reason) in args.without_effect() {
        tracing::warn!("{option} has no effect: {reason}");
    }
    let is_demo = args.config_path.is_none() && args.config_yaml.is_none();
    let (origin, text) = configuration_text(args)?;
    let (mut bootstrap, dump) = load(args, &origin, &text)?;
    if args.mode != Mode::Serve {
        println!("configuration '{origin}' OK");
        return Ok(());
    }
    name_node(&mut bootstrap.node, args);
    raise_open_file_limit();
    if is_demo {
        demo::start_upstreams().map_err(system("cannot start the demo upstreams"))?;
    }
    let server = Server::prepare(args, &bootstrap)?;
    // The schema and the messages of the file are gone; what they took was many times what is left.
    drop(text);
    runtime::release_freed_memory();
    if is_demo {
        println!("{}", demo::GREETING);
    }
    server.run(&bootstrap, dump, log_levels)
}

fn configuration_text(args: &Args) -> Result<(String, String), StartError> {
    match (&args.config_path, &args.config_yaml) {
        (Some(path), _) => {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => Ok((name, text)),
                Err(source) => Err(StartError::File { path: name, source }),
            }
        }
        (None, Some(yaml)) => Ok(("--config-yaml".into(), yaml.clone())),
        (None, None) => Ok(("the embedded demo".into(), demo::CONFIG.into())),
    }
}

fn load(args: &Args, origin: &str, text: &str) -> Result<(Bootstrap, Option<String>), StartError> {
    let overlay = args.config_path.as_ref().and(args.config_yaml.clone());
    let options = LoadOptions {
        allow_unsupported: args.allow_unsupported.clone(),
        allow_unknown_fields: args.allow_unknown_static_fields || args.allow_unknown_fields,
        overlay,
    };
    let loaded = ringmain_config::load(origin, text, &options)?;
    for warning in &loaded.warnings {
        match (args.mode, args.error_format) {
            // While serving it belongs to the log.
            (Mode::Serve, _) => tracing::warn!("{warning}"),
            (_, LogForm::Text) => eprintln!("{}\n", warning.rendered()),
            (_, LogForm::Json) => eprintln!("{}", json(warning)),
        }
    }
    match discovery::missing(&loaded.bootstrap.clusters) {
        Some(missing) => Err(StartError::NotInThisBuild(missing)),
        None => Ok((loaded.bootstrap, loaded.dump)),
    }
}

/// An error in the form that `--error-format` asks for.
pub fn told(error: &StartError, args: &Args) -> String {
    match (error, args.error_format) {
        (StartError::Config(error), LogForm::Json) => {
            let mut lines: Vec<_> = error.diagnostics.iter().map(json).collect();
            if error.errors_not_listed > 0 {
                lines.push(format!(r#"{{"errors_not_listed":{}}}"#, error.errors_not_listed));
            }
            lines.join("\n")
        }
        (_, LogForm::Json) => {
            serde_json::json!({ "severity": "error", "message": error.to_string() }).to_string()
        }
        (_, LogForm::Text) => error.to_string(),
    }
}

fn json(diagnostic: &Diagnostic) -> String {
    serde_json::to_string(diagnostic).expect("text and numbers only")
}

/// The command line names the node where the file does not.
fn name_node(node: &mut Node, args: &Args) {
    let fill = |field: &mut String, given: &Option<String>| {
        if let Some(given) = given
            && field.is_empty()
        {
            field.clone_from(given);
        }
    };
    fill(&mut node.cluster, &args.service_cluster);
    fill(&mut node.id, &args.service_node);
    fill(&mut node.locality.zone, &args.service_zone);
}

/// A proxy needs two descriptors a request; the soft limit is often 1024.
fn raise_open_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, current = limit.current, "cannot raise the open-file limit");
    }
}

/// Everything started but not yet serving.
struct Server {
    compiled: Arc<Compiled>,
    args: Args,
    posts: Vec<Post<Command>>,
    workers: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<(usize, String)>,
    writer: LogWriter,
    admin: Option<TcpListener>,
}

/// Commands that may wait for a worker.
const MAILBOX_COMMANDS: usize = 1024;

impl Server {
    fn prepare(args: &Args, bootstrap: &Bootstrap) -> Result<Self, StartError> {
        let plan = runtime::plan(args.io_engine).map_err(system("cannot use io_uring"))?;
        let cores = cores(args);
        let workers = args.concurrency.map_or(cores.len().max(1), |count| count as usize);
        tracing::info!(workers, "I/O engine: {plan}");
        // First: a second process by mistake must end here, before its listening sockets take
        // connections from the first one's.
        let admin = bootstrap.admin.as_ref().map(|admin| bind_admin(admin.address)).transpose()?;
        let sockets = bind_all(&bootstrap.listeners, workers)?;
        let addresses: Vec<SocketAddr> = sockets.iter().map(|(address, _)| *address).collect();
        let compiled = Arc::new(Compiled::new(bootstrap, &addresses, workers));
        let writer = LogWriter::start(&compiled.log_sinks)?;
        let mut per_worker = transpose(sockets, workers);
        let (ended_sender, ended) = mpsc::channel(workers);
        let mut server = Self {
            compiled,
            args: args.clone(),
            posts: Vec::new(),
            workers: Vec::new(),
            ended,
            writer,
            admin,
        };
        let mails = server.open_mailboxes(workers)?;
        let bells = Arc::new(Bells::new(server.posts.iter().map(Post::bell)));
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
        dump: Option<String>,
        log_levels: log::LogLevels,
    ) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system("cannot start the control thread"))?;
        let Self { compiled, args, posts, workers, mut ended, writer, admin } = self;
        let (shutdown_sender, shutdown) = mpsc::channel(1);
        let logs = writer.control();
        let boot = Boot {
            node: bootstrap.node.clone(),
            has_admin: bootstrap.admin.is_some(),
            stats_flush_interval: bootstrap.stats_flush_interval,
            overload_manager: bootstrap.overload_manager.clone(),
            runtime: bootstrap.runtime.clone(),
            dump,
            log_levels,
            args,
        };
        let control = Control::new(compiled, boot, posts, logs, shutdown_sender);
        let serving = serve(Arc::new(control), admin, shutdown, &mut ended);
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

/// How long the last access log lines may take to be written.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(2);

/// The control thread: admin, discovery, then signals until the end.
async fn serve(
    control: Arc<Control>,
    admin: Option<TcpListener>,
    mut shutdown: mpsc::Receiver<()>,
    ended: &mut mpsc::Receiver<(usize, String)>,
) -> Result<(), StartError> {
    let mut signals = Signals::new(&control).map_err(system("cannot listen for signals"))?;
    if let Some(socket) = admin {
        let address =
            admin::start(control.clone(), socket).map_err(system("cannot start admin"))?;
        tracing::info!("admin listens on {address}");
        write_admin_address(&control.boot.args, address)?;
    }
    control.set_state(ServerState::Initializing);
    tokio::select! {
        () = first_discovery(&control) => {}
        () = signals.terminate() => return Ok(()),
    }
    control.tell_all(|| Command::Listen).await;
    control.set_state(ServerState::Live);
    for listener in &control.compiled.listeners {
        tracing::info!("listener '{}' serves {}", listener.name, listener.address);
    }
    let started_ms = u64::try_from(control.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    control.record(control.compiled.process_histograms.initialization_time_ms, started_ms);
    let flushing = tokio::spawn(flush_logs(control.clone()));
    let returning = tokio::spawn(return_memory());
    tokio::spawn(flush_stats(control.clone()));
    tokio::select! {
        () = signals.terminate() => tracing::info!("draining after a signal"),
        _ = shutdown.recv() => tracing::info!("draining as admin asked"),
        Some((worker, reason)) = ended.recv() => {
            return Err(StartError::WorkerEnded { worker, reason });
        }
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

async fn flush_logs(control: Arc<Control>) {
    let interval = Duration::from_millis(control.boot.args.file_flush_interval_msec);
    loop {
        tokio::time::sleep(interval).await;
        control.tell_all(|| Command::FlushLogs).await;
    }
}

/// Gives memory that connections have given up back to the system once they have come to rest.
async fn return_memory() {
    const LOOK: Duration = Duration::from_secs(2);
    /// Walking the heap for less is not worth it.
    const WORTH_BYTES: usize = 4 * 1024 * 1024;
    /// Less than this is no movement.
    const REST_BYTES: usize = 256 * 1024;
    let (mut least, mut before) = (usize::MAX, 0);
    loop {
        tokio::time::sleep(LOOK).await;
        let free = runtime::memory::usage().free;
        least = least.min(free);
        let rests = free.abs_diff(std::mem::replace(&mut before, free)) < REST_BYTES;
        if rests && free - least >= WORTH_BYTES {
            runtime::release_freed_memory();
            least = free;
        }
    }
}

/// Ends the interval of the histograms every `stats_flush_interval`, as Envoy does.
async fn flush_stats(control: Arc<Control>) {
    loop {
        tokio::time::sleep(control.boot.stats_flush_interval).await;
        control.end_histogram_interval().await;
    }
}

/// SIGTERM and SIGINT end; SIGUSR1 is for the access logs and SIGHUP is ignored, as in Envoy.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new(control: &Arc<Control>) -> io::Result<Self> {
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move { while hangup.recv().await.is_some() {} });
        let mut rotated = signal(SignalKind::user_defined1())?;
        let control = control.clone();
        tokio::spawn(async move {
            while rotated.recv().await.is_some() {
                control.reopen_logs();
            }
        });
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn terminate(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn write_admin_address(args: &Args, address: SocketAddr) -> Result<(), StartError> {
    let Some(path) = &args.admin_address_path else { return Ok(()) };
    std::fs::write(path, address.to_string())
        .map_err(|source| StartError::File { path: path.display().to_string(), source })
}

/// The cores for the workers, in order; empty where the system does not say.
fn cores(args: &Args) -> Vec<core_affinity::CoreId> {
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    match &args.cpuset {
        Some(list) => list.0.iter().map(|id| core_affinity::CoreId { id: *id }).collect(),
        None => usable,
    }
}

fn bind_admin(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Listen {
        name: "admin".into(),
        address,
        source,
    })
}

/// One socket a listener and worker, all of a listener on one address.
fn bind_all(
    listeners: &[config::Listener],
    workers: usize,
) -> Result<Vec<(SocketAddr, Vec<TcpListener>)>, StartError> {
    listeners.iter().map(|listener| bind_listener(listener, workers)).collect()
}

fn bind_listener(
    listener: &config::Listener,
    workers: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
    let fail = |source| StartError::Listen {
        name: listener.name.clone(),
        address: listener.address,
        source,
    };
    let mut options =
        ListenOptions { address: listener.address, backlog: listener.tcp_backlog_size };
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = runtime::bind(&options).map_err(fail)?;
        // Port 0: the kernel has chosen; the other workers share the choice.
        options.address = socket.local_addr().map_err(fail)?;
        sockets.push(socket);
    }
    Ok((options.address, sockets))
}

/// From sockets by listener to sockets by worker.
fn transpose(
    sockets: Vec<(SocketAddr, Vec<TcpListener>)>,
    workers: usize,
) -> Vec<Vec<TcpListener>> {
    let mut per_worker: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    for (_, of_listener) in sockets {
        for (worker, socket) in per_worker.iter_mut().zip(of_listener) {
            worker.push(socket);
        }
    }
    per_worker
}

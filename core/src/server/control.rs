//! The control thread's view of the process: what admin shows and commands go through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain_config::bootstrap::Node;
use tokio::sync::{mpsc, watch};

use super::{Command, Compiled};
use crate::access_log::LogControl;
use crate::cluster::HostSet;
use crate::runtime::{Post, SendError};
use crate::stats::{HistogramCollector, HistogramReport};

/// Where the process stands, with Envoy's numbers for `server.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerState {
    /// Serving.
    Live = 0,
    /// On its way out, or told to fail health checks.
    Draining = 1,
    /// Reading its configuration.
    PreInitializing = 2,
    /// Waiting for the first discovery.
    Initializing = 3,
}

/// What the control thread shares with its tasks. Workers never see it.
#[derive(Debug)]
pub struct Control {
    /// The configuration.
    pub compiled: Arc<Compiled>,
    /// `node`, with the command line's additions.
    pub node: Node,
    /// When the process started.
    pub started: Instant,
    /// The command line, for admin `/server_info`.
    pub args: super::args::Args,
    state: watch::Sender<ServerState>,
    hosts: Vec<watch::Sender<Arc<HostSet>>>,
    posts: Vec<Post<Command>>,
    logs: LogControl,
    histograms: HistogramCollector,
    shutdown: mpsc::Sender<()>,
}

/// How often a command is offered again to a worker whose mailbox is full.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

impl Control {
    /// The control thread's state; `shutdown` is told when admin asks for the end.
    pub fn new(
        compiled: Arc<Compiled>,
        node: Node,
        args: super::args::Args,
        posts: Vec<Post<Command>>,
        logs: LogControl,
        shutdown: mpsc::Sender<()>,
    ) -> Self {
        Self {
            hosts: compiled.clusters.iter().map(|_| watch::Sender::default()).collect(),
            histograms: HistogramCollector::new(&compiled.histograms),
            compiled,
            node,
            started: Instant::now(),
            args,
            state: watch::Sender::new(ServerState::PreInitializing),
            posts,
            logs,
            shutdown,
        }
    }

    /// Where the process stands.
    pub fn state(&self) -> ServerState {
        *self.state.borrow()
    }

    /// Moves on.
    pub fn set_state(&self, state: ServerState) {
        self.state.send_replace(state);
    }

    /// The hosts of the cluster at `index` as last told to the workers.
    pub fn hosts(&self, index: usize) -> Arc<HostSet> {
        self.hosts[index].borrow().clone()
    }

    /// Tells every worker the hosts of the cluster at `index`.
    pub async fn set_hosts(&self, index: usize, hosts: Arc<HostSet>) {
        self.hosts[index].send_replace(hosts.clone());
        self.tell_all(|| Command::SetHosts { cluster: index, hosts: hosts.clone() }).await;
    }

    /// Gives every worker a command, waiting for those whose mailbox is full.
    pub async fn tell_all(&self, mut command: impl FnMut() -> Command) {
        for post in &self.posts {
            loop {
                match post.send(command()) {
                    // A worker that has ended brings the process down by itself.
                    Ok(()) | Err(SendError::Ended) => break,
                    Err(SendError::Full) => tokio::time::sleep(RETRY_PAUSE).await,
                }
            }
        }
    }

    /// All histograms, merged over the workers.
    pub async fn collect_histograms(&self) -> Arc<HistogramReport> {
        let (replies, collected): (Vec<_>, Vec<_>) =
            self.posts.iter().map(|_| tokio::sync::oneshot::channel()).unzip();
        let mut replies = replies.into_iter();
        self.tell_all(|| Command::CollectHistograms(replies.next().expect("one for each worker")))
            .await;
        self.histograms.merge(collected).await
    }

    /// Opens the access logs anew, after they were rotated.
    pub fn reopen_logs(&self) {
        self.logs.reopen();
    }

    /// Asks for the same end as SIGTERM.
    pub fn request_shutdown(&self) {
        // Full: the end was asked for before.
        let _already_asked = self.shutdown.try_send(());
    }

    /// Downstream connections of all listeners and workers.
    pub fn active_connections(&self) -> u64 {
        let listeners = self.compiled.listeners.iter();
        listeners
            .flat_map(|listener| listener.stats.iter())
            .map(|stats| stats.downstream_cx_active.value())
            .sum::<i64>()
            .max(0)
            .cast_unsigned()
    }
}

//! The sessions of one cluster: one for each of its hosts, which come and go.

use std::collections::HashMap;
use std::sync::Arc;

use ringmain_config::tls::UpstreamTlsContext;
use tokio::sync::{Notify, mpsc};

use super::HealthChecks;
use super::connection::CheckTls;
use super::session::Session;
use super::task::OwnedTask;
use crate::cluster::{Cluster, HostSet};
use crate::server::Control;

/// Has the hosts of `cluster` checked, for ever. `first` is let go of when the hosts
/// of now have been checked once.
pub async fn run(
    control: Arc<Control>,
    cluster: Arc<Cluster>,
    checks: Arc<HealthChecks>,
    first: mpsc::Sender<()>,
) {
    let index = cluster.index;
    let mut named = control.watch_hosts(index);
    let mut sources = control.watch_client_sources();
    let tls = sources.borrow_and_update()[index]
        .iter()
        .map(|source| source.clone().map(|source| CheckTls::new(source, &checks.config)))
        .collect();
    let mut sessions = Sessions {
        control: control.clone(),
        first: cluster.config.wait_for_warm_on_init.then_some(first),
        cluster,
        checks,
        tls,
        changed: Arc::default(),
        of_hosts: HashMap::new(),
    };
    let mut known = Arc::<HostSet>::default();
    loop {
        let hosts = named.borrow_and_update().clone();
        if !Arc::ptr_eq(&hosts, &known) {
            sessions.follow(&hosts);
            known = hosts;
        }
        sessions.first = None;
        tokio::select! {
            changed = named.changed() => if changed.is_err() { return },
            changed = sources.changed() => {
                if changed.is_err() { return }
                sessions.follow_tls(&sources.borrow_and_update()[index]);
            }
            // However many hosts have changed since, the workers are told once.
            () = sessions.changed.notified() => control.tell_health(index).await,
        }
    }
}

struct Sessions {
    control: Arc<Control>,
    cluster: Arc<Cluster>,
    checks: Arc<HealthChecks>,
    /// By the places of the cluster's transport sockets.
    tls: Vec<Option<CheckTls>>,
    changed: Arc<Notify>,
    first: Option<mpsc::Sender<()>>,
    /// By the id of the host.
    of_hosts: HashMap<u64, OwnedTask>,
}

impl Sessions {
    /// Ends the sessions of hosts that have left and starts those of hosts that have come.
    fn follow(&mut self, hosts: &HostSet) {
        let mut before = std::mem::take(&mut self.of_hosts);
        for host in hosts.hosts.iter().filter(|host| HealthChecks::include(host)) {
            let session = before.remove(&host.id).unwrap_or_else(|| {
                let session = Session::new(
                    self.control.clone(),
                    self.cluster.clone(),
                    self.checks.clone(),
                    host.clone(),
                    self.changed.clone(),
                    self.first.clone(),
                );
                let tls = self.tls[self.cluster.socket_place(host)].as_ref();
                OwnedTask::spawn(session.run(tls))
            });
            self.of_hosts.insert(host.id, session);
        }
    }

    /// Has checks use the certificates that are in use now.
    fn follow_tls(&mut self, sources: &[Option<Arc<UpstreamTlsContext>>]) {
        for (tls, source) in self.tls.iter_mut().zip(sources) {
            if let (Some(tls), Some(source)) = (tls, source) {
                tls.follow(source, &self.checks.config);
            }
        }
    }
}

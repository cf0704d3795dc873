//! The line of requests that wait because a limit forbids another connection.
//!
//! Every worker has a line of its own for each cluster and priority. A ticket drawn from a shared
//! counter orders the lines, so that what becomes free goes to the request that has waited longest,
//! wherever it is: to one of ours directly, to another worker by ringing its bell. As long as
//! anybody waits, a new request goes to the end of the line. A connection whose request has ended
//! serves the next of its own worker and host; it is closed for another worker only where that one
//! has none at all, or where nobody here can use it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use ringmain_config::cluster::RoutingPriority;

use super::permit::{ConnectionPermit, Limit};
use super::{Acquire, ConnectFailure, UpstreamConnection};
use crate::cluster::{Resource, WorkerCluster, WorkerHost};
use crate::runtime::Notify;
use crate::transport_socket::TransportOptions;

/// The requests of one worker, cluster and priority that wait; the longest wait first.
#[derive(Debug, Default)]
pub struct Line {
    queue: RefCell<VecDeque<Rc<Waiter>>>,
    /// Set while the line is being served, which may close connections, which serves the line.
    serving: Cell<bool>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    host: Rc<WorkerHost>,
    options: Option<Rc<TransportOptions>>,
    granted: RefCell<Option<Granted>>,
    notify: Rc<Notify>,
}

/// What ends a wait.
#[derive(Debug)]
pub enum Granted {
    /// A connection whose last request has ended.
    Connection(Box<UpstreamConnection>),
    /// The right to open one.
    Permit(ConnectionPermit),
    /// No connection to the host can be opened.
    Failed(ConnectFailure),
}

impl Line {
    /// How many wait.
    fn count(&self) -> usize {
        self.queue.borrow().len()
    }

    fn first_for(&self, host: &Rc<WorkerHost>) -> Option<Rc<Waiter>> {
        self.first_where(|waiter| Rc::ptr_eq(&waiter.host, host))
    }

    fn first_that_can_use(&self, connection: &UpstreamConnection) -> Option<Rc<Waiter>> {
        self.first_where(|waiter| {
            Rc::ptr_eq(&waiter.host, connection.host()) && waiter.options == *connection.options()
        })
    }

    fn first_where(&self, fits: impl Fn(&Waiter) -> bool) -> Option<Rc<Waiter>> {
        self.queue.borrow().iter().find(|waiter| fits(waiter)).cloned()
    }
}

/// A request's place in the line, until dropped.
#[derive(Debug)]
pub struct Waiting<'a> {
    cluster: &'a Rc<WorkerCluster>,
    priority: RoutingPriority,
    waiter: Rc<Waiter>,
}

impl<'a> Waiting<'a> {
    /// Goes to the end of the line; `notify` is told when there may be something in [`Self::take`].
    pub fn enter(
        cluster: &'a Rc<WorkerCluster>,
        host: &Rc<WorkerHost>,
        asked: &Acquire<'_>,
        notify: Rc<Notify>,
    ) -> Self {
        let priority = asked.priority;
        let breakers = &cluster.shared.breakers;
        let waiter = Rc::new(Waiter {
            ticket: breakers.draw_ticket(priority),
            host: host.clone(),
            options: asked.options.clone(),
            granted: RefCell::default(),
            notify,
        });
        cluster.line(priority).queue.borrow_mut().push_back(waiter.clone());
        publish_first(cluster, priority);
        host.shared.enter_line();
        if breakers.enter_line(priority) == 0 || breakers.counts_hosts() {
            // The others' idle connections are worth less than this request. Who comes later need
            // not ring: a connection that ends a request while somebody waits does not stay idle.
            // With limits by host that holds for the hosts that are waited for only.
            ring_holders(cluster, priority);
        }
        serve(cluster, priority);
        Self { cluster, priority, waiter }
    }

    /// What was granted, if anything was.
    pub fn take(&self) -> Option<Granted> {
        self.waiter.granted.take()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let was_first = self.cluster.shared.breakers.first_in_line(self.priority);
        if leave(self.cluster, self.priority, &self.waiter)
            && was_first == Some(self.cluster.worker)
        {
            // What was meant for this request may already be free, and nobody else was told.
            pass_on(self.cluster, &self.waiter.host, self.priority);
        }
    }
}

/// Takes `waiter` out of the line. False where it was out already.
fn leave(cluster: &Rc<WorkerCluster>, priority: RoutingPriority, waiter: &Waiter) -> bool {
    let mut queue = cluster.line(priority).queue.borrow_mut();
    let Ok(index) = queue.binary_search_by_key(&waiter.ticket, |other| other.ticket) else {
        return false;
    };
    queue.remove(index);
    drop(queue);
    waiter.host.shared.leave_line();
    cluster.shared.breakers.leave_line(priority);
    publish_first(cluster, priority);
    true
}

fn grant(
    cluster: &Rc<WorkerCluster>,
    priority: RoutingPriority,
    waiter: &Rc<Waiter>,
    granted: Granted,
) {
    leave(cluster, priority, waiter);
    waiter.granted.replace(Some(granted));
    waiter.notify.notify();
}

fn publish_first(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) {
    let first = cluster.line(priority).queue.borrow().front().map(|waiter| waiter.ticket);
    cluster.shared.breakers.publish_first(cluster.worker, priority, first);
}

/// Gives the requests of this worker what the limits allow, in order.
fn serve(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) {
    let line = cluster.line(priority);
    if line.serving.replace(true) {
        return;
    }
    // Waiters whose host has all the connections it may have are passed over.
    let mut passed_over = 0;
    loop {
        let next = line.queue.borrow().get(passed_over).cloned();
        let Some(waiter) = next else { break };
        match ConnectionPermit::try_take(cluster, &waiter.host, priority) {
            Ok(permit) => grant(cluster, priority, &waiter, Granted::Permit(permit)),
            Err(Limit::Host) => passed_over += 1,
            Err(Limit::Cluster) if cluster.close_one_idle(priority) => {}
            Err(Limit::Cluster) => break,
        }
    }
    line.serving.set(false);
}

/// A connection or a place for one has become free: the longest wait ends.
pub fn pass_on(cluster: &Rc<WorkerCluster>, host: &Rc<WorkerHost>, priority: RoutingPriority) {
    let breakers = &cluster.shared.breakers;
    if host.shared.waiting() > 0 && breakers.counts_hosts() {
        return RoutingPriority::ALL
            .into_iter()
            .for_each(|priority| call_everybody(cluster, priority));
    }
    if breakers.waiting(priority) == 0 {
        return;
    }
    match breakers.first_in_line(priority) {
        Some(worker) if worker == cluster.worker => serve(cluster, priority),
        Some(worker) => cluster.bells.ring(worker, &cluster.shared),
        None => {}
    }
}

fn call_everybody(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) {
    let breakers = &cluster.shared.breakers;
    for worker in breakers.workers().filter(|worker| breakers.waits(*worker, priority)) {
        if worker == cluster.worker {
            serve(cluster, priority);
        } else {
            cluster.bells.ring(worker, &cluster.shared);
        }
    }
}

fn ring_holders(cluster: &Rc<WorkerCluster>, priority: RoutingPriority) {
    let breakers = &cluster.shared.breakers;
    let others = breakers.workers().filter(|worker| *worker != cluster.worker);
    for worker in others.filter(|worker| breakers.connections(*worker, priority) > 0) {
        cluster.bells.ring(worker, &cluster.shared);
    }
}

/// Another worker has rung: serves our line, and gives idle connections up for requests that wait
/// elsewhere.
pub fn look(cluster: &Rc<WorkerCluster>) {
    let breakers = &cluster.shared.breakers;
    for priority in RoutingPriority::ALL {
        if breakers.waiting(priority) == 0 {
            continue;
        }
        serve(cluster, priority);
        let ours = u32::try_from(cluster.line(priority).count()).unwrap_or(u32::MAX);
        let elsewhere = breakers.waiting(priority).saturating_sub(ours);
        let is_spent = || breakers.remaining(priority, Resource::Connections) == 0;
        for _ in 0..elsewhere {
            if !is_spent() || !cluster.close_one_idle(priority) {
                break;
            }
        }
        if breakers.counts_hosts() {
            cluster.close_idle_waited_for();
        }
        let first = breakers.first_in_line(priority);
        if let Some(worker) = first.filter(|worker| *worker != cluster.worker)
            && !is_spent()
            && !breakers.counts_hosts()
        {
            cluster.bells.ring(worker, &cluster.shared);
        }
    }
}

/// A connection whose request has ended: for the next of the line that can use it, or idle.
pub fn offer(connection: Box<UpstreamConnection>) {
    let (cluster, host) = (connection.cluster_rc().clone(), connection.host().clone());
    let priority = connection.priority();
    let breakers = &cluster.shared.breakers;
    if breakers.waiting(priority) == 0 {
        return host.idle(priority).put(connection);
    }
    let host_is_full = breakers.counts_hosts() && host.shared.waiting() > 0;
    let is_scarce = host_is_full || breakers.remaining(priority, Resource::Connections) == 0;
    if is_scarce && is_owed_elsewhere(&cluster, &host, priority, host_is_full) {
        connection.close_locally();
        return;
    }
    match cluster.line(priority).first_that_can_use(&connection) {
        Some(waiter) => grant(&cluster, priority, &waiter, Granted::Connection(connection)),
        None if is_scarce => connection.close_locally(),
        None => host.idle(priority).put(connection),
    }
}

/// Whether another worker has a better claim: it waits longest and has no connection, or it waits
/// for the same host, which then alternates.
fn is_owed_elsewhere(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    priority: RoutingPriority,
    host_is_full: bool,
) -> bool {
    let breakers = &cluster.shared.breakers;
    if host_is_full {
        return host.alternate();
    }
    breakers.first_in_line(priority).is_some_and(|worker| {
        worker != cluster.worker && breakers.connections(worker, priority) == 0
    })
}

/// A connection to `host` could not be opened: whoever waits for it would wait in vain.
pub fn eject(
    cluster: &Rc<WorkerCluster>,
    host: &Rc<WorkerHost>,
    priority: RoutingPriority,
    failure: &ConnectFailure,
) {
    while let Some(waiter) = cluster.line(priority).first_for(host) {
        cluster.stats().upstream_rq_pending_failure_eject.inc();
        grant(cluster, priority, &waiter, Granted::Failed(failure.clone()));
    }
}

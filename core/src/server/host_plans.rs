//! The hosts of one cluster on the control thread: what discovery has named, and the plan that the
//! workers were told.
//!
//! Plans are made one at a time, each of what is newest when it begins. Whoever asks for one while
//! another is being made shares the next with all who ask meanwhile, and between two there is a rest:
//! however many hosts change, the workers are told but now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use crate::cluster::{HostSet, ToldHosts};
use crate::load_balancer::Plan;

/// See the module.
#[derive(Debug, Default)]
pub struct HostPlans {
    newest: watch::Sender<Arc<HostSet>>,
    told: watch::Sender<Arc<ToldHosts>>,
    /// How often a plan was asked for.
    asked: AtomicU64,
    turns: Mutex<Turns>,
}

#[derive(Debug, Default)]
struct Turns {
    /// How many of `asked` are answered.
    answered: u64,
    /// When the next plan may begin, if that is later than now.
    rested: Option<Instant>,
}

/// The right to make the next plan. Where it is dropped, the next in line has it.
#[derive(Debug)]
pub struct Turn<'a> {
    of: &'a HostPlans,
    turns: MutexGuard<'a, Turns>,
    answers: u64,
    begun: Instant,
    hosts: Arc<HostSet>,
}

/// A worker takes about as long for a host.
const REST_PER_HOST: Duration = Duration::from_micros(10);
/// Making plans takes a quarter of a core at most.
const REST_PER_PLAN: u32 = 3;
const REST_MAX: Duration = Duration::from_secs(1);

impl HostPlans {
    /// The hosts as discovery has last named them.
    pub fn newest(&self) -> Arc<HostSet> {
        self.newest.borrow().clone()
    }

    /// The same, to be told of changes.
    pub fn watch(&self) -> watch::Receiver<Arc<HostSet>> {
        self.newest.subscribe()
    }

    /// Discovery names others; a plan for them is yet to be asked for.
    pub fn set_newest(&self, hosts: Arc<HostSet>) {
        self.newest.send_replace(hosts);
    }

    /// What the workers were last told.
    pub fn told(&self) -> Arc<ToldHosts> {
        self.told.borrow().clone()
    }

    /// Waits until a plan may be made; `None` where one was made meanwhile that began after this was
    /// asked.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let turns = self.turns.lock().await;
        if turns.answered >= asked {
            return None;
        }
        if let Some(rested) = turns.rested.filter(|rested| *rested > Instant::now()) {
            tokio::time::sleep_until(rested).await;
        }
        let answers = self.asked.load(Ordering::Relaxed);
        Some(Turn { of: self, turns, answers, begun: Instant::now(), hosts: self.newest() })
    }
}

impl Turn<'_> {
    /// Whom the plan is for.
    pub fn hosts(&self) -> &Arc<HostSet> {
        &self.hosts
    }

    /// The plan is `plan`; what the workers are to be told, and what they knew.
    pub fn finish(mut self, plan: Plan) -> [Arc<ToldHosts>; 2] {
        let hosts = u32::try_from(self.hosts.hosts.len()).unwrap_or(u32::MAX);
        let rest = (self.begun.elapsed() * REST_PER_PLAN).max(REST_PER_HOST * hosts);
        self.turns.rested = Some(Instant::now() + rest.min(REST_MAX));
        self.turns.answered = self.answers;
        let told = Arc::new(ToldHosts { hosts: self.hosts, plan: Arc::new(plan) });
        [told.clone(), self.of.told.send_replace(told)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_meanwhile_shares_one_plan() {
        let plans = Arc::new(HostPlans::default());
        let first = plans.turn().await.expect("nobody else has it");
        let askers: Vec<_> = (0..1000)
            .map(|_| {
                let plans = plans.clone();
                tokio::spawn(async move {
                    let Some(turn) = plans.turn().await else { return 0 };
                    turn.finish(Plan::default());
                    1
                })
            })
            .collect();
        tokio::task::yield_now().await;
        first.finish(Plan::default());
        let mut made = 0;
        for asker in askers {
            made += asker.await.expect("no panic");
        }
        assert_eq!(made, 1);
    }

    #[tokio::test]
    async fn a_plan_is_of_the_newest_hosts() {
        let plans = HostPlans::default();
        let first = plans.turn().await.expect("nobody else has it");
        let newer = Arc::new(HostSet::default());
        plans.set_newest(newer.clone());
        let [told, before] = first.finish(Plan::default());
        assert!(!Arc::ptr_eq(&told.hosts, &newer), "these were not known when it began");
        assert!(!Arc::ptr_eq(&told, &before));
        let second = plans.turn().await.expect("it is asked for anew");
        assert!(Arc::ptr_eq(second.hosts(), &newer));
    }

    #[tokio::test]
    async fn who_leaves_the_line_hinders_nobody() {
        let plans = HostPlans::default();
        drop(plans.turn().await);
        let [told, _] = plans.turn().await.expect("nothing was made").finish(Plan::default());
        assert!(Arc::ptr_eq(&told, &plans.told()));
    }
}

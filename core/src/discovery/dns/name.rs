//! One name: look-ups of its addresses, and of services where the file gives no port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::ResolveError;
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::proto::ProtoErrorKind;
use hickory_resolver::proto::op::ResponseCode;
use ringmain_config::cluster::DnsOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::pace::Pace;
use super::resolver::Resolver;
use crate::cluster::Cluster;

/// What to look up.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) host: String,
    /// 0: the name's SRV records say the hosts and their ports (RFC 2782).
    pub(super) port: u16,
}

/// An address that a name has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) address: SocketAddr,
    /// How many priorities the service has that are asked before this one.
    pub(super) rank: u32,
    /// The weight that the service says.
    pub(super) weight: Option<u32>,
}

impl Found {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { address, rank: 0, weight: None }
    }
}

/// What one look-up came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Addresses in the order of the answer.
    Found(Looked),
    /// The name does not exist or has no address.
    Empty,
    Failed,
}

/// What a look-up has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) found: Vec<Found>,
    /// How long it holds.
    pub(super) ttl: Duration,
    /// Of two families asked for, the one whose look-up has failed.
    pub(super) failed: Option<Family>,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Whether `found` is of it.
    pub(super) fn has(self, found: &Found) -> bool {
        found.address.is_ipv6() == (self == Self::V6)
    }
}

/// Looks `name` up again and again; sends what comes of it with the number `at`.
pub(super) async fn look_up_for_ever(
    at: usize,
    name: Name,
    resolver: Resolver,
    options: Arc<DnsOptions>,
    cluster: Arc<Cluster>,
    answers: mpsc::Sender<(usize, Answer)>,
) {
    let mut pace = Pace::new(&options);
    loop {
        cluster.discovery.update_attempt.inc();
        let answer = name.look_up(&resolver).await;
        let ttl = match &answer {
            Answer::Found(looked) => Some(looked.ttl),
            Answer::Empty => Some(Duration::ZERO),
            Answer::Failed => None,
        };
        let wait = pace.after(ttl, rand::random());
        if answers.send((at, answer)).await.is_err() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}

impl Name {
    async fn look_up(&self, resolver: &Resolver) -> Answer {
        let looked = match self.port {
            0 => services(&self.host, resolver).await,
            port => addresses(&self.host, port, resolver).await,
        };
        let name = &self.host;
        match looked {
            Ok(looked) if !looked.found.is_empty() => Answer::Found(looked),
            Ok(_) => self.empty(),
            Err(error) if says_there_are_none(&error) => self.empty(),
            Err(error) => {
                tracing::warn!(name, %error, "DNS look-up failed; its last hosts stay");
                Answer::Failed
            }
        }
    }

    fn empty(&self) -> Answer {
        tracing::warn!(name = self.host, "DNS has no address for the name; its last hosts stay");
        Answer::Empty
    }
}

async fn addresses(host: &str, port: u16, resolver: &Resolver) -> Result<Looked, ResolveError> {
    let Some(v6) = &resolver.v6 else {
        let answer = resolver.main.lookup_ip(host).await?;
        return Ok(looked([answer], port, None));
    };
    match tokio::join!(resolver.main.lookup_ip(host), v6.lookup_ip(host)) {
        (Ok(v4), Ok(v6)) => Ok(looked([v4, v6], port, None)),
        (Ok(v4), Err(error)) => Ok(looked([v4], port, failed(Family::V6, &error))),
        (Err(error), Ok(v6)) => Ok(looked([v6], port, failed(Family::V4, &error))),
        (Err(v4), Err(v6)) => Err(if says_there_are_none(&v4) { v6 } else { v4 }),
    }
}

fn failed(family: Family, error: &ResolveError) -> Option<Family> {
    (!says_there_are_none(error)).then_some(family)
}

fn looked<const N: usize>(answers: [LookupIp; N], port: u16, failed: Option<Family>) -> Looked {
    let ttl = answers.iter().map(|answer| holds_for(answer.valid_until())).min();
    let ips = answers.iter().flat_map(LookupIp::iter);
    let found = ips.map(|ip| Found::at(SocketAddr::new(ip, port))).collect();
    Looked { found, ttl: ttl.unwrap_or_default(), failed }
}

/// The addresses of all targets. One that has none is left out; one that cannot be looked up makes
/// the whole answer none.
async fn services(name: &str, resolver: &Resolver) -> Result<Looked, ResolveError> {
    let answer = resolver.main.srv_lookup(name).await?;
    let mut all = Looked { ttl: holds_for(answer.as_lookup().valid_until()), ..Looked::default() };
    let mut ranks: Vec<u16> = answer.iter().map(|service| service.priority()).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let mut targets = JoinSet::new();
    for service in answer.iter() {
        let (resolver, service) = (resolver.clone(), service.clone());
        let rank = ranks.partition_point(|rank| *rank < service.priority());
        let rank = u32::try_from(rank).unwrap_or(u32::MAX);
        targets.spawn(async move {
            let weight = Some(u32::from(service.weight()));
            let (target, port) = (service.target().to_utf8(), service.port());
            let mut looked = addresses(&target, port, &resolver).await?;
            for found in &mut looked.found {
                (found.rank, found.weight) = (rank, weight);
            }
            Ok::<_, ResolveError>(looked)
        });
    }
    while let Some(target) = targets.join_next().await {
        match target {
            Ok(Ok(looked)) => {
                all.found.extend(looked.found);
                all.ttl = all.ttl.min(looked.ttl);
                all.failed = all.failed.or(looked.failed);
            }
            Ok(Err(error)) if says_there_are_none(&error) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err("a look-up was given up".into()),
        }
    }
    Ok(all)
}

/// A server that fails has no records to tell either, which says nothing of the name.
fn says_there_are_none(error: &ResolveError) -> bool {
    let code = error.proto().and_then(|error| match error.kind() {
        ProtoErrorKind::NoRecordsFound { response_code, .. } => Some(*response_code),
        _ => None,
    });
    matches!(code, Some(ResponseCode::NoError | ResponseCode::NXDomain))
}

fn holds_for(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

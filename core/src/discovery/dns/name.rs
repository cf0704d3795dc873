//! One name: look-ups of its addresses, and of services where the file gives no port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::proto::ProtoErrorKind;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::{ResolveError, TokioResolver};
use ringmain_config::cluster::DnsOptions;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::pace::Pace;
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
    Found {
        found: Vec<Found>,
        /// How long it holds.
        ttl: Duration,
    },
    /// The name does not exist or has no address.
    Empty,
    Failed,
}

/// Looks `name` up again and again; sends what comes of it with the number `at`.
pub(super) async fn look_up_for_ever(
    at: usize,
    name: Name,
    resolver: TokioResolver,
    options: Arc<DnsOptions>,
    cluster: Arc<Cluster>,
    answers: mpsc::Sender<(usize, Answer)>,
) {
    let mut pace = Pace::new(&options);
    loop {
        cluster.discovery.update_attempt.inc();
        let answer = name.look_up(&resolver).await;
        let ttl = match &answer {
            Answer::Found { ttl, .. } => Some(*ttl),
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
    async fn look_up(&self, resolver: &TokioResolver) -> Answer {
        let found = match self.port {
            0 => services(&self.host, resolver).await,
            port => addresses(&self.host, port, resolver).await,
        };
        let name = &self.host;
        match found {
            Ok((found, ttl)) if !found.is_empty() => Answer::Found { found, ttl },
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

type Addresses = Result<(Vec<Found>, Duration), ResolveError>;

async fn addresses(host: &str, port: u16, resolver: &TokioResolver) -> Addresses {
    let answer = resolver.lookup_ip(host).await?;
    let found = answer.iter().map(|ip| Found::at(SocketAddr::new(ip, port)));
    Ok((found.collect(), holds_for(answer.valid_until())))
}

/// The addresses of all targets. One that has none is left out; one that cannot be looked up makes
/// the whole answer none.
async fn services(name: &str, resolver: &TokioResolver) -> Addresses {
    let answer = resolver.srv_lookup(name).await?;
    let mut ttl = holds_for(answer.as_lookup().valid_until());
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
            let found = addresses(&service.target().to_utf8(), service.port(), &resolver).await;
            found.map(|(found, ttl)| {
                let ranked = found.into_iter().map(|found| Found { rank, weight, ..found });
                (ranked.collect::<Vec<_>>(), ttl)
            })
        });
    }
    let mut all = Vec::new();
    while let Some(target) = targets.join_next().await {
        match target {
            Ok(Ok((found, of_target))) => {
                all.extend(found);
                ttl = ttl.min(of_target);
            }
            Ok(Err(error)) if says_there_are_none(&error) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err("a look-up was given up".into()),
        }
    }
    Ok((all, ttl))
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

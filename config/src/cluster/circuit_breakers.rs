//! Limits on what a cluster is given at once (`envoy.config.cluster.v3.CircuitBreakers`).

use envoy_types::pb::envoy::config::cluster::v3 as wire;
use envoy_types::pb::envoy::config::core::v3 as core;
use wire::circuit_breakers::thresholds;

use crate::report::At;

/// `envoy.config.core.v3.RoutingPriority`: which thresholds a request counts towards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoutingPriority {
    /// `DEFAULT`.
    #[default]
    Default = 0,
    /// `HIGH`.
    High = 1,
}

impl RoutingPriority {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Default, Self::High];

    /// From the wire's value.
    pub(crate) fn from_wire(wire: core::RoutingPriority) -> Self {
        match wire {
            core::RoutingPriority::Default => Self::Default,
            core::RoutingPriority::High => Self::High,
        }
    }
}

/// `envoy.config.cluster.v3.CircuitBreakers`, by routing priority. The runtime keys
/// `circuit_breakers.<cluster>.<priority>.<field>` go before what is configured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CircuitBreakers {
    /// Priority DEFAULT.
    pub default: Thresholds,
    /// Priority HIGH.
    pub high: Thresholds,
}

/// `envoy.config.cluster.v3.CircuitBreakers.Thresholds`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// `max_connections`, default 1024.
    pub max_connections: u32,
    /// `max_pending_requests`, default 1024.
    pub max_pending_requests: u32,
    /// `max_requests`, default 1024.
    pub max_requests: u32,
    /// `max_retries`, default 3. Without effect beside `retry_budget`.
    pub max_retries: u32,
    /// `retry_budget`.
    pub retry_budget: Option<RetryBudget>,
    /// `track_remaining`, default false.
    pub track_remaining: bool,
    /// `per_host_thresholds.max_connections`, default unlimited.
    pub max_connections_per_host: Option<u32>,
}

/// `envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget`: how many retries may run
/// beside the requests that run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// `budget_percent` of the active and pending requests, default 20.
    pub budget_percent: f64,
    /// `min_retry_concurrency`, default 3.
    pub min_retry_concurrency: u32,
}

const BUDGET_PERCENT: f64 = 20.0;
const MIN_RETRY_CONCURRENCY: u32 = 3;

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_pending_requests: 1024,
            max_requests: 1024,
            max_retries: 3,
            retry_budget: None,
            track_remaining: false,
            max_connections_per_host: None,
        }
    }
}

impl CircuitBreakers {
    /// The thresholds of `priority`.
    pub fn of(&self, priority: RoutingPriority) -> &Thresholds {
        match priority {
            RoutingPriority::Default => &self.default,
            RoutingPriority::High => &self.high,
        }
    }

    /// Reads the field `circuit_breakers` of `cluster`.
    pub(super) fn from_wire(cluster: &wire::Cluster, at: &At<'_>) -> Self {
        let wire = cluster.circuit_breakers.as_ref();
        let thresholds = |priority: core::RoutingPriority| {
            // Of several for one priority, Envoy takes the first.
            let of_priority = |list: &[wire::circuit_breakers::Thresholds]| {
                list.iter().find(|thresholds| thresholds.priority() == priority).cloned()
            };
            let general = wire.and_then(|wire| of_priority(&wire.thresholds));
            let per_host = wire.and_then(|wire| of_priority(&wire.per_host_thresholds));
            let general = general.map(|general| Thresholds::from_wire(&general));
            Thresholds {
                max_connections_per_host: per_host
                    .and_then(|per_host| per_host.max_connections)
                    .map(|max| max.value),
                ..general.unwrap_or_default().with_runtime(&cluster.name, priority, at)
            }
        };
        Self {
            default: thresholds(core::RoutingPriority::Default),
            high: thresholds(core::RoutingPriority::High),
        }
    }
}

impl Thresholds {
    fn from_wire(wire: &wire::circuit_breakers::Thresholds) -> Self {
        let default = Self::default();
        Self {
            max_connections: wire.max_connections.map_or(default.max_connections, |max| max.value),
            max_pending_requests: wire
                .max_pending_requests
                .map_or(default.max_pending_requests, |max| max.value),
            max_requests: wire.max_requests.map_or(default.max_requests, |max| max.value),
            max_retries: wire.max_retries.map_or(default.max_retries, |max| max.value),
            retry_budget: wire.retry_budget.as_ref().map(RetryBudget::from_wire),
            track_remaining: wire.track_remaining,
            max_connections_per_host: None,
        }
    }

    /// Puts what the runtime says of the cluster `name` in place of what is configured.
    fn with_runtime(self, name: &str, priority: core::RoutingPriority, at: &At<'_>) -> Self {
        let runtime = at.runtime();
        let priority = priority.as_str_name().to_ascii_lowercase();
        let key = |field: &str| format!("circuit_breakers.{name}.{priority}.{field}");
        let or = |field, configured| runtime.integer_u32(&key(field)).unwrap_or(configured);
        let (percent, concurrency) =
            (key("retry_budget.budget_percent"), key("retry_budget.min_retry_concurrency"));
        let mut retry_budget = self.retry_budget;
        if runtime.has(&percent) || runtime.has(&concurrency) {
            let budget = retry_budget.unwrap_or_default();
            retry_budget = Some(RetryBudget {
                budget_percent: runtime.double(&percent).unwrap_or(budget.budget_percent),
                min_retry_concurrency: runtime
                    .integer_u32(&concurrency)
                    .unwrap_or(budget.min_retry_concurrency),
            });
        }
        Self {
            max_connections: or("max_connections", self.max_connections),
            max_pending_requests: or("max_pending_requests", self.max_pending_requests),
            max_requests: or("max_requests", self.max_requests),
            max_retries: or("max_retries", self.max_retries),
            retry_budget,
            ..self
        }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { budget_percent: BUDGET_PERCENT, min_retry_concurrency: MIN_RETRY_CONCURRENCY }
    }
}

impl RetryBudget {
    fn from_wire(wire: &thresholds::RetryBudget) -> Self {
        let default = Self::default();
        Self {
            budget_percent: wire
                .budget_percent
                .map_or(default.budget_percent, |percent| percent.value),
            min_retry_concurrency: wire
                .min_retry_concurrency
                .map_or(default.min_retry_concurrency, |min| min.value),
        }
    }
}

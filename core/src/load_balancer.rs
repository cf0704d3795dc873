//! Load balancers: rules over indices that know neither connections nor sockets. The control thread
//! works out a [`Plan`] for each change of a cluster's hosts; each worker has a [`Balancer`] that
//! picks by it. A pick costs the same for one host and for thousands, and allocates nothing.

mod balancer;
mod edf;
mod hash_table;
mod maglev;
mod member;
mod murmur_hash;
mod plan;
mod priority_load;
mod ring_hash;
mod subset;
#[cfg(test)]
mod tests;
mod zone_aware;

pub use balancer::{Balancer, Hosts, Pick};
pub use hash_table::TableSizes;
pub use member::{Health, Member};
pub use plan::{Plan, PlanContext, count_members};
pub use priority_load::{Distribution, LevelCounts, PriorityLoad};
pub use subset::Subsets;
pub use zone_aware::LocalCluster;

pub use crate::stats::scopes::LbStats;

//! One configuration and one conversation through Envoy and through ringmain, compared.
//!
//! A test gives a list of [`Case`]s. They become one configuration with a listener, a cluster and
//! an access log per case, so that each proxy starts once per list and no case sees another's
//! connections or counters. What comes out per case is an [`Observation`]: the bytes the client
//! received, those the upstream received, the access-log lines and chosen stats.
//!
//! Two variables help while writing cases: `PARITY_CASE=name` runs that case alone, `PARITY_SHOW=1`
//! prints what Envoy does and runs nothing else.

mod bootstrap;
mod case;
mod observation;
mod rig;
mod stats;

pub use case::{Case, case};
pub use observation::Observation;
pub use rig::{compare, observe};

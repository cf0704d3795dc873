//! The process: arguments, start-up, workers, the control thread, drain and signals.

pub mod args;
mod cgroup;
pub mod compiled;
mod configuration;
pub mod connection_ids;
mod control;
mod demo;
mod descriptors;
mod drain;
mod host_plans;
pub mod log;
pub mod overload;
mod signals;
mod sockets;
pub mod startup;
mod tls_upkeep;
mod upkeep;
mod worker;

pub use compiled::{ClusterNames, Compiled, Dispatcher};
pub use configuration::read_configuration;
pub use control::{Boot, Control, ServerState};
pub use descriptors::Descriptors;
pub use drain::drain_listeners;
pub use sockets::ListeningSocket;
pub use worker::{Command, Worker, WorkerSeed, run_worker};

//! ringmain: a reverse proxy that reads Envoy v3 configuration.
//!
//! The folders in the order of a request: a [`listener`] takes a connection, a [`transport_socket`]
//! makes plain bytes of it, [`network`] moves them where they are not HTTP, [`http`]
//! reads a request from them, the [`router`] finds its route, a [`cluster`] and its [`load_balancer`]
//! name a host, the [`pool`] has a connection to it, and the response goes back the same way. Beside
//! the path: [`server`] starts and ends it all, [`runtime`] is the ground every worker stands on,
//! [`discovery`] finds hosts, [`health_check`] asks them how they are, [`outlier_detection`] sees it by their answers, [`budget`] counts what all workers share, [`token_bucket`] how fast,
//! [`rbac`] tells who may, [`stats`], [`access_log`] and [`admin`] tell what happened, and
//! [`route_check`] tells what would happen.

pub mod access_log;
pub mod admin;
pub mod budget;
pub mod cluster;
pub mod config_command;
pub mod discovery;
pub mod health_check;
pub mod http;
pub mod ip_text;
pub mod listener;
pub mod load_balancer;
pub mod network;
pub mod outlier_detection;
pub mod pool;
pub mod random;
pub mod rbac;
pub mod route_check;
pub mod router;
pub mod runtime;
pub mod server;
pub mod stats;
pub mod token_bucket;
pub mod transport_socket;

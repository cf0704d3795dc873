//! Reads an Envoy v3 bootstrap and yields checked, plain values.
//!
//! The way of a file: `text` (a tree with places, read by the schema) -> `wire` (Envoy's own messages) ->
//! `field_rules` (the validation rules Envoy's schema carries) -> `support` (what ringmain does) ->
//! the model below. A parsed value is legal: nothing downstream checks it again. The model keeps
//! Envoy's field names, so an error reads like the user's own file.

pub mod access_log;
pub mod address;
pub mod aws;
pub mod bootstrap;
pub mod cloud_map_cluster;
pub mod cluster;
pub mod connection_keepalive;
pub mod ecs_cluster;
pub mod filter_chain;
pub mod filter_chain_match;
pub mod fraction;
pub mod header_key_format;
pub mod header_mutation;
pub mod http2_protocol_options;
pub mod http_connection_manager;
pub mod http_filter;
pub mod listen_socket;
pub mod listener;
pub mod listener_filter;
pub mod local_reply_config;
pub mod locality;
pub mod match_criteria;
pub mod matcher;
pub mod metadata;
pub mod network_filter;
pub mod number;
pub mod original_ip_detection;
pub mod overload;
pub mod proxy_protocol;
pub mod rbac;
pub mod route;
pub mod runtime;
pub mod socket_option;
pub mod substitution_format;
pub mod tcp_proxy;
pub mod tls;
pub mod token_bucket;
pub mod transport_socket;
pub mod upgrade_configs;

mod check;
mod cluster_names;
mod data_source;
mod dump;
mod duration;
mod effective;
mod error;
mod field_rules;
mod header_name;
mod load;
mod place;
mod report;
mod schema;
mod support;
mod text;
mod text_fault;
mod wire;

pub use crate::error::{Diagnostic, Excerpt, LoadError, Severity};
pub use crate::load::{LoadOptions, Loaded, decode, effective_yaml, load, written_json};
pub use crate::schema::{FieldShape, Schema};
pub use crate::support::{Support, default_values, supported_fields, supported_messages};
pub use crate::text_fault::TextFault;

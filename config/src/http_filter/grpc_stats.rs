//! `envoy.extensions.filters.http.grpc_stats.v3`.

use std::collections::{HashMap, HashSet};

use envoy_types::pb::envoy::extensions::filters::http::grpc_stats::v3 as wire;
use wire::filter_config::PerMethodStatSpecifier;

use crate::report::{At, Note};

/// `envoy.extensions.filters.http.grpc_stats.v3.FilterConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrpcStats {
    /// `emit_filter_state`, default false: access logs may show how many messages there were.
    pub emit_filter_state: bool,
    /// Which methods are counted apart.
    pub methods: NamedMethods,
}

/// Which methods of gRPC have stats of their own name; all others share those without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedMethods {
    /// `stats_for_all_methods: true`.
    All {
        /// `replace_dots_in_grpc_service_name`, default false.
        replace_dots: bool,
    },
    /// `individual_method_stats_allowlist`, methods by service; none by default.
    Listed(HashMap<String, HashSet<String>>),
}

impl GrpcStats {
    pub(super) fn from_wire(wire: &wire::FilterConfig, at: &At<'_>) -> Self {
        let methods = match &wire.per_method_stat_specifier {
            Some(PerMethodStatSpecifier::StatsForAllMethods(all)) if all.value => {
                NamedMethods::All { replace_dots: wire.replace_dots_in_grpc_service_name }
            }
            Some(PerMethodStatSpecifier::IndividualMethodStatsAllowlist(list)) => {
                let mut listed: HashMap<_, HashSet<_>> = HashMap::new();
                for service in &list.services {
                    let methods = service.method_names.iter().cloned();
                    listed.entry(service.name.clone()).or_default().extend(methods);
                }
                NamedMethods::Listed(listed)
            }
            _ => NamedMethods::Listed(HashMap::new()),
        };
        if wire.replace_dots_in_grpc_service_name && !matches!(methods, NamedMethods::All { .. }) {
            at.field("replace_dots_in_grpc_service_name").warn(
                Note::from("no effect without 'stats_for_all_methods: true', as in Envoy")
                    .help("set 'stats_for_all_methods: true', or remove it"),
            );
        }
        Self { emit_filter_state: wire.emit_filter_state, methods }
    }
}

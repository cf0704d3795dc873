//! `scoped_routes`: which route configuration a request uses, by what its headers say.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as wire;
use route::scoped_route_configuration::key::fragment::Type as KeyType;
use wire::scoped_routes::ConfigSpecifier;
use wire::scoped_routes::scope_key_builder::FragmentBuilder;
use wire::scoped_routes::scope_key_builder::fragment_builder::Type;
use wire::scoped_routes::scope_key_builder::fragment_builder::header_value_extractor::ExtractType;

use super::{RouteConfiguration, TakenFromHosts};
use crate::cluster_names::ClusterNames;
use crate::http_filter::HttpFilter;
use crate::matcher::looked_up_name;
use crate::report::{At, Note};

/// `envoy.extensions.filters.network.http_connection_manager.v3.ScopedRoutes`.
#[derive(Debug, Clone)]
pub struct ScopedRoutes {
    /// `scope_key_builder.fragments`: together they are a request's key.
    pub fragments: Vec<HeaderValueExtractor>,
    /// `scoped_route_configurations_list`; keys are unique.
    pub scopes: Vec<Scope>,
}

/// One part of a key: all or an element of the first line of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValueExtractor {
    /// `name`, lower case.
    pub name: String,
    /// `element_separator`; empty where the value is one element.
    pub element_separator: String,
    /// `index` or `element`.
    pub extract: Extract,
}

/// Which element counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extract {
    /// `index`: the element at this place, from 0.
    Index(usize),
    /// `element`: what follows the separator in the first element that has this key before it.
    Element {
        /// `key`.
        key: String,
        /// `separator`.
        separator: String,
    },
}

/// `envoy.config.route.v3.ScopedRouteConfiguration`.
#[derive(Debug, Clone)]
pub struct Scope {
    /// `name`.
    pub name: String,
    /// `key.fragments`.
    pub key: Vec<String>,
    /// `route_configuration`.
    pub route_configuration: RouteConfiguration,
}

impl ScopedRoutes {
    pub(crate) fn from_wire(
        wire: &wire::ScopedRoutes,
        clusters: &ClusterNames<'_>,
        filters: &[HttpFilter],
        taken: TakenFromHosts,
        at: &At<'_>,
    ) -> Option<Self> {
        if wire.rds_config_source.is_none() {
            at.error_at_key(
                Note::from("'rds_config_source' is required, though inline routes do not use it")
                    .help("write rds_config_source: { ads: {} }"),
            );
        }
        let fragments = wire.scope_key_builder.as_ref().map(|builder| {
            let at = at.field("scope_key_builder");
            let at = at.field("fragments");
            let fragments = builder.fragments.iter().enumerate();
            fragments
                .filter_map(|(index, fragment)| {
                    HeaderValueExtractor::from_wire(fragment, &at.index(index))
                })
                .collect()
        });
        let Some(ConfigSpecifier::ScopedRouteConfigurationsList(list)) = &wire.config_specifier
        else {
            at.error_at_key("'scoped_route_configurations_list' is required");
            return None;
        };
        let at = at.field("scoped_route_configurations_list");
        let at = at.field("scoped_route_configurations");
        let mut seen = HashMap::new();
        let scopes = list.scoped_route_configurations.iter().enumerate();
        Some(Self {
            fragments: fragments?,
            scopes: scopes
                .filter_map(|(index, scope)| {
                    let at = at.index(index);
                    let scope = Scope::from_wire(scope, clusters, filters, taken, &at)?;
                    if let Some(other) = seen.insert(scope.key.clone(), scope.name.clone()) {
                        at.field("key").error(
                            Note::from(format!("scope '{other}' has this key too"))
                                .help("give each scope a key of its own"),
                        );
                    }
                    Some(scope)
                })
                .collect(),
        })
    }
}

impl HeaderValueExtractor {
    fn from_wire(wire: &FragmentBuilder, at: &At<'_>) -> Option<Self> {
        let Some(Type::HeaderValueExtractor(extractor)) = &wire.r#type else { return None };
        let at = at.field("header_value_extractor");
        let extract = match &extractor.extract_type {
            Some(ExtractType::Index(index)) => {
                if *index > 0 && extractor.element_separator.is_empty() {
                    let note =
                        Note::from("without 'element_separator' there is no element but that at 0")
                            .help("add 'element_separator', or write index: 0");
                    at.field("index").error(note);
                }
                Extract::Index(*index as usize)
            }
            Some(ExtractType::Element(element)) => {
                Extract::Element { key: element.key.clone(), separator: element.separator.clone() }
            }
            None => {
                at.error_at_key("one of index, element is required");
                return None;
            }
        };
        Some(Self {
            name: looked_up_name(&extractor.name),
            element_separator: extractor.element_separator.clone(),
            extract,
        })
    }
}

impl Scope {
    fn from_wire(
        wire: &route::ScopedRouteConfiguration,
        clusters: &ClusterNames<'_>,
        filters: &[HttpFilter],
        taken: TakenFromHosts,
        at: &At<'_>,
    ) -> Option<Self> {
        let Some(routes) = &wire.route_configuration else {
            at.error_at_key("'route_configuration' is required");
            return None;
        };
        let fragments = wire.key.iter().flat_map(|key| &key.fragments);
        Some(Self {
            name: wire.name.clone(),
            key: fragments
                .filter_map(|fragment| {
                    fragment.r#type.as_ref().map(|KeyType::StringKey(text)| text.clone())
                })
                .collect(),
            route_configuration: RouteConfiguration::from_wire(
                routes,
                clusters,
                filters,
                taken,
                &at.field("route_configuration"),
            ),
        })
    }
}

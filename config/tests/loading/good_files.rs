//! Files that load, and what becomes of their fields.

use std::time::Duration;

use ringmain_config::address::EndpointAddress;
use ringmain_config::bootstrap::Bootstrap;
use ringmain_config::cluster::{DiscoveryType, DnsLookupFamily, HealthStatus};
use ringmain_config::ecs_cluster::{DeploymentWeights, PortChoice, TasksOf, UnknownHealth};
use ringmain_config::header_key_format::HeaderKeyFormat;
use ringmain_config::header_mutation::AppendAction;
use ringmain_config::http_connection_manager::{
    HeadersWithUnderscoresAction, HttpConnectionManager, RouteSpecifier,
};
use ringmain_config::listener::TrafficDirection;
use ringmain_config::network_filter::TerminalFilter;
use ringmain_config::route::{
    Action, ClusterSpecifier, Domain, PathMatch, RouteAction, RouteConfiguration,
};

use crate::skeleton::{file, load_text};

pub const FRONT_PROXY: &str = include_str!("front_proxy.yaml");

fn loaded(text: &str) -> Bootstrap {
    let loaded = load_text(text).unwrap_or_else(|error| panic!("{error}"));
    let effectless =
        |warning: &ringmain_config::Diagnostic| warning.message.ends_with("has no effect");
    assert!(loaded.warnings.iter().all(effectless), "{:?}", loaded.warnings);
    loaded.bootstrap
}

/// The routes of a connection manager without scopes.
fn routes(manager: &HttpConnectionManager) -> &RouteConfiguration {
    match &manager.routes {
        RouteSpecifier::RouteConfig(routes) => routes,
        RouteSpecifier::ScopedRoutes(_) => panic!("there are no scopes"),
    }
}

fn manager(bootstrap: &Bootstrap) -> &HttpConnectionManager {
    match &bootstrap.listeners[0].filter_chains.matched[0].filters.terminal {
        TerminalFilter::HttpConnectionManager(manager) => manager,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_file_has_envoys_defaults() {
    let bootstrap = loaded(&file("root", ""));
    let manager = manager(&bootstrap);
    assert_eq!(manager.idle_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(manager.stream_idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(manager.request_timeout, None);
    assert_eq!(manager.max_request_headers_bytes, 60 * 1024);
    assert_eq!(manager.server_name, "envoy");
    assert!(manager.generate_request_id && manager.http1.allow_absolute_url);
    let Action::Route(route) = &routes(manager).virtual_hosts[0].routes[0].action else {
        panic!("the route goes to a cluster");
    };
    assert_eq!(cluster_of(route), (Some(0), "one"));
    assert_eq!(route.timeout, Some(Duration::from_secs(15)));
    assert_eq!(route.idle_timeout, None);
    let cluster = &bootstrap.clusters[0];
    assert_eq!(cluster.connect_timeout, Duration::from_secs(5));
    assert_eq!(cluster.circuit_breakers.default.max_connections, 1024);
    assert_eq!(bootstrap.stats_flush_interval, Duration::from_secs(5));
}

#[test]
fn the_listener_side_of_a_front_proxy() {
    let bootstrap = loaded(FRONT_PROXY);
    assert_eq!(bootstrap.node.locality.zone, "eu-west-1a");
    let listener = &bootstrap.listeners[0];
    assert_eq!(listener.sockets[0].address.to_string(), "0.0.0.0:8080");
    assert_eq!(listener.traffic_direction, TrafficDirection::Inbound);
    let manager = manager(&bootstrap);
    assert_eq!(manager.stream_idle_timeout, None);
    assert_eq!(
        manager.headers_with_underscores_action,
        HeadersWithUnderscoresAction::RejectRequest
    );
    assert_eq!(manager.http1.header_key_format, HeaderKeyFormat::ProperCaseWords);
    let ranges: Vec<_> = manager
        .internal_address_ranges
        .iter()
        .map(|range| range.address_prefix.to_string())
        .collect();
    assert_eq!(ranges, ["10.0.0.0", "fd00::"]);
    assert!(manager.router.suppress_envoy_headers);
}

#[test]
fn the_routes_of_a_front_proxy() {
    let bootstrap = loaded(FRONT_PROXY);
    let routes = routes(manager(&bootstrap));
    let added = &routes.response_headers.add[0];
    assert_eq!(
        (added.key.as_str(), added.append_action),
        ("x-served-by", AppendAction::OverwriteIfExistsOrAdd)
    );
    let api = &routes.virtual_hosts[0];
    assert_eq!(
        api.domains,
        [Domain::Exact("api.example.com".into()), Domain::Suffix(".api.example.com".into())]
    );
    assert_eq!(api.request_headers.remove, ["x-secret"]);
    let users = &api.routes[0];
    assert_eq!(users.matcher.path, PathMatch::Prefix("/users/".into()));
    assert!(!users.matcher.case_sensitive);
    let Action::Route(route) = &users.action else { panic!("users is a cluster") };
    assert_eq!(route.timeout, Some(Duration::from_millis(250)));
    assert_eq!(route.idle_timeout, Some(None));
    let Action::DirectResponse(response) = &api.routes[1].action else {
        panic!("healthz is direct")
    };
    assert_eq!(response.body, b"ok\n");
    let Action::Redirect(redirect) = &routes.virtual_hosts[1].routes[0].action else {
        panic!("the rest is redirected");
    };
    assert_eq!((redirect.status, redirect.port), (308, Some(8443)));
    assert_eq!(redirect.scheme.as_deref(), Some("https"));
}

#[test]
fn the_clusters_of_a_front_proxy() {
    let bootstrap = loaded(FRONT_PROXY);
    let [users, web] = &bootstrap.clusters[..] else { panic!("two clusters") };
    let DiscoveryType::Dns(dns) = &users.discovery else { panic!("users is found by DNS") };
    assert_eq!(dns.dns_lookup_family, DnsLookupFamily::V4Only);
    let name = EndpointAddress::Name { host: "users.internal".into(), port: 80 };
    assert_eq!(users.load_assignment.endpoints[0].lb_endpoints[0].address, name);
    assert_eq!(web.idle_timeout, Some(Duration::from_secs(60)));
    assert_eq!(web.max_requests_per_connection, Some(1000));
    assert_eq!(web.circuit_breakers.default.max_connections, 1024);
    assert_eq!(web.circuit_breakers.high.max_retries, 3);
    let endpoints = &web.load_assignment.endpoints[0].lb_endpoints;
    assert_eq!(endpoints[0].load_balancing_weight, 3);
    let health: Vec<HealthStatus> = endpoints.iter().map(|one| one.health_status).collect();
    assert_eq!(health[..2], [HealthStatus::Healthy, HealthStatus::Draining]);
}

#[test]
fn text_that_looks_like_a_number_stays_as_written() {
    for written in ["1.10", "1e5", "5000000000", "0.0", ".5", "-1.50"] {
        let bootstrap = loaded(&file("hcm", &format!("server_name: {written}")));
        assert_eq!(manager(&bootstrap).server_name, written);
    }
}

#[test]
fn a_cluster_that_is_not_validated_may_be_unknown() {
    let text =
        file("route_config", "validate_clusters: false").replace("cluster: one}", "cluster: x}");
    let bootstrap = loaded(&text);
    let Action::Route(route) = &routes(manager(&bootstrap)).virtual_hosts[0].routes[0].action
    else {
        panic!("the route goes to a cluster");
    };
    assert_eq!(cluster_of(route), (None, "x"));
}

fn cluster_of(route: &RouteAction) -> (Option<usize>, &str) {
    let ClusterSpecifier::Cluster(cluster) = &route.cluster else { panic!("{route:?}") };
    (cluster.index, &cluster.name)
}

#[test]
fn an_ecs_cluster_has_its_defaults() {
    let text = r#"cluster_type:
  name: ringmain.clusters.ecs
  typed_config:
    "@type": type.googleapis.com/ringmain.clusters.ecs.v1.EcsCluster
    cluster: arn:aws:ecs:eu-west-1:123456789012:cluster/prod
    service: arn:aws:ecs:eu-west-1:123456789012:service/prod/checkout"#;
    let bootstrap = loaded(&file("cluster", text));
    let DiscoveryType::Ecs(ecs) = &bootstrap.clusters[0].discovery else { panic!("not ECS") };
    assert_eq!(ecs.tasks_of, TasksOf::Service("checkout".into()));
    assert_eq!(ecs.access.region.as_deref(), Some("eu-west-1"));
    assert_eq!(ecs.port, PortChoice::default());
    assert_eq!(ecs.unknown_health, UnknownHealth::Accept);
    assert_eq!(ecs.deployment_weights, DeploymentWeights::Tasks);
    assert_eq!(ecs.limits.refresh_interval, Duration::from_secs(10));
    assert_eq!(ecs.limits.empty_set_grace, Duration::from_secs(60));
    assert_eq!(ecs.limits.max_removal_percent, 50);
    assert_eq!(ecs.limits.wait_for_first_discovery, Duration::from_secs(15));
}

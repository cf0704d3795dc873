//! `/config_dump`: the configuration in use, as Envoy lays it out.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use regex::Regex;
use ringmain_config::Schema;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::address::address_json;
use super::{field_mask, respond};
use crate::cluster::{Cluster, Host};
use crate::runtime::release_freed_memory;
use crate::server::Control;

/// `?resource=&mask=&name_regex=&include_eds`.
#[derive(Debug, Default, serde::Deserialize)]
pub struct DumpQuery {
    resource: Option<String>,
    mask: Option<String>,
    name_regex: Option<String>,
    include_eds: Option<String>,
}

/// What cannot be dumped, and why.
type Refusal = (StatusCode, String);

/// One of the messages that make up the dump.
struct Section {
    /// `ClustersConfigDump`, in `envoy.admin.v3`.
    message: &'static str,
    fields: Map<String, Value>,
}

impl Section {
    fn new(message: &'static str) -> Self {
        Self { message, fields: Map::new() }
    }

    /// With a list, which an empty one is not shown.
    fn with_list(mut self, field: &str, items: Vec<Value>) -> Self {
        if !items.is_empty() {
            self.fields.insert(field.to_owned(), Value::Array(items));
        }
        self
    }

    fn full_name(&self) -> String {
        format!("envoy.admin.v3.{}", self.message)
    }

    fn into_json(self) -> Value {
        let full_name = self.full_name();
        with_type(&full_name, Value::Object(self.fields))
    }
}

/// Dumps what is asked for.
pub async fn dump(State(control): State<Arc<Control>>, Query(query): Query<DumpQuery>) -> Response {
    // Many clusters make a long dump: on a thread of its own, so that signals do not wait.
    let dumped = tokio::task::spawn_blocking(move || {
        let response = match configs(&control, &query) {
            Ok(configs) if configs.is_empty() => respond::json(&json!({})),
            Ok(configs) => respond::json(&json!({ "configs": configs })),
            Err((status, reason)) => respond::with_type(status, "text/plain", reason),
        };
        release_freed_memory();
        response
    });
    dumped.await.unwrap_or_else(|_| {
        respond::text(StatusCode::INTERNAL_SERVER_ERROR, "the configuration cannot be dumped\n")
    })
}

fn configs(control: &Control, query: &DumpQuery) -> Result<Vec<Value>, Refusal> {
    let names = query.name_regex.as_deref().unwrap_or_default();
    let names = Regex::new(&format!("^(?:{names})$")).map_err(|error| {
        let reason = format!("INVALID_ARGUMENT: Error while parsing name_regex from {names}");
        let detail = error.to_string();
        let detail = detail.lines().last().unwrap_or_default().trim_start_matches("error: ");
        (StatusCode::BAD_REQUEST, format!("{reason}: {detail}"))
    })?;
    let names = query.name_regex.is_some().then_some(names);
    let sections = sections(control, names.as_ref(), query.include_eds.is_some());
    let mask = query.mask.as_deref().filter(|mask| !mask.is_empty());
    match query.resource.as_deref().filter(|resource| !resource.is_empty()) {
        Some(resource) => elements(sections, resource, mask),
        None => match mask {
            Some(mask) => masked(sections, mask),
            None => Ok(sections.into_iter().map(Section::into_json).collect()),
        },
    }
}

/// The elements of the list `resource`, one config each.
fn elements(
    sections: Vec<Section>,
    resource: &str,
    mask: Option<&str>,
) -> Result<Vec<Value>, Refusal> {
    let schema = Schema::decode();
    let found = sections.into_iter().find_map(|section| {
        let shape = schema.field(&section.full_name(), resource)?;
        Some((section, shape))
    });
    let Some((mut section, shape)) = found else {
        return Err((StatusCode::NOT_FOUND, format!("{resource} not found in config dump")));
    };
    if !shape.is_repeated {
        let hint = format!("Use ?mask={resource} to get only this field");
        let reason = format!("{resource} is not a repeated field. {hint}");
        return Err((StatusCode::BAD_REQUEST, reason));
    }
    let full_name = shape.message.unwrap_or_default();
    let items = match section.fields.remove(resource) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let paths: Option<Vec<&str>> = mask.map(|mask| mask.split(',').collect());
    let mut elements = Vec::with_capacity(items.len());
    for item in items {
        let item = match &paths {
            None => item,
            Some(paths) => {
                field_mask::apply(&schema, &item, &full_name, paths).ok_or_else(|| {
                    let listed: String =
                        paths.iter().map(|path| format!("paths: \"{path}\"\n")).collect();
                    let reason = format!("FieldMask {listed} could not be successfully used.");
                    (StatusCode::BAD_REQUEST, reason)
                })?
            }
        };
        elements.push(with_type(&full_name, item));
    }
    Ok(elements)
}

/// The sections that have all fields of `mask`, with those alone.
fn masked(sections: Vec<Section>, mask: &str) -> Result<Vec<Value>, Refusal> {
    let schema = Schema::decode();
    let paths: Vec<&str> = mask.split(',').collect();
    let configs: Vec<Value> = sections
        .into_iter()
        .filter_map(|section| {
            let full_name = section.full_name();
            let kept =
                field_mask::apply(&schema, &Value::Object(section.fields), &full_name, &paths)?;
            Some(with_type(&full_name, kept))
        })
        .collect();
    if configs.is_empty() {
        let reason = format!("FieldMask {mask} could not be successfully applied to any configs.");
        return Err((StatusCode::BAD_REQUEST, reason));
    }
    Ok(configs)
}

fn sections(control: &Control, names: Option<&Regex>, with_endpoints: bool) -> Vec<Section> {
    let dump = written(control);
    let updated = rfc3339(control.started_at);
    let is_wanted = |resource: &&Value| {
        let name = resource["name"].as_str().unwrap_or_default();
        names.is_none_or(|names| names.is_match(name))
    };
    let list =
        |field: &str| dump["static_resources"][field].as_array().cloned().unwrap_or_default();
    let entries = |resources: &[Value], field: &str, full_name: &str| -> Vec<Value> {
        let wanted = resources.iter().filter(is_wanted);
        wanted
            .map(|resource| {
                json!({ field: with_type(full_name, resource.clone()), "last_updated": updated })
            })
            .collect()
    };
    let (clusters, listeners) = (list("clusters"), list("listeners"));
    let mut bootstrap = Section::new("BootstrapConfigDump");
    bootstrap.fields.insert("bootstrap".into(), bootstrap_with_node(control, &dump));
    bootstrap.fields.insert("last_updated".into(), json!(updated));
    let mut sections = vec![
        bootstrap,
        Section::new("ClustersConfigDump").with_list(
            "static_clusters",
            entries(&clusters, "cluster", "envoy.config.cluster.v3.Cluster"),
        ),
    ];
    if with_endpoints {
        sections.push(endpoints(control, names));
    }
    sections.extend([
        Section::new("ListenersConfigDump").with_list(
            "static_listeners",
            entries(&listeners, "listener", "envoy.config.listener.v3.Listener"),
        ),
        Section::new("ScopedRoutesConfigDump"),
        Section::new("RoutesConfigDump").with_list(
            "static_route_configs",
            entries(
                &inline_routes(&listeners),
                "route_config",
                "envoy.config.route.v3.RouteConfiguration",
            ),
        ),
        Section::new("SecretsConfigDump"),
    ]);
    sections
}

/// The configuration as written.
fn written(control: &Control) -> Value {
    let text = control.boot.written.as_ref().and_then(|written| written.json().ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The bootstrap as written, with the node as the command line completed it.
fn bootstrap_with_node(control: &Control, dump: &Value) -> Value {
    let mut node = super::server_info::node(control);
    if let (Some(node), Some(written)) = (node.as_object_mut(), dump["node"].as_object()) {
        for (field, value) in written {
            node.insert(field.clone(), value.clone());
        }
    }
    let mut bootstrap = json!({ "node": node });
    if let (Some(bootstrap), Some(written)) = (bootstrap.as_object_mut(), dump.as_object()) {
        let others = written.iter().filter(|(field, _)| *field != "node");
        bootstrap.extend(others.map(|(field, value)| (field.clone(), value.clone())));
    }
    bootstrap
}

/// Every `route_config` of a connection manager.
fn inline_routes(listeners: &[Value]) -> Vec<Value> {
    let mut routes = Vec::new();
    for listener in listeners {
        let chains = listener["filter_chains"].as_array().into_iter().flatten();
        for chain in chains.chain(listener.get("default_filter_chain")) {
            for filter in chain["filters"].as_array().into_iter().flatten() {
                routes.extend(filter["typed_config"].get("route_config").cloned());
            }
        }
    }
    routes
}

fn endpoints(control: &Control, names: Option<&Regex>) -> Section {
    let assignments = control
        .compiled
        .clusters
        .iter()
        .enumerate()
        .filter(|(_, cluster)| names.is_none_or(|names| names.is_match(&cluster.config.name)));
    let items = assignments
        .map(|(index, cluster)| {
            let assignment = assignment(cluster, &control.hosts(index).hosts);
            json!({ "endpoint_config": assignment })
        })
        .collect();
    Section::new("EndpointsConfigDump").with_list("static_endpoint_configs", items)
}

/// The hosts of a cluster in use, grouped by where they run.
fn assignment(cluster: &Cluster, hosts: &[Arc<Host>]) -> Value {
    let mut groups: Vec<(&Host, Vec<Value>)> = Vec::new();
    for host in hosts {
        let described = endpoint(host);
        let same =
            |first: &Host| first.priority == host.priority && first.locality == host.locality;
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, group)) => group.push(described),
            None => groups.push((host, vec![described])),
        }
    }
    let config = &cluster.config;
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(first, hosts)| {
            let locality = super::clusters::locality(&first.locality);
            let weight = match config.load_balancing.is_locality_weighted() {
                true => config.load_assignment.locality_weight(first.priority, &first.locality),
                false => 0,
            };
            let mut group =
                json!({ "locality": locality, "lb_endpoints": hosts, "load_balancing_weight": weight });
            if first.priority > 0 {
                group["priority"] = json!(first.priority);
            }
            group
        })
        .collect();
    let mut assignment = json!({ "cluster_name": cluster.config.name });
    if !groups.is_empty() {
        assignment["endpoints"] = Value::Array(groups);
    }
    assignment["policy"] =
        json!({ "overprovisioning_factor": config.load_assignment.overprovisioning_factor });
    with_type("envoy.config.endpoint.v3.ClusterLoadAssignment", assignment)
}

fn endpoint(host: &Host) -> Value {
    let mut endpoint = json!({
        "address": address_json(&host.address),
        "health_check_config": {},
    });
    if !host.hostname.is_empty() {
        endpoint["hostname"] = json!(host.hostname);
    }
    json!({
        "endpoint": endpoint,
        "health_status": host.health().eds_status(),
        "load_balancing_weight": host.weight(),
    })
}

/// As an Any: `@type` stands first.
fn with_type(full_name: &str, message: Value) -> Value {
    let mut any = Map::new();
    any.insert("@type".into(), json!(format!("type.googleapis.com/{full_name}")));
    if let Value::Object(fields) = message {
        any.extend(fields);
    }
    Value::Object(any)
}

fn rfc3339(time: SystemTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from(time).format(&format).unwrap_or_default()
}

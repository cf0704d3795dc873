//! The configuration that holds all cases of a list.

use super::Case;
use crate::template::{self, Values, indented};

/// One `--config-path` file for `cases`, still with the places `{{admin}}`, `{{scratch}}`,
/// `{{listener_<case>}}`, `{{upstream_<case>}}`, `{{refused_port}}` and `{{silent_port}}`.
pub fn bootstrap(cases: &[Case]) -> String {
    let listeners: String = cases.iter().map(listener).collect();
    let clusters: String = cases.iter().map(clusters).collect();
    let layers: String = cases.iter().map(layer).collect();
    let runtime = match layers.is_empty() {
        true => String::new(),
        false => format!("layered_runtime:\n  layers:\n{}", indented(&layers, 2)),
    };
    format!(
        "{runtime}admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{admin}}}} }} }}
static_resources:
  listeners:
{}  clusters:
{}",
        indented(&listeners, 2),
        indented(&clusters, 2)
    )
}

fn layer(case: &Case) -> String {
    if case.static_layer.is_empty() {
        return String::new();
    }
    format!("- name: {}\n  static_layer:\n{}", case.name, indented(&case.static_layer, 4))
}

fn listener(case: &Case) -> String {
    let routes = match case.scoped_routes.as_str() {
        "" => format!(
            "route_config:\n  name: {{{{name}}}}\n{}  virtual_hosts:\n{}",
            indented(&case.route_config, 2),
            indented(&case.virtual_hosts, 2),
        ),
        scoped => format!("scoped_routes:\n{}", indented(scoped, 2)),
    };
    let hcm = format!("{}{routes}", indented(&case.hcm, 0));
    let text = format!(
        r#"- name: {{{{name}}}}
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener}}}} }} }}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: {{{{name}}}}
        delayed_close_timeout: 0.1s
        http_filters:
{}        - name: router
          typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
        access_log:
        - name: default_format
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
            path: "{{{{scratch}}}}/{{{{name}}}}.log"
        - name: details
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
            path: "{{{{scratch}}}}/{{{{name}}}}.details"
            log_format:
              text_format_source:
                inline_string: "details %RESPONSE_CODE_DETAILS% route %ROUTE_NAME% cluster %UPSTREAM_CLUSTER% attempts %UPSTREAM_REQUEST_ATTEMPT_COUNT% remote %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% direct %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%\n"
{}{}"#,
        indented(&case.http_filters, 8),
        indented(&case.access_logs, 8),
        indented(&hcm, 8)
    );
    template::fill(&text, &case_values(case))
}

fn clusters(case: &Case) -> String {
    let uses = |place: &str| format!("{}{}", case.virtual_hosts, case.route_config).contains(place);
    let endpoint = Some(("{{upstream}}", case.endpoint.as_str()));
    let mut text = cluster("{{cluster}}", endpoint, &case.cluster);
    if uses("{{refused}}") {
        text += &cluster("{{refused}}", Some(("{{refused_port}}", "")), &case.cluster);
    }
    if uses("{{silent}}") {
        text += &cluster("{{silent}}", Some(("{{silent_port}}", "")), &case.cluster);
    }
    if uses("{{mirror}}") {
        text += &cluster("{{mirror}}", Some(("{{mirror_upstream}}", "")), &case.cluster);
    }
    if uses("{{empty}}") {
        text += &cluster("{{empty}}", None, &case.cluster);
    }
    template::fill(&text, &case_values(case))
}

fn cluster(name: &str, endpoint: Option<(&str, &str)>, fields: &str) -> String {
    let host = |(port, fields): (&str, &str)| {
        format!(
            "[{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}, {fields} }} }}]"
        )
    };
    let discovery = if fields.starts_with("type:") { "" } else { "type: STATIC" };
    format!(
        "- name: {name}
  {discovery}
  load_assignment:
    cluster_name: {name}
    endpoints: [{{ lb_endpoints: {} }}]
{}",
        endpoint.map_or_else(|| "[]".into(), host),
        indented(fields, 2)
    )
}

/// A case's own places. Some stand for places of the whole file.
fn case_values(case: &Case) -> Values {
    let name = case.name;
    let values = [
        ("name", name.to_owned()),
        ("cluster", format!("{name}_cluster")),
        ("refused", format!("{name}_refused")),
        ("empty", format!("{name}_empty")),
        ("silent", format!("{name}_silent")),
        ("mirror", format!("{name}_mirror")),
        ("listener", format!("{{{{listener_{name}}}}}")),
        ("upstream", format!("{{{{upstream_{name}}}}}")),
        ("mirror_upstream", format!("{{{{mirror_{name}}}}}")),
        ("refused_port", "{{refused_port}}".into()),
        ("silent_port", "{{silent_port}}".into()),
        ("scratch", "{{scratch}}".into()),
    ];
    values.map(|(place, value)| (place.into(), value)).into()
}

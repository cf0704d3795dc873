//! Configuration text with `{{name}}` places, and fragments put into it at the right indentation.

use std::collections::BTreeMap;

/// What the `{{name}}` places of a template stand for.
pub type Values = BTreeMap<String, String>;

/// Replaces every `{{name}}`; a name without a value fails the test.
pub fn fill(template: &str, values: &Values) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("`{{` is closed by `}}`");
        let value = values.get(name).unwrap_or_else(|| panic!("no value for {{{{{name}}}}}"));
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text + rest
}

/// The lines of `fragment`, moved so that the leftmost one starts at `column`. Each line ends with a
/// line feed; blank lines go.
pub fn indented(fragment: &str, column: usize) -> String {
    let lines: Vec<&str> = fragment.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|line| format!("{:column$}{}\n", "", &line[margin..])).collect()
}

/// A whole configuration with one listener and one route for everything: places `{{admin}}`,
/// `{{listener}}` and `{{upstream}}`. The arguments are further fields, as YAML, of the HTTP
/// connection manager (stat prefix `ingress`), the route's action and the cluster (`backend`).
pub fn front_proxy(hcm: &str, route: &str, cluster: &str) -> String {
    let routes =
        format!("- match: {{ prefix: / }}\n  route:\n    cluster: backend\n{}", indented(route, 4));
    let clusters = format!(
        r#"- name: backend
  type: STATIC
  load_assignment:
    cluster_name: backend
    endpoints:
    - lb_endpoints:
      - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }}
{}"#,
        indented(cluster, 2),
    );
    HttpListener { name: "front", stat_prefix: "ingress", hcm, routes: &routes }.with("", &clusters)
}

/// A configuration with one listener, whose port is `{{listener}}`, with the list `routes`, and with the
/// list `clusters`.
pub fn one_listener(routes: &str, clusters: &str) -> String {
    listener_beside(routes, "", clusters)
}

/// The same with further `listeners`.
pub fn listener_beside(routes: &str, listeners: &str, clusters: &str) -> String {
    HttpListener { name: "listener", stat_prefix: "in", hcm: "", routes }.with(listeners, clusters)
}

/// A listener whose one virtual host takes every request.
struct HttpListener<'a> {
    name: &'a str,
    stat_prefix: &'a str,
    /// Further fields of the connection manager.
    hcm: &'a str,
    /// The list of routes.
    routes: &'a str,
}

impl HttpListener<'_> {
    /// A whole configuration with further `listeners`, and `clusters`.
    fn with(&self, listeners: &str, clusters: &str) -> String {
        format!(
            r#"{ADMIN}static_resources:
  listeners:
  - name: {}
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener}}}} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {}
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            name: local
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
{}{}{}  clusters:
{}"#,
            self.name,
            self.stat_prefix,
            indented(self.routes, 14),
            indented(self.hcm, 10),
            indented(listeners, 2),
            indented(clusters, 2),
        )
    }
}

/// A configuration with one TCP proxy of these `fields` (stat prefix `tcp`) on the listener `in`, whose connections are logged in
/// `format` to `{{scratch}}/tcp.log`. `rest` are further listeners, and the clusters.
pub fn tcp_proxy(fields: &str, format: &str, rest: &str) -> String {
    let chain = format!(
        r#"- filters:
  - name: tcp
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
      stat_prefix: tcp
{}      access_log:
      - name: file
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
          path: "{{{{scratch}}}}/tcp.log"
          log_format: {{ text_format_source: {{ inline_string: "{format}\n" }} }}"#,
        indented(fields, 6)
    );
    bare_listener("", &chain, rest)
}

/// A configuration with the listener `in`, as its stats are named too, of further `fields` and the list
/// `chains`. `rest` are further listeners, and the clusters.
pub fn bare_listener(fields: &str, chains: &str, rest: &str) -> String {
    format!(
        "{ADMIN}static_resources:
  listeners:
  - name: in
    stat_prefix: in
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener}}}} }} }}
{}    filter_chains:
{}{rest}",
        indented(fields, 4),
        indented(chains, 4),
    )
}

const ADMIN: &str = "admin:
  address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_each_place() {
        let values = Values::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert_eq!(fill("{{a}}-{{b}}-{{a}}.", &values), "1-2-1.");
    }

    #[test]
    #[should_panic(expected = "no value for {{c}}")]
    fn refuses_an_unknown_place() {
        fill("{{c}}", &Values::new());
    }

    #[test]
    fn moves_a_fragment_as_a_block() {
        assert_eq!(indented("\n    a:\n      b: 1\n", 2), "  a:\n    b: 1\n");
    }
}

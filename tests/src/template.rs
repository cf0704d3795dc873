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
    format!(
        r#"admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{admin}}}} }} }}
static_resources:
  listeners:
  - name: front
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener}}}} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
              - match: {{ prefix: / }}
                route:
                  cluster: backend
{route}{hcm}  clusters:
  - name: backend
    type: STATIC
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }}
{cluster}"#,
        route = indented(route, 18),
        hcm = indented(hcm, 10),
        cluster = indented(cluster, 4),
    )
}

/// A configuration with one listener, whose port is `{{listener}}`, with the list `routes`, and with the
/// list `clusters`.
pub fn one_listener(routes: &str, clusters: &str) -> String {
    format!(
        r#"admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{admin}}}} }} }}
static_resources:
  listeners:
  - name: listener
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener}}}} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            name: local
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
{}  clusters:
{}"#,
        indented(routes, 14),
        indented(clusters, 2),
    )
}

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

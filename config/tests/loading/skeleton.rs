//! A small configuration with slots for the fragment that a test is about.

use ringmain_config::{LoadError, LoadOptions, Loaded, load};

/// The name of every file in these tests.
pub const ORIGIN: &str = "envoy.yaml";

/// The configuration; a slot is a line of its own.
const FILE: &str = r#"admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
<root>
static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    <listener>
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          <hcm>
          http_filters:
          <filters>
          route_config:
            name: local
            <route_config>
            virtual_hosts:
            - name: all
              <host>
              routes:
              - <route>
  clusters:
  - name: one
    <cluster>
  <resources>
"#;

/// The slots, what stands in them otherwise, and the path of the message they belong to.
const SLOTS: [(&str, &str, &str); 9] = [
    ("root", "", ""),
    ("listener", "", "static_resources.listeners[0]"),
    ("hcm", "", "{listener}.filter_chains[0].filters[0].typed_config"),
    (
        "filters",
        "- name: router\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}",
        "{hcm}.http_filters",
    ),
    ("route_config", "", "{hcm}.route_config"),
    ("host", "domains: [\"*\"]", "{route_config}.virtual_hosts[0]"),
    ("route", "match: {prefix: /}\nroute: {cluster: one}", "{host}.routes[0]"),
    (
        "cluster",
        "load_assignment:\n  cluster_name: one\n  endpoints:\n  - lb_endpoints:\n    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}",
        "static_resources.clusters[0]",
    ),
    ("resources", "", "static_resources"),
];

/// The configuration with `fragment` in `slot`; the slot `file` is all of it.
pub fn file(slot: &str, fragment: &str) -> String {
    if slot == "file" {
        return fragment.to_owned();
    }
    assert!(SLOTS.iter().any(|(name, ..)| *name == slot), "there is no slot {slot}");
    let mut text = FILE.to_owned();
    for (name, default, _) in SLOTS {
        let content = if name == slot { fragment } else { default };
        let mark = format!("<{name}>");
        let line = FILE.lines().find(|line| line.contains(&mark)).expect("each slot has a line");
        // A route's slot stands behind the dash of its list.
        let (before, _) = line.split_once(&mark).expect("the line has the mark");
        let indent = format!("\n{:width$}", "", width = before.len());
        text = text.replace(&mark, &content.replace('\n', &indent));
    }
    text
}

/// `text` with each `{slot}` replaced by the path of the slot's message.
pub fn with_paths(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, _, path) in SLOTS.iter().rev() {
        text = text.replace(&format!("{{{name}}}"), path);
    }
    text
}

/// Loads `text` with the usual options.
pub fn load_text(text: &str) -> Result<Loaded, LoadError> {
    load(ORIGIN, text, &LoadOptions::default())
}

/// What the user is told, a line each; `ok` where that is nothing.
pub fn told(result: &Result<Loaded, LoadError>) -> String {
    match result {
        Ok(loaded) if loaded.warnings.is_empty() => "ok".to_owned(),
        Ok(loaded) => {
            let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
            warnings.join("\n")
        }
        Err(error) => error.to_string(),
    }
}

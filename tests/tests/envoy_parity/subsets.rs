//! Which hosts a request goes to where the cluster has subsets. One proxy has a cluster for each
//! configuration and a route to it for each list of criteria.

use std::collections::BTreeMap;
use std::fmt::Write;

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, indented, listener_beside};
use ringmain_tests::upstream::{Upstream, reply};

/// The metadata of each host.
const HOSTS: [&str; 5] = [
    "v: '1', stage: prod, k: [1, 2], good: true",
    "v: '1', stage: dev, k: 2",
    "v: '2', stage: prod, good: true, k: []",
    "v: '2', stage: prod, k: 1.0",
    "",
];

/// `metadata_match` of the routes.
const CRITERIA: [&str; 14] = [
    "",
    "v: '1'",
    "v: 1",
    "v: '9'",
    "stage: prod, v: '2'",
    "v: '9', stage: prod",
    "stage: prod",
    "k: 1",
    "k: 2",
    "k: [1, 2]",
    "v: '1', extra: x",
    "fallback_list: [{ v: '9' }, { v: '2' }]",
    "stage: dev, fallback_list: [{ v: '2' }, { v: '1' }, { v: '2' }]",
    "v: '1', fallback_list: []",
];

/// Fields of the clusters.
const CLUSTERS: [&str; 16] = [
    "lb_subset_config: { subset_selectors: [{ keys: [v] }, { keys: [stage, v] }] }",
    "lb_subset_config: { fallback_policy: ANY_ENDPOINT, subset_selectors: [{ keys: [v, stage] }, { keys: [v] }] }",
    "lb_subset_config: { fallback_policy: DEFAULT_SUBSET, default_subset: { good: true }, subset_selectors: [{ keys: [v] }] }",
    "lb_subset_config: { fallback_policy: DEFAULT_SUBSET, default_subset: { good: 1 }, panic_mode_any: true, subset_selectors: [{ keys: [v] }] }",
    "lb_subset_config: { fallback_policy: DEFAULT_SUBSET, default_subset: { good: 1 }, subset_selectors: [{ keys: [v] }] }",
    "lb_subset_config: { fallback_policy: DEFAULT_SUBSET, subset_selectors: [{ keys: [v] }] }",
    "lb_subset_config:
  fallback_policy: ANY_ENDPOINT
  default_subset: { k: 1 }
  list_as_any: true
  subset_selectors:
  - { keys: [v], fallback_policy: DEFAULT_SUBSET }
  - { keys: [stage, v], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [stage] }
  - { keys: [k], fallback_policy: NO_FALLBACK }
  - { keys: [extra, v], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [v] }",
    // The later of two selectors that share a beginning has no fallback of its own.
    "lb_subset_config: { subset_selectors: [{ keys: [stage, v] }, { keys: [stage], fallback_policy: ANY_ENDPOINT }] }",
    "lb_subset_config: { subset_selectors: [{ keys: [v], fallback_policy: ANY_ENDPOINT }, { keys: [v], fallback_policy: NO_FALLBACK }] }",
    "lb_subset_config: { list_as_any: true, subset_selectors: [{ keys: [k], single_host_per_subset: true }, { keys: [v], single_host_per_subset: true }] }",
    "lb_subset_config: { subset_selectors: [{ keys: [k] }] }",
    "lb_subset_config: { metadata_fallback_policy: FALLBACK_LIST, subset_selectors: [{ keys: [v] }, { keys: [stage, v] }] }",
    "lb_subset_config: { fallback_policy: ANY_ENDPOINT, metadata_fallback_policy: FALLBACK_LIST, subset_selectors: [{ keys: [v] }] }",
    "load_balancing_policy:
  policies:
  - typed_extension_config:
      name: subset
      typed_config:
        '@type': type.googleapis.com/envoy.extensions.load_balancing_policies.subset.v3.Subset
        allow_redundant_keys: true
        subset_selectors: [{ keys: [v] }, { keys: [stage, v] }]
        subset_lb_policy:
          policies:
          - typed_extension_config:
              name: within
              typed_config: { '@type': type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin }",
    // Without selectors there are no subsets.
    "lb_subset_config: { fallback_policy: DEFAULT_SUBSET, default_subset: { good: 1 } }",
    "lb_subset_config: { fallback_policy: ANY_ENDPOINT, subset_selectors: [{ keys: [] }] }",
];

/// Divisible by every number of hosts.
const REQUESTS: usize = 60;

struct Hosts(Vec<Upstream>);

impl Hosts {
    fn start() -> Self {
        let answer = |number| format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
        let hosts = 0..HOSTS.len();
        Self(hosts.map(|number| Upstream::start(vec![reply(answer(number))])).collect())
    }

    /// The endpoint of host `number` with its metadata.
    fn endpoint(&self, number: usize) -> String {
        let metadata = match HOSTS[number] {
            "" => String::new(),
            fields => format!("metadata: {{ filter_metadata: {{ envoy.lb: {{ {fields} }} }} }}"),
        };
        let port = self.0[number].address().port();
        format!(
            "- {{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}, {metadata} }}\n"
        )
    }

    fn endpoints(&self) -> String {
        (0..HOSTS.len()).map(|number| self.endpoint(number)).collect()
    }
}

fn metadata_match(fields: &str) -> String {
    match fields {
        "" => String::new(),
        fields => format!("metadata_match: {{ filter_metadata: {{ envoy.lb: {{ {fields} }} }} }}"),
    }
}

fn proxy(program: Program, routes: &str, clusters: &str, listeners: &str) -> Proxy {
    let text = listener_beside(routes, listeners, clusters);
    Proxy::start(program, &text, &Values::new())
}

fn cluster(name: &str, fields: &str, endpoints: &str) -> String {
    format!(
        "- name: {name}\n{}  load_assignment:\n    cluster_name: c\n    endpoints:\n    - lb_endpoints:\n{}",
        indented(fields, 2),
        indented(endpoints, 6)
    )
}

/// How often each host answered a request for `path`, or which status came instead.
fn shares(client: &mut Client, path: &str, fields: impl Fn(usize) -> String) -> String {
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..REQUESTS {
        let fields = fields(number);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n{fields}\r\n"));
        let response = client.read_response().expect("a response");
        let answer = match response.status() {
            Some(200) => String::from_utf8_lossy(&response.body).into_owned(),
            status => format!("{status:?}"),
        };
        *shares.entry(answer).or_default() += 1;
    }
    format!("{shares:?}")
}

fn stats(proxy: &Proxy) -> String {
    let mut text = String::new();
    for (name, value) in proxy.admin().stats("^cluster\\..*lb_(subsets|healthy_panic)") {
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// Every ringmain is seen as Envoy is; what was seen.
#[track_caller]
fn same(observe: impl Fn(Program) -> String) -> String {
    let expected = observe(Program::Envoy);
    for program in Program::ringmains() {
        let observed = observe(program);
        let pairs = expected.lines().zip(observed.lines());
        let differences: Vec<_> =
            pairs.filter(|(expected, observed)| expected != observed).collect();
        assert!(differences.is_empty(), "{program}: {differences:#?}");
        assert_eq!(observed, expected, "{program}");
    }
    expected
}

#[test]
fn criteria_lead_to_the_same_hosts() {
    let hosts = Hosts::start();
    let (mut routes, mut clusters) = (String::new(), String::new());
    for (number, fields) in CLUSTERS.iter().enumerate() {
        clusters += &cluster(&format!("c{number}"), fields, &hosts.endpoints());
        for (at, criteria) in CRITERIA.iter().enumerate() {
            let criteria = metadata_match(criteria);
            let _ = writeln!(
                routes,
                "- match: {{ path: /c{number}/{at} }}\n  route: {{ cluster: c{number}, {criteria} }}"
            );
        }
    }
    let observed = same(|program| {
        let proxy = proxy(program, &routes, &clusters, "");
        let mut client = Client::connect(proxy.port("listener"));
        let mut text = String::new();
        for number in 0..CLUSTERS.len() {
            for (at, criteria) in CRITERIA.iter().enumerate() {
                let shares = shares(&mut client, &format!("/c{number}/{at}"), |_| String::new());
                let _ = writeln!(text, "c{number} [{criteria}] {shares}");
            }
        }
        text + &stats(&proxy)
    });
    for shown in [
        r#"c0 [v: '1'] {"0": 30, "1": 30}"#,
        r#"c0 [v: 1] {"Some(503)": 60}"#,
        r#"c11 [stage: dev, fallback_list: [{ v: '2' }, { v: '1' }, { v: '2' }]] {"1": 60}"#,
        r#"c13 [v: '1', extra: x] {"0": 30, "1": 30}"#,
    ] {
        assert!(observed.contains(shown), "{shown} in\n{observed}");
    }
}

#[test]
fn weighted_clusters_and_tcp_proxies_have_criteria_too() {
    let hosts = Hosts::start();
    let config = "lb_subset_config: { fallback_policy: ANY_ENDPOINT, subset_selectors: [{ keys: [v] }, { keys: [stage, v] }] }";
    let weighted = |own: &str, clusters: &str| {
        format!("{}\nweighted_clusters: {{ clusters: [{clusters}] }}\n", metadata_match(own))
    };
    let of = |criteria: &str| format!("{{ name: c, weight: 1, {} }}", metadata_match(criteria));
    let specifiers = [
        weighted("stage: prod", &of("v: '2'")),
        weighted("v: '1'", &of("")),
        weighted("v: '1'", &of("v: '2'")),
        weighted("", &of("v: '1'")),
        weighted("v: '1'", &format!("{}, {}", of("stage: dev"), of("stage: dev"))),
        format!("cluster: c\n{}", metadata_match("v: '2'")),
    ];
    let (mut routes, mut listeners) = (String::new(), String::new());
    for (number, specifier) in specifiers.iter().enumerate() {
        let _ =
            write!(routes, "- match: {{ path: /{number} }}\n  route:\n{}", indented(specifier, 4));
        let _ = write!(
            listeners,
            "- name: tcp{number}
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener_{number}}}}} }} }}
  filter_chains:
  - filters:
    - name: tcp
      typed_config:
        '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
        stat_prefix: tcp
{}",
            indented(specifier, 8)
        );
    }
    let clusters = cluster("c", config, &hosts.endpoints());
    same(|program| {
        let proxy = proxy(program, &routes, &clusters, &listeners);
        let mut text = String::new();
        let mut client = Client::connect(proxy.port("listener"));
        for number in 0..specifiers.len() {
            let http = shares(&mut client, &format!("/{number}"), |_| String::new());
            let mut of_tcp: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for _ in 0..REQUESTS {
                let mut client = Client::connect(proxy.port(&format!("listener_{number}")));
                client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
                *of_tcp.entry(client.read_response().expect("a response").body).or_default() += 1;
            }
            let _ = writeln!(text, "{number} {http} {of_tcp:?}");
        }
        text + &stats(&proxy)
    });
}

#[test]
fn what_filters_note_goes_before_what_the_route_says() {
    let hosts = Hosts::start();
    let subsets = "lb_subset_config: { fallback_policy: ANY_ENDPOINT, subset_selectors: [{ keys: [v] }, { keys: [stage, v] }] }";
    let lists = "lb_subset_config: { metadata_fallback_policy: FALLBACK_LIST, subset_selectors: [{ keys: [v] }] }";
    let list = "v: '9', fallback_list: [{ v: '9' }, { v: '2' }]";
    let of_route = ["", "v: '1'", "v: '2', stage: prod", list];
    let (mut routes, mut clusters) = (String::new(), String::new());
    for (cluster_name, config) in [("c", subsets), ("l", lists), ("plain", "")] {
        clusters += &cluster(cluster_name, config, &hosts.endpoints());
        for (at, criteria) in of_route.iter().enumerate() {
            let criteria = metadata_match(criteria);
            let _ = writeln!(
                routes,
                "- match: {{ path: /{cluster_name}{at} }}\n  route: {{ cluster: {cluster_name}, {criteria} }}"
            );
        }
    }
    let rule = |name: &str| {
        format!(
            "- {{ header: x-{name}, on_header_present: {{ metadata_namespace: envoy.lb, key: {name} }} }}\n"
        )
    };
    let filters = format!(
        "- name: constant
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
    metadata: [{{ metadata_namespace: other, value: {{ v: '2' }} }}]
- name: of_headers
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config
    request_rules:
{}",
        indented(&(rule("v") + &rule("stage")), 4)
    );
    let router = "          - name: router\n";
    let text =
        listener_beside(&routes, "", &clusters).replace(router, &(indented(&filters, 10) + router));
    let asked = ["", "x-v: 1\r\n", "x-v: 2\r\n", "x-v: 1\r\nx-stage: dev\r\n", "x-stage: prod\r\n"];
    let observed = same(|program| {
        let proxy = Proxy::start(program, &text, &Values::new());
        let mut client = Client::connect(proxy.port("listener"));
        let mut text = String::new();
        for path in ["c", "l", "plain"]
            .map(|name| (0..of_route.len()).map(move |at| format!("/{name}{at}")))
            .into_iter()
            .flatten()
        {
            for fields in asked {
                let shares = shares(&mut client, &path, |_| fields.to_owned());
                let _ = writeln!(text, "{path} [{}] {shares}", fields.replace("\r\n", " "));
            }
        }
        text + &stats(&proxy)
    });
    assert!(observed.contains(r#"/c1 [x-v: 2 ] {"2": 30, "3": 30}"#), "{observed}");
    assert!(observed.contains(r#"/c2 [x-v: 1 x-stage: dev ] {"1": 60}"#), "{observed}");
}

#[test]
fn policies_and_localities_hold_within_subsets() {
    let hosts = Hosts::start();
    let located = |weights: &str| {
        format!(
            "common_lb_config: {{ locality_weighted_lb_config: {{}} }}
lb_subset_config: {{ {weights} subset_selectors: [{{ keys: [stage] }}, {{ keys: [v] }}] }}
load_assignment:
  cluster_name: c
  endpoints:
  - locality: {{ zone: a }}
    load_balancing_weight: 2
    lb_endpoints:
{}  - locality: {{ zone: b }}
    load_balancing_weight: 3
    lb_endpoints:
{}",
            indented(&(hosts.endpoint(0) + &hosts.endpoint(1)), 4),
            indented(&(hosts.endpoint(2) + &hosts.endpoint(3) + &hosts.endpoint(4)), 4)
        )
    };
    let sick = "metadata: { filter_metadata: { envoy.lb: { v: '1' } } }, health_status: UNHEALTHY";
    let by_priority = format!(
        "lb_policy: MAGLEV
lb_subset_config: {{ subset_selectors: [{{ keys: [stage] }}, {{ keys: [v] }}] }}
load_assignment:
  cluster_name: c
  endpoints:
  - lb_endpoints:
{}    - {{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: 9 }} }} }}, {sick} }}
  - priority: 1
    lb_endpoints:
{}",
        indented(&(hosts.endpoint(1) + &hosts.endpoint(2)), 4),
        indented(&(hosts.endpoint(0) + &hosts.endpoint(3) + &hosts.endpoint(4)), 4)
    );
    let plain = |policy: &str, single: &str| {
        let subsets = format!(
            "lb_subset_config: {{ subset_selectors: [{{ keys: [stage]{single} }}, {{ keys: [v] }}] }}"
        );
        let endpoints = indented(&hosts.endpoints(), 4);
        format!(
            "{policy}\n{subsets}\nload_assignment:\n  cluster_name: c\n  endpoints:\n  - lb_endpoints:\n{endpoints}"
        )
    };
    let configs = [
        located(""),
        located("locality_weight_aware: true,"),
        located("locality_weight_aware: true, scale_locality_weight: true,"),
        by_priority,
        plain("lb_policy: MAGLEV", ""),
        plain("lb_policy: RING_HASH", ", single_host_per_subset: true"),
    ];
    let (mut routes, mut clusters) = (String::new(), String::new());
    for (number, config) in configs.iter().enumerate() {
        let _ = write!(clusters, "- name: c{number}\n{}", indented(config, 2));
        for (at, criteria) in ["stage: prod", "v: '1'", "v: '2'"].into_iter().enumerate() {
            let criteria = metadata_match(criteria);
            let _ = writeln!(
                routes,
                "- match: {{ path: /{number}/{at} }}\n  route: {{ cluster: c{number}, {criteria}, hash_policy: [{{ header: {{ header_name: x-key }} }}] }}"
            );
        }
    }
    same(|program| {
        let proxy = proxy(program, &routes, &clusters, "");
        let mut client = Client::connect(proxy.port("listener"));
        let mut text = String::new();
        for path in
            (0..configs.len()).flat_map(|number| [0, 1, 2].map(|at| format!("/{number}/{at}")))
        {
            let shares = shares(&mut client, &path, |number| format!("x-key: {number}\r\n"));
            let _ = writeln!(text, "{path} {shares}");
        }
        text + &stats(&proxy)
    });
}

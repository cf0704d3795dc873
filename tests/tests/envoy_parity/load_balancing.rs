//! Which host of a cluster a request goes to. All proxies of a test have the same upstreams: a hash
//! must lead to the same host through each of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use ringmain_tests::client::Client;
use ringmain_tests::message::Message;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, indented, one_listener};
use ringmain_tests::upstream::{Upstream, reply};

/// A filter that puts `x-key` on the stream, as text and as what can be hashed.
const KEY_AS_OBJECTS: &str = r#"          - name: objects
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config
              on_request_headers:
              - object_key: text
                factory_key: envoy.string
                format_string: { text_format_source: { inline_string: "%REQ(x-key)%" } }
              - object_key: hashable
                factory_key: envoy.hashable_string
                format_string: { text_format_source: { inline_string: "%REQ(x-key)%" } }
"#;

/// Hosts that answer with their number.
struct Hosts(Vec<Upstream>);

impl Hosts {
    fn start(count: usize) -> Self {
        let answer = |number| format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
        Self((0..count).map(|number| Upstream::start(vec![reply(answer(number))])).collect())
    }

    /// A proxy with these fields of its route and its cluster, in which `{{0}}` is the address of
    /// host 0 and so on.
    fn proxy(&self, program: Program, route: &str, cluster: &str) -> Proxy {
        let routes = format!(
            "- match: {{ prefix: / }}\n  response_headers_to_add: [{{ header: {{ key: x-added, value: v }} }}]\n  \
             route:\n    cluster: c\n{}",
            indented(route, 4)
        );
        let text = one_listener(&routes, &format!("- name: c\n{}", indented(cluster, 2)));
        let text = text.replacen("http_filters:\n", &format!("http_filters:\n{KEY_AS_OBJECTS}"), 1);
        let address = |host: &Upstream| {
            let port = host.address().port();
            format!(
                "{{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}"
            )
        };
        let values = self.0.iter().enumerate();
        let values: Values =
            values.map(|(number, host)| (number.to_string(), address(host))).collect();
        Proxy::start(program, &text, &values)
    }
}

fn ask(proxy: &Proxy, path: &str, fields: &str) -> Message {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(format!(
        "GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{fields}\r\n"
    ));
    client.read_response().expect("a response")
}

/// The host that answered each of `count` requests, or the status where none did.
fn answers(proxy: &Proxy, count: usize) -> Vec<String> {
    let answer = |number: usize| {
        let fields = format!("x-key: key-{number}\r\ncookie: s=user{number}\r\n");
        let response = ask(proxy, &format!("/p?id=q{number}"), &fields);
        match response.status() {
            Some(200) => String::from_utf8_lossy(&response.body).into_owned(),
            status => format!("{status:?}"),
        }
    };
    (0..count).map(answer).collect()
}

/// Stats of the cluster that tell about its hosts and how they are chosen.
fn stats(proxy: &Proxy) -> String {
    let mut text = String::new();
    for (name, value) in proxy.admin().stats("^cluster.c.(lb_|ring_hash|maglev|membership_[tdhe])")
    {
        // Of zones, Envoy counts once more for each thread.
        if !name.ends_with("lb_recalculate_zone_structures") {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}

/// What `/clusters` says of the hosts themselves, without their counters.
fn host_rows(proxy: &Proxy) -> String {
    const KEYS: [&str; 7] =
        ["health_flags", "weight", "region", "zone", "sub_zone", "canary", "priority"];
    let text = proxy.admin().get("/clusters").text();
    let is_host_row = |line: &&str| KEYS.iter().any(|key| line.contains(&format!("::{key}::")));
    let mut rows: Vec<&str> = text.lines().filter(is_host_row).collect();
    rows.sort_unstable();
    rows.join("\n")
}

const REQUESTS: usize = 60;
const BY_HEADER: &str = "hash_policy: [{ header: { header_name: x-key } }]";

/// Every proxy sends each request to the same host as Envoy, and tells the same of it. The answers.
#[track_caller]
fn same_choices(hosts: &Hosts, route: &str, cluster: &str) -> Vec<String> {
    let observe = |program| {
        let proxy = hosts.proxy(program, route, cluster);
        (answers(&proxy, REQUESTS), stats(&proxy), host_rows(&proxy))
    };
    let expected = observe(Program::Envoy);
    for program in Program::ringmains() {
        let observed = observe(program);
        assert_eq!(observed.0, expected.0, "{program}\n{cluster}");
        assert_eq!(observed.1, expected.1, "{program}\n{cluster}");
        assert_eq!(observed.2, expected.2, "{program}\n{cluster}");
    }
    expected.0
}

/// Every proxy sends as many requests as Envoy to each host, whichever comes first.
#[track_caller]
fn same_shares(hosts: &Hosts, cluster: &str, expected: &[(&str, usize)]) {
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        let proxy = hosts.proxy(program, "", cluster);
        let mut shares: BTreeMap<String, usize> = BTreeMap::new();
        for answer in answers(&proxy, REQUESTS) {
            *shares.entry(answer).or_default() += 1;
        }
        let shares: Vec<_> = shares.iter().map(|(host, share)| (host.as_str(), *share)).collect();
        assert_eq!(shares, expected, "{program}\n{cluster}");
    }
}

/// Endpoints by priority, each a list of a host's number and further fields.
fn assignment(priorities: &[&[(usize, &str)]]) -> String {
    let mut text = "load_assignment:\n  cluster_name: c\n  endpoints:\n".to_owned();
    for (priority, endpoints) in priorities.iter().enumerate() {
        let _ = writeln!(text, "  - priority: {priority}\n    lb_endpoints:");
        for (host, fields) in *endpoints {
            let _ = writeln!(text, "    - {{ endpoint: {{{{{host}}}}}, {fields} }}");
        }
    }
    text
}

const EQUAL: &[(usize, &str)] = &[(0, ""), (1, ""), (2, ""), (3, "")];
const WEIGHTED: &[(usize, &str)] = &[
    (0, "load_balancing_weight: 1"),
    (1, "load_balancing_weight: 3"),
    (2, "load_balancing_weight: 2"),
];

fn typed(policy: &str, fields: &str) -> String {
    let (file, _) = policy.split_once('.').expect("file.Message");
    format!(
        "load_balancing_policy:\n  policies:\n  - typed_extension_config:\n      name: p\n      typed_config: {{ '@type': type.googleapis.com/envoy.extensions.load_balancing_policies.{file}.v3.{}, {fields} }}\n",
        &policy[file.len() + 1..]
    )
}

#[test]
fn a_ring_leads_to_the_same_host() {
    let hosts = Hosts::start(4);
    let configs = [
        format!("lb_policy: RING_HASH\n{}", assignment(&[EQUAL])),
        format!(
            "lb_policy: RING_HASH\nring_hash_lb_config: {{ minimum_ring_size: 100, hash_function: MURMUR_HASH_2 }}\n{}",
            assignment(&[WEIGHTED])
        ),
        format!(
            "lb_policy: RING_HASH\nring_hash_lb_config: {{ minimum_ring_size: 6, maximum_ring_size: 7 }}\n{}",
            assignment(&[EQUAL])
        ),
        format!("{}{}", typed("ring_hash.RingHash", "minimum_ring_size: 64"), assignment(&[EQUAL])),
    ];
    for config in configs {
        same_choices(&hosts, BY_HEADER, &config);
    }
}

#[test]
fn maglev_leads_to_the_same_host() {
    let hosts = Hosts::start(4);
    let configs = [
        format!("lb_policy: MAGLEV\n{}", assignment(&[EQUAL])),
        format!("lb_policy: MAGLEV\n{}", assignment(&[WEIGHTED])),
        format!("{}{}", typed("maglev.Maglev", "table_size: 31"), assignment(&[WEIGHTED])),
    ];
    for config in configs {
        same_choices(&hosts, BY_HEADER, &config);
    }
}

#[test]
fn hashes_are_the_same() {
    let hosts = Hosts::start(4);
    let maglev = format!("lb_policy: MAGLEV\n{}", assignment(&[EQUAL]));
    let policies = [
        "hash_policy: [{ query_parameter: { name: id } }]",
        "hash_policy: [{ cookie: { name: s } }]",
        "hash_policy: [{ connection_properties: { source_ip: true } }]",
        "hash_policy: [{ filter_state: { key: hashable } }]",
        "hash_policy: [{ filter_state: { key: text } }, { filter_state: { key: none } }, { cookie: { name: s } }]",
        "hash_policy: [{ header: { header_name: x-key } }, { query_parameter: { name: id } }]",
        "hash_policy: [{ header: { header_name: x-key }, terminal: true }, { cookie: { name: s } }]",
        r"hash_policy: [{ header: { header_name: x-key, regex_rewrite: { pattern: { regex: '^key-(\\d)\\d*$' }, substitution: '\\1' } } }]",
        "hash_policy: [{ header: { header_name: x-key, regex_rewrite: { pattern: { regex: '.*' } } } }]",
        "hash_policy: [{ header: { header_name: none }, terminal: true }, { cookie: { name: s } }]",
    ];
    for policy in policies {
        same_choices(&hosts, policy, &maglev);
    }
}

#[test]
fn a_host_is_known_by_its_own_key_or_its_name() {
    let hosts = Hosts::start(3);
    let key = "metadata: { filter_metadata: { envoy.lb: { hash_key: ";
    let keyed = [
        (0, format!("{key} alpha, canary: true }} }} }}")),
        (1, format!("{key} beta }} }} }}")),
        (2, String::new()),
    ];
    let keyed: Vec<(usize, &str)> =
        keyed.iter().map(|(host, fields)| (*host, fields.as_str())).collect();
    same_choices(&hosts, BY_HEADER, &format!("lb_policy: MAGLEV\n{}", assignment(&[&keyed])));
}

#[test]
fn load_spills_over_in_the_same_way() {
    const SICK: &str = "health_status: UNHEALTHY";
    const DEGRADED: &str = "health_status: DEGRADED";
    const DRAINING: &str = "health_status: DRAINING";
    let hosts = Hosts::start(6);
    let table: [&[&[(usize, &str)]]; 7] = [
        &[&[(0, ""), (1, SICK)], &[(2, ""), (3, "")]],
        &[&[(0, SICK), (1, SICK)], &[(2, ""), (3, SICK)], &[(4, ""), (5, "")]],
        &[&[(0, SICK), (1, SICK), (2, SICK), (3, "")], &[(4, SICK), (5, SICK)]],
        &[&[(0, SICK), (1, SICK)], &[(2, SICK), (3, SICK), (4, SICK)]],
        &[&[(0, ""), (1, DRAINING), (2, DRAINING)], &[(3, "")]],
        &[&[(0, SICK), (1, SICK)]],
        &[&[(0, ""), (1, DEGRADED)], &[(2, DEGRADED), (3, "")]],
    ];
    for priorities in table {
        let config = format!("lb_policy: RING_HASH\n{}", assignment(priorities));
        same_choices(&hosts, BY_HEADER, &config);
    }
    let without_panic = "common_lb_config: { healthy_panic_threshold: { value: 0 } }";
    for priorities in &table[2..4] {
        let config = format!("lb_policy: RING_HASH\n{without_panic}\n{}", assignment(priorities));
        same_choices(&hosts, BY_HEADER, &config);
    }
    let policy = "  policy: { overprovisioning_factor: 200, weighted_priority_health: true }\n";
    let weighted =
        assignment(&[&[(0, "load_balancing_weight: 3"), (1, SICK), (2, SICK)], &[(3, "")]]);
    same_choices(&hosts, BY_HEADER, &format!("lb_policy: RING_HASH\n{weighted}{policy}"));
}

#[test]
fn hosts_get_their_share() {
    let hosts = Hosts::start(4);
    let tenth = [("0", 10), ("1", 30), ("2", 20)];
    for policy in ["lb_policy: ROUND_ROBIN", "lb_policy: LEAST_REQUEST"] {
        same_shares(&hosts, &format!("{policy}\n{}", assignment(&[WEIGHTED])), &tenth);
    }
    let quarter = [("0", 15), ("1", 15), ("2", 15), ("3", 15)];
    let slow = typed("round_robin.RoundRobin", "slow_start_config: { slow_start_window: 0.001s }");
    same_shares(&hosts, &format!("{slow}{}", assignment(&[EQUAL])), &quarter);
    let degraded =
        assignment(&[&[(0, "health_status: DEGRADED"), (1, "health_status: UNHEALTHY")]]);
    same_shares(&hosts, &degraded, &[("0", 60)]);
}

#[test]
fn localities_get_their_share() {
    let hosts = Hosts::start(3);
    let config = "common_lb_config: { locality_weighted_lb_config: {} }
load_assignment:
  cluster_name: c
  endpoints:
  - locality: { zone: b }
    load_balancing_weight: 1
    lb_endpoints: [{ endpoint: {{0}} }]
  - locality: { zone: a }
    load_balancing_weight: 2
    lb_endpoints: [{ endpoint: {{1}} }, { endpoint: {{2}} }]
";
    same_shares(&hosts, config, &[("0", 20), ("1", 20), ("2", 20)]);
    same_choices(&hosts, BY_HEADER, &format!("lb_policy: MAGLEV\n{config}"));
}

/// The cookie's value is of the connection: only its form is compared.
#[test]
fn a_client_without_the_cookie_gets_one() {
    let hosts = Hosts::start(3);
    let maglev = format!("lb_policy: MAGLEV\n{}", assignment(&[EQUAL[0..3].as_ref()]));
    let policies = [
        "hash_policy: [{ cookie: { name: s, ttl: 10s, path: /p } }]",
        "hash_policy: [{ cookie: { name: s, ttl: 0s } }, { header: { header_name: x-key } }]",
        "hash_policy: [{ cookie: { name: s, ttl: 0.5s, attributes: [{ name: SameSite, value: Lax }, { name: Secure }] } }]",
        "hash_policy: [{ cookie: { name: s } }]",
    ];
    for policy in policies {
        let observe = |program| {
            let proxy = hosts.proxy(program, policy, &maglev);
            let given = ask(&proxy, "/", "");
            let head = given.head.lines().map(|line| match line.split_once("s=\"") {
                Some((before, after)) => format!("{before}{}", &after[16..]),
                None => line.to_owned(),
            });
            let head: Vec<String> = head.filter(|line| !line.starts_with("date:")).collect();
            let head = head.into_iter().filter(|line| !line.contains("service-time"));
            let Some(cookie) = given.header("set-cookie") else {
                return head.collect::<Vec<_>>().join("\n");
            };
            let (pair, _) = cookie.split_once(';').expect("it has attributes");
            for _ in 0..5 {
                let again = ask(&proxy, "/", &format!("cookie: {pair}\r\n"));
                assert_eq!(again.body, given.body, "{program} {policy}");
                assert_eq!(again.header("set-cookie"), None, "{program} {policy}");
            }
            head.collect::<Vec<_>>().join("\n")
        };
        let expected = observe(Program::Envoy);
        for program in Program::ringmains() {
            assert_eq!(observe(program), expected, "{program} {policy}");
        }
    }
}

/// Hosts of three priorities, all of which fail.
fn failing(count: usize) -> Hosts {
    let answer = |number| {
        format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1\r\nx-host: {number}\r\n\r\n{number}"
        )
    };
    Hosts((0..count).map(|number| Upstream::start(vec![reply(answer(number))])).collect())
}

/// How many requests each of `count` hosts got when one was sent that is retried by this
/// `retry_policy`.
fn retried(program: Program, policy: &str, endpoints: &str, count: usize) -> Vec<usize> {
    let route = format!(
        "retry_policy: {{ retry_on: 5xx, retry_back_off: {{ base_interval: 0.001s }}, {policy} }}"
    );
    let cluster = format!("load_assignment: {{ cluster_name: c, endpoints: {endpoints} }}");
    let hosts = failing(count);
    let proxy = hosts.proxy(program, &route, &cluster);
    assert_eq!(ask(&proxy, "/", "").status(), Some(503));
    hosts.0.iter().map(|host| host.requests().len()).collect()
}

/// The same from every program.
#[track_caller]
fn retried_alike(policy: &str, endpoints: &str, count: usize) -> Vec<usize> {
    let expected = retried(Program::Envoy, policy, endpoints, count);
    for program in Program::ringmains() {
        assert_eq!(retried(program, policy, endpoints, count), expected, "{program}");
    }
    expected
}

#[test]
fn retries_leave_the_priorities_that_failed() {
    const THREE: &str = "[{ lb_endpoints: [{ endpoint: {{0}} }] }, { priority: 1, lb_endpoints: [{ endpoint: {{1}} }] }, { priority: 2, lb_endpoints: [{ endpoint: {{2}} }] }]";
    let policy = |frequency: u32, retries: u32| {
        format!(
            "num_retries: {retries}, retry_priority: {{ name: p, typed_config: {{ '@type': \
             type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig, \
             update_frequency: {frequency} }} }}"
        )
    };
    assert_eq!(retried_alike(&policy(1, 2), THREE, 3), [1, 1, 1]);
    assert_eq!(retried_alike(&policy(2, 3), THREE, 3), [2, 2, 0]);
    // All were tried: they begin anew.
    assert_eq!(retried_alike(&policy(1, 4), THREE, 3), [2, 2, 1]);
    assert_eq!(retried_alike("num_retries: 2", THREE, 3), [3, 0, 0]);
}

#[test]
fn overload_is_dropped() {
    // Nearly all is another matter than all.
    for share in ["numerator: 100", "numerator: 999999, denominator: MILLION", "numerator: 0"] {
        let cluster = format!(
            "load_assignment: {{ cluster_name: c, policy: {{ drop_overloads: [{{ category: all, \
             drop_percentage: {{ {share} }} }}] }}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{{{0}}}} }}] }}] }}"
        );
        let told = |program| {
            let hosts = Hosts::start(1);
            let proxy = hosts.proxy(program, "", &cluster);
            let response = ask(&proxy, "/", "");
            let stats =
                proxy.admin().stats("^cluster.c.(external.)?upstream_rq_(503|completed|total)$");
            let text = normalize::headers(&response.to_string());
            format!("{text}\n{stats:?}\n{} requests", hosts.0[0].requests().len())
        };
        let expected = told(Program::Envoy);
        for program in Program::ringmains() {
            assert_eq!(told(program), expected, "{program}");
        }
    }
}

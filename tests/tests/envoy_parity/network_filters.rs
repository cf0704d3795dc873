//! Filters that let a connection pass or not, before the one that serves it.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, same_with, stats};
use ringmain_tests::template::{Values, bare_listener};
use ringmain_tests::upstream::{Act, Upstream};

/// Asks for `a.example`.
const HELLO: &[u8] = include_bytes!("../../../fuzz/corpus/client_hello/sni_and_alpn");

const COUNTED: &str = "%5E(listener%5C.in%5C.(downstream_cx_(total|active|destroy)|no)|connection_limit|local_rate_limit|.*rbac|tcp%5C.tcp%5C.downstream_cx_(no|total)|http%5C.ingress%5C.downstream_cx_(total|active|destroy)|cluster%5C..*upstream_cx_total)";

/// What sees the name in a ClientHello. Without it a connection is served before its first byte.
pub const INSPECTOR: &str = r#"    listener_filters:
    - name: tls_inspector
      typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
"#;

/// A listener whose one chain has these filters, written `name.v3.Message, fields`.
pub fn config(filters: &[&str], clusters: &str) -> String {
    let filter = |filter: &&str| {
        format!(
            r#"
  - name: filter
    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.network.{filter} }}"#
        )
    };
    let filters: String = filters.iter().map(filter).collect();
    bare_listener(INSPECTOR, &format!("- filters:{filters}"), clusters)
}

/// A cluster of one host.
pub fn cluster(name: &str) -> String {
    format!(
        "  clusters:
  - name: {name}
    type: STATIC
    load_assignment:
      cluster_name: {name}
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }} }}] }}]
"
    )
}

/// A host that says nothing, and what names it.
pub fn upstream() -> (Values, Upstream) {
    let upstream = Upstream::start(vec![vec![Act::Close]]);
    let port = upstream.address().port().to_string();
    (Values::from([("upstream".into(), port)]), upstream)
}

const ECHO: &str = "echo.v3.Echo";
const HTTP: &str = "http_connection_manager.v3.HttpConnectionManager, stat_prefix: ingress, http_filters: [{ name: router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }], route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }] }";
const TWO_AT_ONCE: &str =
    "connection_limit.v3.ConnectionLimit, stat_prefix: few, max_connections: 2";
const TWO_EVER: &str = "local_ratelimit.v3.LocalRateLimit, stat_prefix: slow, token_bucket: { max_tokens: 2, fill_interval: 3600s }";

/// Refuses every connection.
pub const NOBODY: &str = "rbac.v3.RBAC, stat_prefix: who, rules: { action: DENY, policies: { all of them: { permissions: [{ any: true }], principals: [{ any: true }] } } }";

/// Enough for the TLS inspector to see that it is none.
const PLAIN: &str = "GET /";

fn connect(proxy: &Proxy) -> Client {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(PLAIN);
    client
}

/// Whether an echo comes back.
fn is_served(client: &mut Client, sent: &[u8]) -> String {
    match client.read_bytes(sent.len()) {
        bytes if bytes == sent => "served\n".to_owned(),
        bytes => format!("closed after {} bytes\n", bytes.len()),
    }
}

/// Waits until as many connections were counted as have been opened, and all but `active` have ended. One that is
/// refused may end before it is counted.
fn wait_for_connections(proxy: &Proxy, opened: u64, active: u64) {
    proxy.admin().wait_for_stat("listener.in.downstream_cx_total", opened);
    proxy.admin().wait_for_stat("listener.in.downstream_cx_active", active);
}

#[test]
fn connections_of_a_chain_are_limited() {
    let counted = COUNTED.replace("connection_limit", "connection_limit.*limited");
    for (more, counted) in [
        ("", COUNTED),
        (", delay: 0.1s", COUNTED),
        // Envoy takes ends off the gauge without having counted beginnings.
        (", runtime_enabled: { default_value: false }", &*counted),
    ] {
        let limit = format!("{TWO_AT_ONCE}{more}");
        same(&config(&[&limit, ECHO], ""), &Values::new(), |proxy| {
            let mut clients = [connect(proxy), connect(proxy)];
            let mut story: String =
                clients.iter_mut().map(|client| is_served(client, PLAIN.as_bytes())).collect();
            story += &is_served(&mut connect(proxy), PLAIN.as_bytes());
            wait_for_connections(proxy, 3, 2);
            story += &stats(proxy, counted);
            let [first, _second] = clients;
            drop(first);
            wait_for_connections(proxy, 3, 1);
            story += &is_served(&mut connect(proxy), PLAIN.as_bytes());
            wait_for_connections(proxy, 4, 1);
            story + &stats(proxy, counted)
        });
    }
}

#[test]
fn connections_of_a_chain_come_at_a_rate() {
    for more in ["", ", runtime_enabled: { default_value: false }"] {
        let rate = format!("{TWO_EVER}{more}");
        same(&config(&[&rate, ECHO], ""), &Values::new(), |proxy| {
            let served = |_| is_served(&mut connect(proxy), PLAIN.as_bytes());
            let story: String = (0..4).map(served).collect();
            wait_for_connections(proxy, 4, 0);
            story + &stats(proxy, COUNTED)
        });
    }
}

/// It waits no longer than it wants to, and nothing is kept for it.
#[test]
fn a_refused_client_may_leave_before_its_time() {
    let rbac = format!("{NOBODY}, delay_deny: 3600s");
    same(&config(&[&rbac, ECHO], ""), &Values::new(), |proxy| {
        let clients = [connect(proxy), connect(proxy)];
        proxy.admin().wait_for_stat("who.rbac.denied", 2);
        wait_for_connections(proxy, 2, 2);
        drop(clients);
        wait_for_connections(proxy, 2, 0);
        stats(proxy, COUNTED)
    });
}

#[test]
fn filters_share_buckets() {
    let bucket = |max_tokens: u32, more: &str| {
        format!(
            "local_ratelimit.v3.LocalRateLimit, stat_prefix: slow, token_bucket: {{ max_tokens: {max_tokens}, fill_interval: 3600s }}{more}"
        )
    };
    for (one, other) in [
        (bucket(4, ", share_key: k"), bucket(4, ", share_key: k")),
        (bucket(4, ", share_key: k"), bucket(4, ", share_key: l")),
        (bucket(4, ", share_key: k"), bucket(5, ", share_key: k")),
        (bucket(4, ""), bucket(4, "")),
    ] {
        same(&config(&[&one, &other, ECHO], ""), &Values::new(), |proxy| {
            let served = |_| is_served(&mut connect(proxy), PLAIN.as_bytes());
            let story: String = (0..6).map(served).collect();
            wait_for_connections(proxy, 6, 0);
            story + &stats(proxy, COUNTED)
        });
    }
}

#[test]
fn policies_ask_for_names_and_ports_and_addresses() {
    let policy = |permission: &str, principal: &str| {
        format!(
            "policies: {{ p: {{ permissions: [{{ {permission} }}], principals: [{{ {principal} }}] }} }}"
        )
    };
    for rules in [
        policy("requested_server_name: { exact: a.example }", "any: true"),
        policy("destination_port: {{listener}}", "any: true"),
        policy("destination_port: 1", "any: true"),
        policy("any: true", "direct_remote_ip: { address_prefix: 127.0.0.1, prefix_len: 32 }"),
        policy("any: true", "not_id: { remote_ip: { address_prefix: 127.0.0.0, prefix_len: 8 } }"),
        policy("url_path: { path: { prefix: / } }", "any: true"),
    ] {
        let rbac = format!(
            "rbac.v3.RBAC, stat_prefix: who., rules: {{ {rules} }}, \
             shadow_rules: {{ action: DENY, {rules} }}, shadow_rules_stat_prefix: shadow"
        );
        same(&config(&[&rbac, ECHO], ""), &Values::new(), |proxy| {
            let mut story = String::new();
            for sent in [HELLO, PLAIN.as_bytes()] {
                let mut client = Client::connect(proxy.port("listener"));
                client.send(sent);
                story += &is_served(&mut client, sent);
            }
            wait_for_connections(proxy, 2, 0);
            story + &stats(proxy, COUNTED)
        });
    }
}

#[test]
fn trees_decide_in_place_of_policies() {
    const INPUT: &str = "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3";
    let action = |name: &str, action: &str| {
        format!(
            "{{ action: {{ name: a, typed_config: {{ \"@type\": type.googleapis.com/envoy.config.rbac.v3.Action, name: {name}, action: {action} }} }} }}"
        )
    };
    let tree = |input: &str, branches: &str, otherwise: &str| {
        format!(
            "{{ matcher_tree: {{ input: {{ name: i, typed_config: {{ \"@type\": {INPUT}.{input} }} }}, {branches} }}{otherwise} }}"
        )
    };
    let (allow, deny) = (action("members", "ALLOW"), action("no one", "DENY"));
    let otherwise = format!(", on_no_match: {deny}");
    for tree in [
        tree(
            "ServerNameInput",
            &format!("exact_match_map: {{ map: {{ a.example: {allow} }} }}"),
            "",
        ),
        tree(
            "ServerNameInput",
            &format!("prefix_match_map: {{ map: {{ a.: {deny} }} }}"),
            &format!(", on_no_match: {allow}"),
        ),
        tree(
            "DestinationPortInput",
            &format!("exact_match_map: {{ map: {{ '{{{{listener}}}}': {allow} }} }}"),
            &otherwise,
        ),
        tree(
            "SourceIPInput",
            &format!(
                "custom_match: {{ name: ip, typed_config: {{ \"@type\": type.googleapis.com/xds.type.matcher.v3.IPMatcher, range_matchers: [{{ ranges: [{{ address_prefix: 127.0.0.0, prefix_len: 8 }}], on_match: {allow} }}] }} }}"
            ),
            &otherwise,
        ),
        "{}".to_owned(),
    ] {
        let rbac = format!(
            "rbac.v3.RBAC, stat_prefix: who., matcher: {tree}, \
             shadow_matcher: {{ on_no_match: {allow} }}, shadow_rules_stat_prefix: shadow"
        );
        same(&config(&[&rbac, ECHO], ""), &Values::new(), |proxy| {
            let mut story = String::new();
            for sent in [HELLO, PLAIN.as_bytes()] {
                let mut client = Client::connect(proxy.port("listener"));
                client.send(sent);
                story += &is_served(&mut client, sent);
            }
            wait_for_connections(proxy, 2, 0);
            story + &stats(proxy, COUNTED)
        });
    }
}

#[test]
fn the_filter_behind_counts_and_logs_who_was_refused() {
    let tcp = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: up, access_log: [{ name: file, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: '{{scratch}}/log', log_format: { text_format_source: { inline_string: \"%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %BYTES_SENT% %ACCESS_LOG_TYPE%\\n\" } } } }]";
    let one = TWO_AT_ONCE.replace(": 2", ": 1");
    for (filter, held) in [(&*one, 1), (&TWO_EVER.replace(": 2", ": 1"), 1), (NOBODY, 0)] {
        let config = config(&[filter, tcp], &cluster("up"));
        same_with(&config, upstream, |proxy, upstream| {
            let held: Vec<_> = (0..held).map(|_| connect(proxy)).collect();
            upstream.wait_for_connections(held.len());
            wait_for_connections(proxy, held.len() as u64, held.len() as u64);
            let (bytes, _) = connect(proxy).read_to_end();
            let mut story = format!("{} bytes\n", bytes.len());
            story += &log_lines(proxy, "log", 1, &[]);
            story += &stats(proxy, "%5E(tcp%5C.tcp%5C.downstream_cx_(no|total)|.*rbac)");
            drop(held);
            upstream.close_connections();
            story
        });
    }
    for filter in [&*one, NOBODY] {
        same(&config(&[filter, HTTP], ""), &Values::new(), |proxy| {
            let held = connect(proxy);
            proxy.admin().wait_for_stat("http.ingress.downstream_cx_total", 1);
            let (bytes, _) = connect(proxy).read_to_end();
            let mut story = format!("{} bytes\n", bytes.len());
            drop(held);
            wait_for_connections(proxy, 2, 0);
            story += &stats(proxy, COUNTED);
            story
        });
    }
}

/// Logs and policies find it.
#[test]
fn the_cluster_that_is_named_is_in_the_filter_state() {
    let log = "access_log: [{ name: file, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: '{{scratch}}/log', log_format: { text_format_source: { inline_string: \"%FILTER_STATE(envoy.tcp_proxy.cluster:PLAIN)% %FILTER_STATE(envoy.tcp_proxy.cluster)% %FILTER_STATE(envoy.tcp_proxy.cluster:PLAIN):3% %DYNAMIC_METADATA(envoy.filters.network.rbac)%\\n\" } } } }]";
    let tcp = format!("tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: other, {log}");
    let named = "principals: [{ filter_state: { key: envoy.tcp_proxy.cluster, string_match: { exact: a.example } } }]";
    let shadow =
        NOBODY.replace("rules:", "shadow_rules:").replace("principals: [{ any: true }]", named);
    let config = config(&["sni_cluster.v3.SniCluster", &shadow, &tcp], &cluster("a.example"));
    same_with(&config, upstream, |proxy, upstream| {
        let mut client = Client::connect(proxy.port("listener"));
        client.send(HELLO);
        upstream.wait_for_connections(1);
        drop(client);
        upstream.close_connections();
        log_lines(proxy, "log", 1, &[])
    });
}

/// Enforced policies leave a hint where they log, shadow policies what they would have done.
#[test]
fn decisions_are_noted() {
    let tcp = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: up, access_log: [{ name: file, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: '{{scratch}}/log', log_format: { text_format_source: { inline_string: \"%DYNAMIC_METADATA(envoy.filters.network.rbac)% %DYNAMIC_METADATA(envoy.common)%\\n\" } } } }]";
    let log = NOBODY.replace("DENY", "LOG");
    let shadow = NOBODY.replace("rules:", "shadow_rules_stat_prefix: s_, shadow_rules:");
    let allow = NOBODY.replace("DENY", "ALLOW");
    for filters in [&[&*log, tcp][..], &[&*shadow, tcp], &[&*allow, tcp], &[&*shadow, &*log, tcp]] {
        same_with(&config(filters, &cluster("up")), upstream, |proxy, upstream| {
            let client = connect(proxy);
            upstream.wait_for_connections(1);
            drop(client);
            upstream.close_connections();
            log_lines(proxy, "log", 1, &[])
        });
    }
}

#[test]
fn the_name_in_the_client_hello_names_the_cluster() {
    let tcp = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: other";
    let config = config(&["sni_cluster.v3.SniCluster", tcp], &cluster("a.example"));
    same_with(&config, upstream, |proxy, upstream| {
        let mut named = Client::connect(proxy.port("listener"));
        named.send(HELLO);
        upstream.wait_for_connections(1);
        drop(named);
        let mut unnamed = connect(proxy);
        let (bytes, _) = unnamed.read_to_end();
        upstream.close_connections();
        wait_for_connections(proxy, 2, 0);
        format!("{}\n", bytes.escape_ascii()) + &stats(proxy, COUNTED)
    });
}

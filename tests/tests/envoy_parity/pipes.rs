//! Unix sockets: listeners on them, hosts behind them, and how both are told of.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same_with, stats};
use ringmain_tests::template::Values;
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

use crate::GET;

const FORMAT: &str = "remote %DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
    direct %DOWNSTREAM_DIRECT_REMOTE_ADDRESS% \
    %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% local %DOWNSTREAM_LOCAL_ADDRESS% \
    %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% \
    host %UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \
    %UPSTREAM_REMOTE_PORT% from %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% flags %RESPONSE_FLAGS% \
    why %UPSTREAM_TRANSPORT_FAILURE_REASON% %RESPONSE_CODE_DETAILS%";

fn listener(name: &str, address: &str, more: &str, chains: &str) -> String {
    format!(
        "  - name: {name}
    address: {address}
    {more}
    filter_chains:
{chains}"
    )
}

fn http(prefix: &str, fields: &str, routes: &str) -> String {
    format!(
        r#"    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {prefix}
          {fields}
          http_filters: [{{ name: router, typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }} }}]
          route_config: {{ virtual_hosts: [{{ name: all, domains: ['*'], routes: [{routes}] }}] }}
          access_log: [{}]
"#,
        log(prefix)
    )
}

fn log(file: &str) -> String {
    format!(
        r#"{{ name: file, typed_config: {{ "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: "{{{{scratch}}}}/{file}.log", log_format: {{ text_format_source: {{ inline_string: "{FORMAT}\n" }} }} }} }}"#
    )
}

fn tcp(prefix: &str, source_type: &str) -> String {
    format!(
        r#"    - filter_chain_match: {{ source_type: {source_type} }}
      filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: {prefix}
          cluster: up
          access_log: [{}]
"#,
        log(prefix)
    )
}

fn cluster(name: &str, address: &str) -> String {
    format!(
        "  - name: {name}
    type: STATIC
    load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {address} }} }}] }}] }}
"
    )
}

fn config() -> String {
    const INTERNAL: &str =
        "use_remote_address: true\n          internal_address_config: { unix_sockets: true }";
    const SOCKET: &str = "{ socket_address: { address: 127.0.0.1, port_value: {{listener}} } }";
    const FILE: &str = "{ pipe: { path: '{{scratch}}/in.sock' } }";
    const ABSTRACT: &str = "{ pipe: { path: '@{{name}}' } }";
    let pipe =
        |name: &str| format!("{{ pipe: {{ path: '{{{{scratch}}}}/{name}.sock', mode: 384 }} }}");
    let route = |path: &str, cluster: &str| {
        format!("{{ match: {{ path: /{path} }}, route: {{ cluster: {cluster} }} }}")
    };
    let routes = ["by_path", "by_name", "absent"].map(|name| route(name, name)).join(", ");
    let up = "{ match: { prefix: / }, route: { cluster: up } }";
    let allows = r#"listener_filters: [{ name: p, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol } }]"#;
    let additional = format!("additional_addresses: [{{ address: {ABSTRACT} }}]");
    let upstream = "{ socket_address: { address: 127.0.0.1, port_value: {{upstream}} } }";
    [
        "admin:
  address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } }
static_resources:
  listeners:
"
        .to_owned(),
        listener("front", SOCKET, "", &http("front", "", &routes)),
        listener("inner", &pipe("in"), &additional, &http("inner", "use_remote_address: true", up)),
        listener(
            "bytes",
            &pipe("bytes"),
            "",
            &(tcp("outside", "EXTERNAL") + &tcp("inside", "SAME_IP_OR_LOOPBACK")),
        ),
        listener("told", &pipe("told"), allows, &http("told", INTERNAL, up)),
        "  clusters:\n".to_owned(),
        cluster("up", upstream),
        cluster("by_path", FILE),
        cluster("by_name", ABSTRACT),
        cluster("absent", &pipe("absent")),
    ]
    .concat()
}

/// The abstract namespace is everybody's.
static NAMES: AtomicU32 = AtomicU32::new(0);

fn abstract_name(number: u32) -> String {
    format!("ringmain-test-{}-{number}", std::process::id())
}

/// Plays; what is told of the scratch folder and of the upstream's port has names.
#[track_caller]
fn tell(scene: impl Fn(&Proxy, &Upstream, &mut String)) {
    let name = Cell::new(0);
    let set_up = || {
        name.set(NAMES.fetch_add(1, Ordering::Relaxed));
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("name".into(), abstract_name(name.get())),
        ]);
        (values, upstream)
    };
    same_with(&config(), set_up, |proxy, upstream| {
        let mut story = String::new();
        scene(proxy, upstream, &mut story);
        story += &normalize::headers(&upstream.transcript());
        let ports = [(upstream.address().port(), "upstream"), (proxy.port("listener"), "listener")];
        let story = ports.iter().fold(story, |story, (port, name)| {
            [":", " "].iter().fold(story, |story, before| {
                story.replace(&format!("{before}{port}"), &format!("{before}<{name}>"))
            })
        });
        let story = story.replace(&proxy.scratch().display().to_string(), "<scratch>");
        story.replace(&abstract_name(name.get()), "<name>")
    });
}

fn ask(client: &mut Client, request: &str, story: &mut String) {
    client.send(request);
    let answer = client.read_response().expect("an answer");
    *story += &normalize::headers(&answer.to_string());
}

fn path(proxy: &Proxy, name: &str) -> String {
    proxy.scratch().join(format!("{name}.sock")).display().to_string()
}

#[test]
fn hosts_behind_unix_sockets_serve_and_are_told_of() {
    tell(|proxy, _, story| {
        let mut clients = Vec::new();
        for target in ["by_path", "by_name", "absent"] {
            let request = format!("GET /{target} HTTP/1.1\r\nhost: a.example\r\n\r\n");
            let mut client = Client::connect(proxy.port("listener"));
            clients.push((client.local_address().port(), "client"));
            ask(&mut client, &request, story);
        }
        *story += &log_lines(proxy, "front.log", 3, &clients);
        *story += &log_lines(proxy, "inner.log", 2, &[]);
        *story += &stats(
            proxy,
            "%5Ecluster%5C.(by_path|by_name|absent)%5C.upstream_(rq_total|cx_(total|connect_fail|destroy|http1_total))",
        );
        let clusters = proxy.admin().get("/clusters").text();
        let own =
            clusters.lines().filter(|line| line.starts_with("by_") && line.contains("health"));
        let mut lines: Vec<_> = own.map(str::to_owned).collect();
        let clusters: serde_json::Value =
            serde_json::from_str(&proxy.admin().get("/clusters?format=json").text()).expect("JSON");
        let clusters = clusters["cluster_statuses"].as_array().expect("a list").iter();
        lines.extend(clusters.map(|one| one["host_statuses"][0]["address"].to_string()));
        lines.sort();
        *story += &lines.join("\n");
    });
}

#[test]
fn listeners_on_unix_sockets_are_told_of() {
    tell(|proxy, _, story| {
        let mut lines: Vec<_> =
            proxy.admin().get("/listeners").text().lines().map(str::to_owned).collect();
        lines.sort();
        *story += &lines.join("\n");
        *story += &proxy.admin().get("/listeners?format=json").text();
        let mode = std::fs::metadata(path(proxy, "in")).expect("a file").permissions().mode();
        *story += &format!("{mode:o}\n");
    });
}

#[test]
fn clients_of_unix_sockets_go_by_the_listeners_name() {
    tell(|proxy, upstream, story| {
        ask(&mut Client::connect_pipe(&path(proxy, "in"), None), GET, story);
        let own = path(proxy, "client");
        ask(&mut Client::connect_pipe(&path(proxy, "in"), Some(&own)), GET, story);
        *story += &log_lines(proxy, "inner.log", 2, &[]);
        ask(&mut Client::connect_pipe(&path(proxy, "bytes"), None), GET, story);
        eventually("the client's end", || {
            upstream.connections().iter().any(|one| one.end.is_some()).then_some(())
        });
        upstream.close_connections();
        *story += &log_lines(proxy, "inside.log", 1, &[]);
        let told = format!("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n{GET}");
        ask(&mut Client::connect_pipe(&path(proxy, "told"), None), &told, story);
        let unknown = format!("PROXY UNKNOWN\r\n{GET}");
        ask(&mut Client::connect_pipe(&path(proxy, "told"), None), &unknown, story);
        *story += &log_lines(proxy, "told.log", 2, &[]);
        *story += &stats(proxy, "%5Elistener%5C..*(in|bytes|told)%5C.sock.*downstream_cx_total");
    });
}

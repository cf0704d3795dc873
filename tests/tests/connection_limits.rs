//! Limits on downstream connections, beside Envoy and exact with several workers.

use std::fmt::Write;

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::Values;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";

const GLOBAL_LIMIT: &str = r#"
overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 2
"#;

const LISTENERS: &str = r#"
admin:
  address: { socket_address: { address: 127.0.0.1, port_value: {{admin}} } }
  ignore_global_conn_limit: true
static_resources:
  listeners:
  - name: one
    stat_prefix: one
    address: { socket_address: { address: 127.0.0.1, port_value: {{listener_one}} } }
    filter_chains: &chains
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{ match: { prefix: / }, direct_response: { status: 204 } }]
  - name: two
    stat_prefix: two
    address: { socket_address: { address: 127.0.0.1, port_value: {{listener_two}} } }
    filter_chains: *chains
  - name: free
    stat_prefix: free
    ignore_global_conn_limit: true
    address: { socket_address: { address: 127.0.0.1, port_value: {{listener_free}} } }
    filter_chains: *chains
"#;

fn start(program: Program, limits: &str, workers: &str) -> Proxy {
    let config = format!("{limits}{LISTENERS}");
    Proxy::start_with(program, &config, &Values::new(), &["--concurrency", workers])
}

/// Asks over a new connection to `listener`: the connection where it is served.
fn ask(proxy: &Proxy, listener: &str, story: &mut String) -> Option<Client> {
    let mut client = Client::connect(proxy.port(&format!("listener_{listener}")));
    client.send(GET);
    match client.read_response() {
        Ok(response) => {
            *story += &format!("{listener}: {}", normalize::headers(&response.to_string()));
            Some(client)
        }
        // Whether the request arrives before the close decides on a reset or an end.
        Err(_) => {
            *story += &format!("{listener}: closed\n");
            None
        }
    }
}

fn stats(proxy: &Proxy) -> String {
    let counted = ["active", "destroy", "overflow", "overload_reject", "total"];
    let mut story = String::new();
    for listener in ["one", "two", "free"] {
        for name in counted {
            let value = proxy.admin().stat(&format!("listener.{listener}.downstream_cx_{name}"));
            let _ = writeln!(story, "{listener}.downstream_cx_{name}: {value}");
        }
        let global = format!("listener.{listener}.downstream_global_cx_overflow");
        let _ = writeln!(story, "{global}: {}", proxy.admin().stat(&global));
    }
    for (name, value) in proxy.admin().stats("%5E(overload%5C.envoy|runtime%5C.num)") {
        let _ = writeln!(story, "{name}: {value}");
    }
    story
}

fn wait_for(proxy: &Proxy, stat: &str, value: u64) {
    proxy.admin().wait_for_stat(&format!("listener.{stat}"), value);
}

/// Plays a scene with Envoy and both engines: all must tell the same story.
#[track_caller]
fn same(limits: &str, scene: impl Fn(&Proxy) -> String) {
    let told = |program| scene(&start(program, limits, "1"));
    let expected = told(Program::Envoy);
    if std::env::var_os("PARITY_SHOW").is_some() {
        eprintln!("{expected}");
    }
    for program in Program::ringmains() {
        let told = told(program);
        assert!(expected == told, "envoy:\n{expected}\n{program}:\n{told}");
    }
}

#[test]
fn listeners_share_the_global_limit_but_for_one_that_ignores_it() {
    same(GLOBAL_LIMIT, |proxy| {
        let mut story = String::new();
        let first = ask(proxy, "one", &mut story).expect("served");
        let _second = ask(proxy, "two", &mut story).expect("served");
        let _free = ask(proxy, "free", &mut story).expect("served");
        assert!(ask(proxy, "one", &mut story).is_none());
        assert!(ask(proxy, "two", &mut story).is_none());
        let _free = ask(proxy, "free", &mut story).expect("served");
        wait_for(proxy, "two.downstream_global_cx_overflow", 1);
        story += &stats(proxy);
        drop(first);
        wait_for(proxy, "one.downstream_cx_active", 0);
        let _third = ask(proxy, "two", &mut story).expect("served");
        assert!(ask(proxy, "one", &mut story).is_none());
        wait_for(proxy, "one.downstream_global_cx_overflow", 2);
        story + &stats(proxy)
    });
}

#[test]
fn a_listener_has_a_limit_of_its_own() {
    let limits = "layered_runtime:
  layers:
  - name: low
    static_layer:
      envoy.resource_limits.listener.one.connection_limit: 5
      envoy.resource_limits.listener.free.connection_limit: '0'
  - name: high
    static_layer: { envoy: { resource_limits: { listener: { one: { connection_limit: 1 } } } } }
";
    same(limits, |proxy| {
        let mut story = String::new();
        let first = ask(proxy, "one", &mut story).expect("served");
        let _other = ask(proxy, "two", &mut story).expect("served");
        assert!(ask(proxy, "one", &mut story).is_none());
        assert!(ask(proxy, "free", &mut story).is_none());
        wait_for(proxy, "one.downstream_cx_overflow", 1);
        wait_for(proxy, "free.downstream_cx_overflow", 1);
        story += &stats(proxy);
        drop(first);
        wait_for(proxy, "one.downstream_cx_active", 0);
        let _next = ask(proxy, "one", &mut story).expect("served");
        let runtime = proxy.admin().get("/runtime").text();
        let mut runtime: serde_json::Value = serde_json::from_str(&runtime).expect("JSON");
        // Envoy's come in any order.
        runtime.sort_all_objects();
        story + &stats(proxy) + &format!("{runtime:#}\n")
    });
}

/// Not beside Envoy, which counts connections to its admin listener towards this key's limit.
#[test]
fn the_older_runtime_key_limits_all_listeners() {
    let limits = "layered_runtime: { layers: [{ name: all, \
                  static_layer: { overload: { global_downstream_max_connections: 2 } } }] }";
    for program in Program::ringmains() {
        let proxy = start(program, limits, "1");
        let mut story = String::new();
        let _first = ask(&proxy, "one", &mut story).expect("served");
        let _second = ask(&proxy, "two", &mut story).expect("served");
        let _free = ask(&proxy, "free", &mut story).expect("served");
        assert!(ask(&proxy, "one", &mut story).is_none());
        wait_for(&proxy, "one.downstream_global_cx_overflow", 1);
    }
}

#[test]
fn the_limit_is_exact_over_all_workers() {
    for program in Program::ringmains() {
        let limit = GLOBAL_LIMIT.replace("connections: 2", "connections: 10");
        let proxy = start(program, &limit, "4");
        let served = || {
            let kept = (0..30).filter_map(|_| ask(&proxy, "one", &mut String::new()));
            kept.collect::<Vec<_>>()
        };
        let first = served();
        assert_eq!(first.len(), 10, "{program}");
        wait_for(&proxy, "one.downstream_global_cx_overflow", 20);
        drop(first);
        wait_for(&proxy, "one.downstream_cx_active", 0);
        assert_eq!(served().len(), 10, "{program}");
    }
}

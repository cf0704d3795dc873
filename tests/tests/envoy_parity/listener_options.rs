//! Where a listener listens, and how its sockets are set up.

use std::fs;
use std::net::SocketAddr;

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::story::{same, stats};
use ringmain_tests::template::{Values, bare_listener};

const PING: &[u8] = b"ping";

/// A listener with these fields that sends back what comes.
fn config(fields: &str) -> String {
    const ECHO: &str = r#"- filters:
  - name: echo
    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo }"#;
    bare_listener(fields, ECHO, "")
}

fn connect(proxy: &Proxy, listener: &str) -> Client {
    let mut client = Client::connect(proxy.port(listener));
    client.send(PING);
    assert_eq!(client.read_bytes(PING.len()), PING);
    client
}

/// Whether the kernel is to probe the proxy's end of this connection: by the timer of the socket in
/// proc_pid_net(5), whose kind 2 is that of keepalive.
fn is_probed(client: &Client, port: u16) -> bool {
    const REMOTE: usize = 2;
    const TIMER: usize = 5;
    let remote = match client.local_address() {
        SocketAddr::V4(v4) => {
            format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port())
        }
        SocketAddr::V6(_) => panic!("tests connect by IPv4"),
    };
    let local = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").expect("procfs");
    let lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let ours = lines
        .filter(|line| line[1].ends_with(&local) && line[REMOTE] == remote)
        .collect::<Vec<_>>();
    let [line] = &ours[..] else { panic!("{} sockets with {remote}", ours.len()) };
    line[TIMER].starts_with("02:")
}

#[test]
fn a_listener_has_several_addresses() {
    let config = config(
        "
         additional_addresses:
         - address: { socket_address: { address: 127.0.0.1, port_value: {{listener_b}} } }
         - address: { socket_address: { address: 127.0.0.1, port_value: {{listener_c}} } }",
    );
    same(&config, &Values::new(), |proxy| {
        let names = ["listener", "listener_b", "listener_c"];
        for name in names {
            connect(proxy, name);
        }
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        let list =
            ["/listeners", "/listeners?format=json"].map(|path| proxy.admin().get(path).text());
        let named = |list: String, name: &str| list.replace(&proxy.port(name).to_string(), name);
        names.into_iter().fold(list.concat(), named) + &stats(proxy, "%5Elistener%5C.in%5C.")
    });
}

#[test]
fn connections_are_probed_where_a_listener_says_so() {
    const KEEPALIVE: &str = "{ level: 1, name: 9, int_value: 1, state: STATE_PREBIND }";
    let config = config(&format!(
        "
         socket_options: [{KEEPALIVE}]
         additional_addresses:
         - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener_b}}}} }} }}
           socket_options: {{ socket_options: [] }}
         - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener_c}}}} }} }}
           socket_options: {{ socket_options: [] }}
           tcp_keepalive: {{ keepalive_time: 30 }}"
    ));
    same(&config, &Values::new(), |proxy| {
        let names = ["listener", "listener_b", "listener_c"];
        let probed = names.map(|name| is_probed(&connect(proxy, name), proxy.port(name)));
        format!("{probed:?}\n")
    });
}

#[test]
fn sockets_are_set_up_as_told() {
    for fields in [
        "tcp_keepalive: {}",
        "tcp_fast_open_queue_length: 5",
        "freebind: true",
        "transparent: false",
        "tcp_backlog_size: 5",
        "enable_reuse_port: false",
    ] {
        same(&config(fields), &Values::new(), |proxy| {
            let client = connect(proxy, "listener");
            format!("{}\n", is_probed(&client, proxy.port("listener")))
        });
    }
}

#[test]
fn workers_may_share_a_socket() {
    for program in Program::ringmains() {
        let config = config("enable_reuse_port: false");
        let mut proxy =
            Proxy::start_with(program, &config, &Values::new(), &["--concurrency", "2"]);
        let clients: Vec<_> = (0..50).map(|_| connect(&proxy, "listener")).collect();
        assert_eq!(proxy.admin().stat("listener.in.downstream_cx_active"), 50, "{program}");
        drop(clients);
        proxy.terminate();
        assert!(proxy.wait_exit().success(), "{program}");
        assert!(!proxy.stderr().contains("cannot accept"), "{}", proxy.stderr());
    }
}

#[test]
fn an_address_may_be_another_machines() {
    let elsewhere = config("freebind: true").replacen(
        "address: 127.0.0.1, port_value: {{listener}}",
        "address: 192.0.2.1, port_value: {{listener}}",
        1,
    );
    for program in Program::ringmains() {
        Proxy::start(program, &elsewhere, &Values::new());
    }
}

/// How many of `count` connections each of two workers has.
fn shares(program: Program, config: &str, count: usize) -> Vec<u64> {
    let proxy = Proxy::start_with(program, config, &Values::new(), &["--concurrency", "2"]);
    let clients: Vec<Client> = (0..count).map(|_| connect(&proxy, "listener")).collect();
    let of_worker = |worker| format!("listener.in.worker_{worker}.downstream_cx_active");
    let shares = (0..2).map(|worker| proxy.admin().stat(&of_worker(worker))).collect();
    drop(clients);
    proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
    shares
}

#[test]
fn workers_may_have_equal_shares_of_the_connections() {
    let config = config("connection_balance_config: { exact_balance: {} }\n");
    let programs = [Program::Envoy].into_iter().chain(Program::ringmains());
    for program in programs {
        assert_eq!(shares(program, &config, 20), [10, 10], "{program}");
    }
}

/// Those that another listener has handed over count, though they stay where they are.
#[test]
fn shares_are_equal_beside_connections_that_are_handed_over() {
    let proxy_protocol = r#"use_original_dst: true
listener_filters:
- name: proxy_protocol
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol }
"#;
    let balanced = config("connection_balance_config: { exact_balance: {} }\n");
    let (_, balanced) = balanced.split_once("  listeners:\n").expect("a list");
    let first = config(proxy_protocol).replace("name: in", "name: first");
    let first = first.replace("stat_prefix: in", "stat_prefix: first");
    let config = first.replace("{{listener}}", "{{listener_b}}") + balanced;
    for program in Program::ringmains() {
        let proxy = Proxy::start_with(program, &config, &Values::new(), &["--concurrency", "2"]);
        let header = format!("PROXY TCP4 127.0.0.1 127.0.0.1 1 {}\r\n", proxy.port("listener"));
        let handed_over = |_| {
            let mut client = Client::connect(proxy.port("listener_b"));
            client.send(&header);
            client.send(PING);
            assert_eq!(client.read_bytes(PING.len()), PING);
            client
        };
        let _handed: Vec<Client> = (0..10).map(handed_over).collect();
        let _own: Vec<Client> = (0..10).map(|_| connect(&proxy, "listener")).collect();
        let of_worker = |worker| format!("listener.in.worker_{worker}.downstream_cx_active");
        let shares = [0, 1].map(|worker| proxy.admin().stat(&of_worker(worker)));
        assert_eq!(shares, [10, 10], "{program}");
    }
}

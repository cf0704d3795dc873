//! Thousands of hosts that come, go and change while requests run: none of them is disturbed, and the
//! worker's turns are measured inside.

use std::net::Ipv4Addr;

use ringmain_tests::client::Client;
use ringmain_tests::dns_server::{Data, DnsServer, Kind, Reply};
use ringmain_tests::load::Load;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, one_listener};
use ringmain_tests::upstream::{Act, Upstream, ok};
use ringmain_tests::wait::eventually;

/// Names of the cluster; a TCP answer has no room for the addresses of all.
const NAMES: u8 = 5;
const ADDRESSES_PER_NAME: u16 = 1000;

/// Every request goes to `upstream`; the hosts of [`NAMES`] are the next priority.
fn proxy(program: Program, upstream: &Upstream, dns: &DnsServer, cluster: &str) -> Proxy {
    let at = |address: &str, port: u16| {
        format!(
            "[{{ endpoint: {{ address: {{ socket_address: {{ address: {address}, port_value: {port} }} }} }} }}]"
        )
    };
    let names: String = (0..NAMES)
        .map(|name| {
            let host = at(&format!("n{name}.example"), 9);
            format!("    - {{ priority: 1, lb_endpoints: {host} }}\n")
        })
        .collect();
    let (upstream, dns) = (at("127.0.0.1", upstream.address().port()), dns.address().port());
    let clusters = format!(
        r#"- name: c
  type: STRICT_DNS
  dns_lookup_family: V4_ONLY
  dns_refresh_rate: 1s
  typed_dns_resolver_config:
    name: envoy.network.dns_resolver.cares
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
      resolvers: [{{ socket_address: {{ address: 127.0.0.1, port_value: {dns} }} }}]
  {cluster}
  load_assignment:
    cluster_name: c
    endpoints:
    - lb_endpoints: {upstream}
{names}"#
    );
    let routes = "- { match: { prefix: / }, route: { cluster: c } }";
    let text = format!("enable_dispatcher_stats: true\n{}", one_listener(routes, &clusters));
    Proxy::start(program, &text, &Values::new())
}

/// Has every name resolve to addresses of its own, which are others in each `generation`.
fn name_hosts(dns: &DnsServer, generation: u8) {
    for name in 0..NAMES {
        let address = |number: u16| {
            let [high, low] = number.to_be_bytes();
            Data::A(Ipv4Addr::new(127, 100 + generation * NAMES + name, high, low))
        };
        let addresses = (0..ADDRESSES_PER_NAME).map(address).collect();
        dns.set(&format!("n{name}.example"), Kind::A, Reply::OnlyByTcp(addresses));
    }
}

/// Waits until the hosts of every name have changed once more.
fn wait_for_hosts(proxy: &Proxy, generation: u64) {
    let all = u64::from(NAMES) * u64::from(ADDRESSES_PER_NAME) + 1;
    eventually("other hosts", || {
        let stat = |name: &str| proxy.admin().stat(&format!("cluster.c.{name}"));
        // The first change is the host that has an address in the file.
        let changes = 1 + u64::from(NAMES) * generation;
        (stat("membership_change") == changes && stat("membership_total") == all).then_some(())
    });
}

#[test]
fn a_change_of_thousands_of_hosts_disturbs_nobody() {
    for program in Program::ringmains() {
        let first = vec![Act::ReadBody, Act::AwaitRelease, ok()[1].clone()];
        let (upstream, dns) = (Upstream::start(vec![first, ok()]), DnsServer::start());
        name_hosts(&dns, 0);
        let cluster = "lb_policy: MAGLEV";
        let proxy = proxy(program, &upstream, &dns, cluster);
        wait_for_hosts(&proxy, 1);
        let mut running = Client::connect(proxy.port("listener"));
        running.send("GET /running HTTP/1.1\r\nhost: a\r\n\r\n");
        upstream.wait_for_requests(1);
        let load = Load::start(proxy.port("listener"), 2);
        for generation in 1..=3 {
            name_hosts(&dns, generation);
            wait_for_hosts(&proxy, u64::from(generation) + 1);
            load.wait_for(20);
        }
        load.finish();
        upstream.release();
        let response = running.read_response().expect("the request that ran all along");
        assert_eq!(response.status(), Some(200), "{program}");
        let turns = eventually("turns of the event loop", || {
            let text = proxy.admin().get("/stats?filter=dispatcher").text();
            let is_recorded = |line: &&str| {
                line.starts_with("listener_manager.worker_0.dispatcher.loop_duration_us: P0(")
            };
            text.lines().find(is_recorded).map(str::to_owned)
        });
        eprintln!("{program}: {turns}");
    }
}

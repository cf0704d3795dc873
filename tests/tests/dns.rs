//! Hosts that names are resolved to. What Envoy does too is compared with it; it empties a cluster
//! whose name is gone, which ringmain does not.

use std::net::Ipv6Addr;

use ringmain_tests::client::Client;
use ringmain_tests::dns_server::{Data, DnsServer, Kind, Reply};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, indented, one_listener};
use ringmain_tests::upstream::{Upstream, ok, reply};
use ringmain_tests::wait::eventually;

const NAME: &str = "users.example";

/// A proxy whose cluster `c` has these fields and asks `dns` for [`NAME`].
fn proxy(program: Program, dns: &DnsServer, port: u16, cluster: &str) -> Proxy {
    let endpoint = format!("{{ socket_address: {{ address: {NAME}, port_value: {port} }} }}");
    let clusters = format!(
        "- name: c\n  load_assignment: {{ cluster_name: c, endpoints: [{{ lb_endpoints: \
         [{{ endpoint: {{ address: {endpoint} }} }}] }}] }}\n{}",
        indented(cluster, 2)
    );
    let text = one_listener("- { match: { prefix: / }, route: { cluster: c } }", &clusters);
    let values = Values::from([("resolver".into(), resolver(dns, ""))]);
    Proxy::start(program, &text, &values)
}

/// What makes a proxy ask `dns`.
fn resolver(dns: &DnsServer, fields: &str) -> String {
    let port = dns.address().port();
    format!(
        "typed_dns_resolver_config: {{ name: envoy.network.dns_resolver.cares, typed_config: {{ \
         '@type': type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, \
         resolvers: [{{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}], {fields} }} }}"
    )
}

const STRICT: &str = "type: STRICT_DNS\ndns_refresh_rate: 0.05s\n{{resolver}}";
const V4: &str = "dns_lookup_family: V4_ONLY";

fn all_programs() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

/// The hosts as `/clusters` tells them: address, weight and priority.
fn hosts(proxy: &Proxy) -> Vec<String> {
    let text = proxy.admin().get("/clusters").text();
    let of = |address: &str, key: &str| {
        let row = format!("c::{address}::{key}::");
        text.lines().find_map(|line| line.strip_prefix(&row)).unwrap_or_default().to_owned()
    };
    let rows = text.lines().filter_map(|line| line.strip_suffix("::hostname::users.example"));
    let mut hosts: Vec<String> = rows
        .filter_map(|row| row.strip_prefix("c::"))
        .map(|at| format!("{at} weight {} priority {}", of(at, "weight"), of(at, "priority")))
        .collect();
    hosts.sort();
    hosts
}

/// Waits until the cluster has the hosts at these addresses, all alike.
#[track_caller]
fn wait_for_hosts(proxy: &Proxy, expected: &[&str]) {
    let expected: Vec<String> =
        expected.iter().map(|address| format!("{address} weight 1 priority 0")).collect();
    let mut last = Vec::new();
    eventually(&format!("{expected:?}"), || {
        last = hosts(proxy);
        (last == expected).then_some(())
    });
}

fn status(client: &mut Client) -> Option<u16> {
    client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
    client.read_response().expect("a response").status()
}

#[test]
fn hosts_follow_the_answers() {
    for program in all_programs() {
        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2]]));
        let proxy = proxy(program, &dns, 81, &format!("{STRICT}\n{V4}"));
        wait_for_hosts(&proxy, &["127.0.0.2:81"]);
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 3], [127, 0, 0, 2]]));
        wait_for_hosts(&proxy, &["127.0.0.2:81", "127.0.0.3:81"]);
        let changes = proxy.admin().stat("cluster.c.membership_change");
        let looks = proxy.admin().stat("cluster.c.update_success");
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2], [127, 0, 0, 3]]));
        eventually("three more looks", || {
            (proxy.admin().stat("cluster.c.update_success") >= looks + 3).then_some(())
        });
        assert_eq!(proxy.admin().stat("cluster.c.membership_change"), changes, "{program}");
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 3]]));
        wait_for_hosts(&proxy, &["127.0.0.3:81"]);
    }
}

#[test]
fn families_are_as_asked_for() {
    let dns = DnsServer::start();
    let v6 = || Reply::Records(60, vec![Data::Aaaa(Ipv6Addr::LOCALHOST)]);
    let both = |name: &str| {
        dns.set(name, Kind::A, Reply::v4(&[[127, 0, 0, 2]]));
        dns.set(name, Kind::Aaaa, v6());
    };
    for (family, has_v6, expected) in [
        ("V4_ONLY", true, &["127.0.0.2:81"][..]),
        ("V6_ONLY", true, &["[::1]:81"]),
        ("AUTO", true, &["[::1]:81"]),
        ("AUTO", false, &["127.0.0.2:81"]),
        ("V4_PREFERRED", true, &["127.0.0.2:81"]),
        ("ALL", true, &["127.0.0.2:81", "[::1]:81"]),
        ("ALL", false, &["127.0.0.2:81"]),
    ] {
        both(NAME);
        if !has_v6 {
            dns.set(NAME, Kind::Aaaa, Reply::Records(60, Vec::new()));
        }
        for program in all_programs() {
            let proxy = proxy(program, &dns, 81, &format!("{STRICT}\ndns_lookup_family: {family}"));
            wait_for_hosts(&proxy, expected);
        }
    }
}

#[test]
fn of_two_families_the_one_that_cannot_be_looked_up_keeps_its_hosts() {
    for program in Program::ringmains() {
        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2]]));
        dns.set(NAME, Kind::Aaaa, Reply::Records(60, vec![Data::Aaaa(Ipv6Addr::LOCALHOST)]));
        let proxy = proxy(program, &dns, 81, &format!("{STRICT}\ndns_lookup_family: ALL"));
        wait_for_hosts(&proxy, &["127.0.0.2:81", "[::1]:81"]);
        dns.set(NAME, Kind::Aaaa, Reply::Failure);
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 3]]));
        wait_for_hosts(&proxy, &["127.0.0.3:81", "[::1]:81"]);
        proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 1);
        // That a family has no address is an answer.
        dns.set(NAME, Kind::Aaaa, Reply::Records(60, Vec::new()));
        wait_for_hosts(&proxy, &["127.0.0.3:81"]);
        proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 0);
    }
}

#[test]
fn an_answer_without_addresses_takes_nobody_away() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let port = upstream.address().port();
        let here = format!("127.0.0.1:{port}");
        for kind in ["STRICT_DNS", "LOGICAL_DNS"] {
            let dns = DnsServer::start();
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 1]]));
            let fields = format!(
                "type: {kind}\ndns_refresh_rate: 0.05s\n{V4}\n{}",
                resolver(&dns, "query_timeout_seconds: 1, query_tries: 1")
            );
            let proxy = proxy(program, &dns, port, &fields);
            let mut client = Client::connect(proxy.port("listener"));
            assert_eq!(status(&mut client), Some(200));
            let none = || Reply::Records(60, Vec::new());
            for reply in [Reply::NoSuchName, Reply::Failure, none(), Reply::Silence] {
                dns.set(NAME, Kind::A, reply.clone());
                proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 1);
                wait_for_hosts(&proxy, &[&here]);
                assert_eq!(status(&mut client), Some(200), "{program} {reply:?}");
                dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 1]]));
                proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 0);
            }
            assert_eq!(proxy.admin().stat("cluster.c.membership_change"), 1);
            // An answer with another address is believed.
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 9]]));
            wait_for_hosts(&proxy, &[&format!("127.0.0.9:{port}")]);
        }
    }
}

#[test]
fn an_answer_that_was_cut_short_takes_nobody_away() {
    for program in Program::ringmains() {
        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2], [127, 0, 0, 3]]));
        let options = "query_timeout_seconds: 1, query_tries: 1";
        let resolver = resolver(&dns, options);
        let fields = format!("type: STRICT_DNS\ndns_refresh_rate: 0.05s\n{V4}\n{resolver}");
        let proxy = proxy(program, &dns, 81, &fields);
        wait_for_hosts(&proxy, &["127.0.0.2:81", "127.0.0.3:81"]);
        dns.set(NAME, Kind::A, Reply::CutShort(vec![Data::A([127, 0, 0, 2].into())]));
        proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 1);
        wait_for_hosts(&proxy, &["127.0.0.2:81", "127.0.0.3:81"]);
        assert_eq!(proxy.admin().stat("cluster.c.membership_change"), 1);
    }
}

#[test]
fn of_a_logical_name_the_first_address_is_the_host() {
    let typed = "cluster_type: { name: envoy.cluster.dns, typed_config: { '@type': type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster, all_addresses_in_single_endpoint: true, dns_refresh_rate: 0.05s, dns_lookup_family: V4_ONLY, {{resolver}} } }";
    let own = format!("type: LOGICAL_DNS\ndns_refresh_rate: 0.05s\n{V4}\n{{{{resolver}}}}");
    for program in all_programs() {
        for fields in [typed, &own] {
            let dns = DnsServer::start();
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 3], [127, 0, 0, 2]]));
            let proxy = proxy(program, &dns, 81, fields);
            wait_for_hosts(&proxy, &["127.0.0.3:81"]);
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2], [127, 0, 0, 3]]));
            wait_for_hosts(&proxy, &["127.0.0.2:81"]);
            assert_eq!(proxy.admin().stat("cluster.c.membership_total"), 1);
            let failures = proxy.admin().stat("cluster.c.update_failure");
            dns.set(NAME, Kind::A, Reply::NoSuchName);
            eventually("a failure", || {
                (proxy.admin().stat("cluster.c.update_failure") > failures).then_some(())
            });
            wait_for_hosts(&proxy, &["127.0.0.2:81"]);
        }
    }
}

#[test]
fn an_answer_too_long_for_udp_comes_by_tcp() {
    for program in all_programs() {
        let dns = DnsServer::start();
        let addresses: Vec<Data> = (2..30).map(|last| Data::A([127, 0, 0, last].into())).collect();
        dns.set(NAME, Kind::A, Reply::OnlyByTcp(addresses));
        let truncated = proxy(program, &dns, 81, &format!("{STRICT}\n{V4}"));
        truncated.admin().wait_for_stat("cluster.c.membership_total", 28);
        let [by_udp, by_tcp] = dns.asked(NAME, Kind::A);
        assert!(by_udp > 0 && by_tcp > 0, "{program} {by_udp} {by_tcp}");

        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 2]]));
        let options = "dns_resolver_options: { use_tcp_for_dns_lookups: true }";
        let fields = format!("type: STRICT_DNS\n{V4}\n{}", resolver(&dns, options));
        wait_for_hosts(&proxy(program, &dns, 81, &fields), &["127.0.0.2:81"]);
        assert_eq!(dns.asked(NAME, Kind::A)[0], 0, "{program}");
    }
}

#[test]
fn looks_come_as_the_ttl_or_the_failures_have_it() {
    for program in all_programs() {
        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::Records(1, vec![Data::A([127, 0, 0, 2].into())]));
        let rare = format!("type: STRICT_DNS\n{V4}\ndns_refresh_rate: 3600s\n{{{{resolver}}}}");
        let by_ttl = proxy(program, &dns, 81, &format!("{rare}\nrespect_dns_ttl: true"));
        wait_for_hosts(&by_ttl, &["127.0.0.2:81"]);
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 3]]));
        wait_for_hosts(&by_ttl, &["127.0.0.3:81"]);

        dns.set(NAME, Kind::A, Reply::Failure);
        let often = "dns_failure_refresh_rate: { base_interval: 0.05s, max_interval: 0.1s }";
        let after_failure =
            proxy(program, &dns, 81, &format!("{rare}\n{often}\ndns_jitter: 0.01s"));
        eventually("three failures", || {
            (after_failure.admin().stat("cluster.c.update_failure") >= 3).then_some(())
        });
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 4]]));
        wait_for_hosts(&after_failure, &["127.0.0.4:81"]);
    }
}

#[test]
fn listeners_need_not_wait_for_an_answer() {
    for program in all_programs() {
        let dns = DnsServer::start();
        dns.set(NAME, Kind::A, Reply::Silence);
        let fields = format!("{STRICT}\n{V4}\nwait_for_warm_on_init: false");
        let proxy = proxy(program, &dns, 81, &fields);
        let mut client = Client::connect(proxy.port("listener"));
        assert_eq!(status(&mut client), Some(503), "{program}");
        assert_eq!(proxy.admin().stat("cluster.c.update_success"), 0);
    }
}

#[test]
fn without_a_port_the_services_of_the_name_are_the_hosts() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![reply("HTTP/1.1 204 No Content\r\n\r\n")]);
        let port = upstream.address().port();
        let dns = DnsServer::start();
        let service = |priority, weight, port, target: &str| Data::Srv {
            priority,
            weight,
            port,
            target: target.to_owned(),
        };
        let services = vec![
            service(20, 5, 81, "b.example"),
            service(10, 3, port, "a.example"),
            service(10, 0, port, "none.example"),
        ];
        dns.set(NAME, Kind::Srv, Reply::Records(60, services));
        dns.set("a.example", Kind::A, Reply::v4(&[[127, 0, 0, 1]]));
        dns.set("b.example", Kind::A, Reply::v4(&[[127, 0, 0, 2], [127, 0, 0, 3]]));
        let proxy = proxy(program, &dns, 0, &format!("{STRICT}\n{V4}"));
        let expected = [
            format!("127.0.0.1:{port} weight 3 priority 0"),
            "127.0.0.2:81 weight 5 priority 1".to_owned(),
            "127.0.0.3:81 weight 5 priority 1".to_owned(),
        ];
        eventually("the services", || (hosts(&proxy) == expected).then_some(()));
        let mut client = Client::connect(proxy.port("listener"));
        assert_eq!(status(&mut client), Some(204), "{program}");
        // A target that cannot be looked up says nothing of the others.
        dns.set("b.example", Kind::A, Reply::Failure);
        proxy.admin().wait_for_stat("cluster.c.dns.stale_names", 1);
        assert_eq!(hosts(&proxy), expected);
    }
}

#[test]
fn samples_of_eight_are_united() {
    for program in Program::ringmains() {
        let dns = DnsServer::start();
        let sample = |from: u8| {
            let addresses: Vec<[u8; 4]> = (from..from + 8).map(|last| [127, 0, 1, last]).collect();
            Reply::v4(&addresses)
        };
        dns.set(NAME, Kind::A, sample(1));
        let proxy = proxy(program, &dns, 81, &format!("{STRICT}\n{V4}"));
        proxy.admin().wait_for_stat("cluster.c.membership_total", 8);
        dns.set(NAME, Kind::A, sample(5));
        proxy.admin().wait_for_stat("cluster.c.membership_total", 12);
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 1, 1], [127, 0, 1, 2]]));
        proxy.admin().wait_for_stat("cluster.c.membership_total", 2);
    }
}

#[test]
fn a_change_of_hosts_closes_the_connections_to_all_where_that_is_asked_for() {
    const CLOSES: &str = "common_lb_config: { close_connections_on_host_set_change: true }";
    for program in all_programs() {
        for (fields, closes) in [("", false), (CLOSES, true)] {
            let (upstream, dns) = (Upstream::start(vec![ok()]), DnsServer::start());
            let port = upstream.address().port();
            let [stays, comes] = [1, 2].map(|host| format!("127.0.0.{host}:{port}"));
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 1]]));
            let proxy = proxy(program, &dns, port, &format!("{STRICT}\n{V4}\n{fields}"));
            wait_for_hosts(&proxy, &[&stays]);
            assert_eq!(status(&mut Client::connect(proxy.port("listener"))), Some(200));
            dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 1], [127, 0, 0, 2]]));
            wait_for_hosts(&proxy, &[&stays, &comes]);
            // Nobody listens there, so an answer of the proxy's own proves that it has heard of the host.
            eventually("a request to the host that came", || {
                let status = status(&mut Client::connect(proxy.port("listener")));
                (status == Some(503)).then_some(())
            });
            let is_closed = || upstream.connections()[0].end.is_some();
            match closes {
                true => eventually("the connection's end", || is_closed().then_some(())),
                false => assert!(!is_closed(), "{program}"),
            }
        }
    }
}

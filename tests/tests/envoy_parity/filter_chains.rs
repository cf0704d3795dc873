//! Which filter chain serves a connection.

use std::net::Ipv4Addr;

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{same, stats};
use ringmain_tests::template::{Values, bare_listener};

use crate::GET;

const THIS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The end of a chain: answers with the chain's name.
fn named(name: &str, conditions: &str) -> String {
    format!(
        r#"
    - name: {name}
      filter_chain_match: {{ {conditions} }}
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: "{{{{scratch}}}}/chains.log"
              log_format: {{ text_format_source: {{ inline_string: "%FILTER_CHAIN_NAME%\n" }} }}
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200, body: {{ inline_string: {name} }} }} }}]
"#
    )
}

fn config(chains: &[(&str, &str)], more: &str) -> String {
    let chains: String = chains.iter().map(|(name, conditions)| named(name, conditions)).collect();
    bare_listener("", &chains, more)
        .replace("127.0.0.1, port_value: {{listener}}", "0.0.0.0, port_value: {{listener}}")
}

/// The body of the answer, which names the chain.
fn ask(proxy: &Proxy, from: Ipv4Addr, to: Ipv4Addr) -> String {
    let mut client = Client::connect_between(from, (to, proxy.port("listener")));
    client.send(GET);
    match client.read_response() {
        Ok(response) => format!("{from} to {to}: {}\n", response.text()),
        // Whether the request arrives before the close decides on a reset or an end.
        Err(_) => format!("{from} to {to}: closed\n"),
    }
}

const CHAINS: [(&str, &str); 6] = [
    ("net", "source_prefix_ranges: [{ address_prefix: 127.1.0.0, prefix_len: 16 }]"),
    ("host", "source_prefix_ranges: [{ address_prefix: 127.1.2.3, prefix_len: 32 }]"),
    ("tls", "transport_protocol: tls"),
    ("name", "server_names: [a.example]"),
    ("port", "prefix_ranges: [{ address_prefix: 127.2.0.0, prefix_len: 16 }], source_ports: [1]"),
    ("alpn", "application_protocols: [http/1.1]"),
];

fn story(proxy: &Proxy) -> String {
    let mut story = String::new();
    for (from, to) in [
        (Ipv4Addr::new(127, 1, 0, 1), THIS),
        (Ipv4Addr::new(127, 1, 2, 3), THIS),
        (THIS, THIS),
        // The destination leads to a chain that wants another port: no way back.
        (Ipv4Addr::new(127, 1, 0, 1), Ipv4Addr::new(127, 2, 0, 1)),
    ] {
        story += &ask(proxy, from, to);
    }
    proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
    story + &stats(proxy, "%5Elistener%5C.in%5C.")
}

#[test]
fn a_connection_that_no_chain_takes_is_closed() {
    same(&config(&CHAINS, ""), &Values::new(), story);
}

#[test]
fn the_default_chain_takes_what_no_other_does() {
    let default =
        named("rest", "").replacen("\n    - name", "\n    default_filter_chain:\n      name", 1);
    same(&config(&CHAINS, &default), &Values::new(), |proxy| {
        let story = story(proxy);
        story + &ringmain_tests::story::log_lines(proxy, "chains.log", 4, &[])
    });
}

#[test]
fn loopback_is_local() {
    let chains = [("far", "source_type: EXTERNAL"), ("near", "source_type: SAME_IP_OR_LOOPBACK")];
    same(&config(&chains, ""), &Values::new(), story);
}

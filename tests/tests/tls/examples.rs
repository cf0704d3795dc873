//! Envoy's examples for TLS, SNI, the TLS inspector and RBAC (`tls`, `tls-sni`, `tls-inspector`, `rbac` of
//! envoyproxy/examples), played: their listeners, filters and fields before hosts of the test. Those with two proxies
//! are in `two_proxies`.

use ringmain_tests::client::Client;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, bare_listener, indented};
use ringmain_tests::tls::{Authority, Handshake, Subject};
use ringmain_tests::upstream::{Act, Upstream};

use crate::rig::{GET, VERSIONS, assert_alike, authority, normal};
use crate::upstream::{Answer, TlsUpstream};

const INSPECTOR: &str = r#"
listener_filters:
- name: tls_inspector
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
"#;

/// TLS of a listener, with the certificate of that name.
fn server_tls(certificate: &str) -> String {
    format!(
        r#"
transport_socket:
  name: tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
    common_tls_context:
      tls_certificates:
      - certificate_chain: {{ filename: '{{{{certificates}}}}/{certificate}.crt' }}
        private_key: {{ filename: '{{{{certificates}}}}/{certificate}.key' }}"#
    )
}

/// TLS to a cluster, which nobody verifies.
fn client_tls(fields: &str) -> String {
    format!(
        r#"
transport_socket:
  name: tls
  typed_config: {{ "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, {fields} }}"#
    )
}

/// A filter chain; `more` are its other fields.
fn chain(filter: &str, more: &str) -> String {
    format!(
        "- filters:\n  - name: filter\n    typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.network.{filter} }}\n{}",
        indented(more, 2)
    )
}

fn tcp(cluster: &str) -> String {
    format!("tcp_proxy.v3.TcpProxy, cluster: {cluster}, stat_prefix: ingress_tcp")
}

/// `routes` are pairs of a prefix and a cluster; `filters` come before the router, each with a comma behind it.
fn http(routes: &[(&str, &str)], filters: &str) -> String {
    let route = |(prefix, cluster): &(&str, &str)| {
        format!("{{ match: {{ prefix: {prefix} }}, route: {{ cluster: {cluster} }} }}")
    };
    let routes = routes.iter().map(route).collect::<Vec<_>>().join(", ");
    let router = "{ name: router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }";
    format!(
        "http_connection_manager.v3.HttpConnectionManager, codec_type: AUTO, stat_prefix: ingress_http, http_filters: [{filters}{router}], \
         route_config: {{ name: local_route, virtual_hosts: [{{ name: app, domains: ['*'], routes: [{routes}] }}] }}"
    )
}

/// A cluster whose one host is at the port of its name.
fn cluster(name: &str, more: &str) -> String {
    format!(
        "  - name: {name}
    type: STRICT_DNS
    dns_lookup_family: V4_ONLY
    lb_policy: ROUND_ROBIN
    load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: localhost, port_value: {{{{{name}}}}} }} }} }} }}] }}] }}
{}",
        indented(more, 4)
    )
}

fn config(fields: &str, chains: &[String], clusters: &[String]) -> String {
    bare_listener(fields, &chains.concat(), &format!("  clusters:\n{}", clusters.concat()))
}

fn start(program: Program, authority: &Authority, config: &str, hosts: &[(&str, u16)]) -> Proxy {
    let mut values: Values =
        hosts.iter().map(|(name, port)| ((*name).to_owned(), port.to_string())).collect();
    values.insert("certificates".into(), authority.folder().display().to_string());
    Proxy::start(program, config, &values)
}

fn ask_plainly(port: u16, request: &str) -> String {
    let mut client = Client::connect(port);
    client.send(request);
    normalize::headers(&String::from_utf8_lossy(&client.read_to_end().0).replace("\r\n", "\n"))
}

fn ask_over_tls(authority: &Authority, port: u16, name: &'static str, alpn: &[&str]) -> String {
    let handshake = Handshake::new(authority, name, &VERSIONS).alpn(alpn);
    normal(&handshake.connect(port).ask(GET))
}

/// A host without TLS that answers with its name.
fn plain_host(name: &str) -> Upstream {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", name.len());
    let answer = format!("{head}connection: close\r\n\r\n{name}");
    Upstream::start(vec![vec![Act::Send(answer.into()), Act::Close]])
}

/// HTTPS to HTTP, HTTPS to HTTPS, HTTP to HTTPS, and TLS that is passed on as it is.
#[test]
fn tls_on_each_side() {
    let authority = authority();
    let to = |host| http(&[("/", host)], "");
    let certificate = server_tls("server");
    assert_alike(|program| {
        let plain = plain_host("plain");
        let tls = TlsUpstream::start(&authority, "server", false, Answer::Forwarded);
        let clusters = [
            cluster("plain", ""),
            cluster("tls", &client_tls("sni: server.example")),
            cluster("as_it_is", ""),
        ];
        let hosts = [("plain", plain.address().port()), ("tls", tls.port), ("as_it_is", tls.port)];
        let serve =
            |chain: String| start(program, &authority, &config("", &[chain], &clusters), &hosts);
        let over_tls = |proxy: Proxy| {
            ask_over_tls(&authority, proxy.port("listener"), "server.example", &["http/1.1"])
        };
        let answers = [
            over_tls(serve(chain(&to("plain"), &certificate))),
            over_tls(serve(chain(&to("tls"), &certificate))),
            ask_plainly(serve(chain(&to("tls"), "")).port("listener"), GET),
            over_tls(serve(chain(&tcp("as_it_is"), ""))),
        ];
        plain.settle();
        (answers, normalize::headers(&plain.transcript()))
    });
}

/// Names choose certificates and hosts, or whom TLS is passed on to; a second proxy asks by these names.
#[test]
fn names_choose_filter_chains() {
    let authority = authority();
    for (file, name) in [
        ("one", "domain1.example.com"),
        ("two", "domain2.example.com"),
        ("three", "domain3.example.com"),
    ] {
        authority.issue(file, &Subject { name: file, dns: vec![name], ..Subject::default() });
    }
    let named = |number: u8, filter: String, tls: &str| {
        let names =
            format!("filter_chain_match: {{ server_names: [domain{number}.example.com] }}\n");
        chain(&filter, &(names + tls))
    };
    let server = config(
        INSPECTOR,
        &[
            named(1, http(&[("/", "one")], ""), &server_tls("one")),
            named(2, http(&[("/", "two")], ""), &server_tls("two")),
            named(3, tcp("three"), ""),
        ],
        &[cluster("one", ""), cluster("two", ""), cluster("three", "")],
    );
    let routes = [("/domain1", "first"), ("/domain2", "second"), ("/domain3", "third")];
    let only_13 = "{ tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 } }";
    let client = config(
        "",
        &[chain(&http(&routes, ""), "")],
        &[
            cluster("first", &client_tls("sni: domain1.example.com")),
            cluster("second", &client_tls("sni: domain2.example.com")),
            cluster(
                "third",
                &client_tls(&format!("sni: domain3.example.com, common_tls_context: {only_13}")),
            ),
        ],
    );
    assert_alike(|program| {
        let hosts = [plain_host("one"), plain_host("two")];
        let third = TlsUpstream::start(&authority, "three", false, Answer::Named);
        let [one, two] = hosts.each_ref().map(|host| host.address().port());
        let named = [("one", one), ("two", two), ("three", third.port)];
        let server = start(program, &authority, &server, &named);
        let port = server.port("listener");
        let names =
            ["domain1.example.com", "domain2.example.com", "domain3.example.com", "other.example"];
        let direct = names.map(|name| ask_over_tls(&authority, port, name, &[]));
        let named = ["first", "second", "third"].map(|name| (name, port));
        let client = start(program, &authority, &client, &named);
        let by_client = ["/domain1", "/domain2", "/domain3", "/other"]
            .map(|path| ask_plainly(client.port("listener"), &GET.replacen('/', path, 1)));
        (direct, by_client)
    });
}

/// What a client offers by ALPN chooses whom its TLS is passed on to; another host is for who speaks no TLS.
#[test]
fn protocols_choose_filter_chains() {
    let authority = authority();
    let offering = |protocol: &str| {
        format!(
            "filter_chain_match: {{ transport_protocol: tls, application_protocols: [{protocol}] }}"
        )
    };
    let config = config(
        INSPECTOR,
        &[
            chain(&tcp("second"), &offering("h2")),
            chain(&tcp("first"), &offering("http/1.1")),
            chain(&tcp("plain"), ""),
        ],
        &[cluster("second", ""), cluster("first", ""), cluster("plain", "")],
    );
    assert_alike(|program| {
        let second = TlsUpstream::start(&authority, "server", false, Answer::Named);
        let first = TlsUpstream::start(&authority, "server", false, Answer::Whole);
        let plain = plain_host("plain");
        let hosts =
            [("second", second.port), ("first", first.port), ("plain", plain.address().port())];
        let proxy = start(program, &authority, &config, &hosts);
        let port = proxy.port("listener");
        let ask = |alpn: &[&str]| ask_over_tls(&authority, port, "server.example", alpn);
        let answers = [ask(&["http/1.1"]), ask(&["h2", "http/1.1"]), ask_plainly(port, GET)];
        let stats = ["alpn_found", "sni_found", "tls_found", "tls_not_found"]
            .map(|name| proxy.admin().stat(&format!("tls_inspector.{name}")));
        assert_eq!(stats, [2, 2, 2, 1], "{program}");
        answers
    });
}

/// RBAC by a matcher: who does not come from a page of Envoy's documentation is refused.
#[test]
fn a_matcher_lets_pass_by_referer() {
    const RBAC: &str = r#"{ name: rbac, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC, matcher: {
        matcher_list: { matchers: [{
          predicate: { not_matcher: { single_predicate: {
            input: { name: envoy.matching.inputs.request_headers, typed_config: { "@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: referer } },
            value_match: { safe_regex: { google_re2: {}, regex: 'https?://(www.)?envoyproxy.io/docs/envoy.*' } } } } },
          on_match: { action: { name: action, typed_config: { "@type": type.googleapis.com/envoy.config.rbac.v3.Action, name: illegal-referer, action: DENY } } } }] },
        on_no_match: { action: { name: action, typed_config: { "@type": type.googleapis.com/envoy.config.rbac.v3.Action, name: all-pass, action: ALLOW } } } } } }, "#;
    let authority = authority();
    let config = config("", &[chain(&http(&[("/", "plain")], RBAC), "")], &[cluster("plain", "")]);
    assert_alike(|program| {
        let host = plain_host("plain");
        let proxy = start(program, &authority, &config, &[("plain", host.address().port())]);
        let from = |referer: &str| {
            let request = GET.replacen("\r\n\r\n", &format!("\r\n{referer}\r\n"), 1);
            ask_plainly(proxy.port("listener"), &request)
        };
        [
            from(""),
            from("referer: https://www.envoyproxy.io/docs/envoy\r\n"),
            from("referer: https://www.envoyproxy.io/blog\r\n"),
        ]
    });
}

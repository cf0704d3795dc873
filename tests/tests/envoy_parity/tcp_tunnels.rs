//! `tunneling_config` of TCP proxies: a connection within a request.

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::port::RefusingPort;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::story::{log_lines, same_with, stats};
use ringmain_tests::template::{self, Values};
use ringmain_tests::upstream::{Act, Reply, Upstream, ok, reply};
use ringmain_tests::wait::eventually;

use crate::GET;

/// Not the bytes on the upstream's wire, of which Envoy counts those of the tunnel twice.
const FORMAT: &str = "%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %PROTOCOL% %UPSTREAM_PROTOCOL% \
    host %UPSTREAM_HOST% cluster %UPSTREAM_CLUSTER% bytes %BYTES_RECEIVED% %BYTES_SENT% \
    attempts %UPSTREAM_REQUEST_ATTEMPT_COUNT% why %UPSTREAM_TRANSPORT_FAILURE_REASON% \
    from %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%";

/// A TCP proxy with these fields before the upstream. Clusters `over_h1` and `over_h2` lead to a listener
/// of the same proxy that ends CONNECT and passes on to the upstream what comes out.
fn config(fields: &str) -> String {
    const H2: &str = "
    typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } }";
    let cluster = |name: &str, port: &str, more: &str| {
        format!(
            "
  - name: {name}
    type: STATIC
    load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{{port}}}}} }} }} }} }}] }}] }}{more}"
        )
    };
    let rest = format!(
        r#"  - name: end
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{listener_end}}}} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: end
          generate_request_id: false
          http2_protocol_options: {{ allow_connect: true }}
          upgrade_configs: [{{ upgrade_type: CONNECT }}]
          http_filters: [{{ name: router, typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }} }}]
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
              - match: {{ connect_matcher: {{}} }}
                route: {{ cluster: up, upgrade_configs: [{{ upgrade_type: CONNECT, connect_config: {{}} }}] }}
              - match: {{ path: /tunnel }}
                route: {{ cluster: up }}
  clusters:{}{}{}{}
"#,
        cluster("up", "upstream", ""),
        cluster("refused", "refused", ""),
        cluster("over_h1", "listener_end", ""),
        cluster("over_h2", "listener_end", H2),
    );
    template::tcp_proxy(fields, FORMAT, &rest)
}

const COUNTED: &str = "%5E(tcp%5C.tcp%5C.(downstream_cx|idle|max)|listener%5C.in%5C.|cluster%5C.(up|refused|over_h1|over_h2)%5C.upstream_(cx|rq)_(total|active|connect_fail|connect_att|http1|http2|none|overflow))";

/// Plays with an upstream of this script; the story ends with the log line and the stats.
#[track_caller]
fn tell(fields: &str, replies: &[Reply], scene: impl Fn(&Proxy, &Upstream, &mut String)) {
    let set_up = || {
        let upstream = Upstream::start(replies.to_vec());
        let refused = RefusingPort::bind();
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("refused".into(), refused.address().port().to_string()),
        ]);
        (values, (upstream, refused))
    };
    same_with(&config(fields), set_up, |proxy, (upstream, refused)| {
        let mut story = String::new();
        scene(proxy, upstream, &mut story);
        eventually("the clients' end to reach the upstream", || {
            upstream.connections().iter().all(|one| one.end.is_some()).then_some(())
        });
        upstream.close_connections();
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        let ports = [
            (upstream.address().port(), "upstream"),
            (refused.address().port(), "refused"),
            (proxy.port("listener"), "listener"),
            (proxy.port("listener_end"), "end"),
        ];
        story += &log_lines(proxy, "tcp.log", 1, &ports);
        story += &ringmain_tests::normalize::ports(&upstream.transcript(), &ports);
        story + &stats(proxy, COUNTED)
    });
}

/// The answer to a request for a tunnel, and then one to what comes through it.
fn agreed() -> [Reply; 2] {
    [reply("HTTP/1.1 200 OK\r\n\r\n"), ok()]
}

/// An upstream that replies so, and `program` before it.
fn start(program: Program, fields: &str, reply: Reply) -> (Upstream, Proxy) {
    let upstream = Upstream::start(vec![reply]);
    let port = upstream.address().port().to_string();
    let values = Values::from([("upstream".into(), port), ("refused".into(), "1".into())]);
    let proxy = Proxy::start(program, &config(fields), &values);
    (upstream, proxy)
}

fn ask_through(proxy: &Proxy, story: &mut String) {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(GET);
    *story += &client.read_response().expect("an answer").to_string();
}

fn is_refused(proxy: &Proxy) {
    let mut client = Client::connect(proxy.port("listener"));
    let (bytes, end) = client.read_to_end();
    assert!(bytes.is_empty() && end != End::TimedOut, "{bytes:?} {end}");
}

#[test]
fn a_connection_goes_on_in_a_connect() {
    let fields = "cluster: up
tunneling_config: { hostname: '%DOWNSTREAM_LOCAL_ADDRESS%', headers_to_add: [
            { header: { key: X-Who, value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' } },
            { header: { key: x-none, value: '%REQUESTED_SERVER_NAME%' } } ] }";
    tell(fields, &agreed(), |proxy, _, story| ask_through(proxy, story));
}

#[test]
fn a_host_that_does_not_agree_is_asked_as_often_as_may_be() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n",
    ] {
        for attempts in [1, 2] {
            let fields = format!(
                "cluster: up
max_connect_attempts: {attempts}
tunneling_config: {{ hostname: 'target.example:443' }}"
            );
            tell(&fields, &[reply(answer)], |proxy, _, _| is_refused(proxy));
        }
    }
}

#[test]
fn a_host_that_cannot_be_reached_or_says_nothing_is_told() {
    let fields = "cluster: refused
tunneling_config: { hostname: 'target.example:443' }";
    tell(fields, &[ok()], |proxy, _, _| is_refused(proxy));
    let fields = fields.replace("refused", "up");
    tell(&fields, &[vec![Act::ReadBody, Act::Close]], |proxy, _, _| is_refused(proxy));
}

#[test]
fn a_host_that_never_answers_is_given_up_with_the_connection() {
    for limit in ["idle_timeout", "max_downstream_connection_duration"] {
        for tunnel in [
            "cluster: up
tunneling_config: { hostname: 'target.example:443'",
            "cluster: over_h2
tunneling_config: { hostname: 'target.example', use_post: true, post_path: /tunnel",
        ] {
            let fields = format!("{limit}: 0.5s\n{tunnel} }}");
            tell(&fields, &[vec![Act::Stall]], |proxy, _, _| is_refused(proxy));
        }
    }
}

/// Without Envoy, which waits on for the host's answer.
#[test]
fn a_client_that_goes_ends_the_wait_for_the_answer() {
    let fields = "cluster: up
tunneling_config: { hostname: 'target.example:443' }";
    for program in Program::ringmains() {
        let (upstream, proxy) = start(program, fields, vec![Act::Stall]);
        let client = Client::connect(proxy.port("listener"));
        upstream.wait_for_requests(1);
        client.reset();
        proxy.admin().wait_for_stat("cluster.up.upstream_cx_active", 0);
        let cut = "cluster.up.upstream_cx_destroy_local_with_active_rq";
        assert_eq!(proxy.admin().stat(cut), 1, "{program}");
    }
}

#[test]
fn what_the_host_ends_ends_for_the_client() {
    let last = reply("HTTP/1.1 200 OK\r\n\r\n");
    let bye = vec![Act::ReadBody, Act::Send(b"bye".to_vec()), Act::Close];
    let fields = "cluster: up
tunneling_config: { hostname: 'target.example:443' }";
    tell(fields, &[last, bye], |proxy, _, story| {
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let (bytes, end) = client.read_to_end();
        *story += &format!("{} [{end}]\n", bytes.escape_ascii());
    });
}

#[test]
fn a_tunnel_may_end_at_another_proxy_by_either_version() {
    for cluster in ["over_h1", "over_h2"] {
        let fields = format!(
            "cluster: {cluster}
tunneling_config: {{ hostname: 'target.example:443' }}"
        );
        tell(&fields, &[ok()], |proxy, _, story| ask_through(proxy, story));
    }
}

/// Without Envoy, which does not survive every answer to such a request over HTTP/1.
#[test]
fn by_post_the_host_gets_a_body() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let bye = b"3\r\nbye\r\n0\r\n\r\n".to_vec();
    let reply = vec![Act::Send(answer.into()), Act::ReadBody, Act::Send(bye)];
    let fields = "cluster: up
tunneling_config: { hostname: 'target.example:443', use_post: true, post_path: /tunnel }";
    for program in Program::ringmains() {
        let (upstream, proxy) = start(program, fields, reply.clone());
        let mut client = Client::connect(proxy.port("listener"));
        client.send("hello");
        client.half_close();
        assert_eq!(client.read_to_end(), (b"bye".to_vec(), End::Closed), "{program}");
        let request = upstream.requests().pop().expect("a request");
        assert!(request.to_string().starts_with("POST /tunnel HTTP/1.1"), "{request}");
        assert_eq!(request.text(), "hello", "{program}");
    }
}

/// Without Envoy, as above.
#[test]
fn a_tunnel_that_the_client_breaks_off_is_not_the_hosts_fault() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n";
    let reply = vec![Act::Send(answer.into()), Act::Stall];
    let fields = "cluster: up
tunneling_config: { hostname: 'target.example:443', use_post: true, post_path: /tunnel }";
    for program in Program::ringmains() {
        let (_upstream, proxy) = start(program, fields, reply.clone());
        let mut client = Client::connect(proxy.port("listener"));
        assert_eq!(client.read_bytes(2), b"hi", "{program}");
        client.reset();
        proxy.admin().wait_for_stat("cluster.up.upstream_cx_active", 0);
        for (name, count) in [
            ("upstream_cx_destroy_local_with_active_rq", 1),
            ("upstream_cx_destroy_remote_with_active_rq", 0),
            ("upstream_cx_protocol_error", 0),
        ] {
            let name = format!("cluster.up.{name}");
            assert_eq!(proxy.admin().stat(&name), count, "{program} {name}");
        }
    }
}

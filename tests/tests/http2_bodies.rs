//! Bodies of HTTP/2 clients that are kept or copied: by the filter `buffer`, for the next hop of a
//! redirect, for a mirror.

use ringmain_tests::h2_client::{H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, data, headers};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Upstream, ok, reply};

/// Sends a body in two pieces, and its trailers where there are some; the status of the response.
fn post(proxy: &Proxy, trailers: &[(&str, &str)]) -> Option<u16> {
    let mut client = H2Client::open(proxy.port("listener"));
    client.send([headers(1, &POST, 0), data(1, "hello ", 0)].concat());
    match trailers {
        [] => client.send(data(1, "world", END_STREAM)),
        some => client.send([data(1, "world", 0), headers(1, some, END_STREAM)].concat()),
    }
    client.outcome(1).status()
}

fn start(program: Program, upstream: &Upstream, template: &str) -> Proxy {
    let port = upstream.address().port().to_string();
    Proxy::start(program, template, &Values::from([("upstream".into(), port)]))
}

#[test]
fn waited_for() {
    let router = "          - name: router\n";
    let filter = "- name: buffer\n  typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 11 }";
    let filters = format!("{}{router}", indented(filter, 10));
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let template = front_proxy("", "", "").replace(router, &filters);
        let proxy = start(program, &upstream, &template);
        assert_eq!(post(&proxy, &[]), Some(200), "{program}");
        let request = &upstream.requests()[0];
        assert_eq!(request.header("content-length"), Some("11"), "{program}");
        assert_eq!(request.body, b"hello world", "{program}");
        let short = template.replace("max_request_bytes: 11", "max_request_bytes: 10");
        let proxy = start(program, &upstream, &short);
        post(&proxy, &[]);
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_too_large", 1);
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_active", 0);
        assert_eq!(upstream.requests().len(), 1, "{program}");
    }
}

#[test]
fn sent_to_the_next_hop() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://h/b\r\ncontent-length: 0\r\n\r\n";
    let cluster = "typed_extension_protocol_options:\n  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n    explicit_http_config: { http_protocol_options: { enable_trailers: true } }";
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![reply(redirect), ok()]);
        let template = front_proxy("", "internal_redirect_policy: {}", cluster);
        let proxy = start(program, &upstream, &template);
        assert_eq!(post(&proxy, &[("x-end", "e")]), Some(200), "{program}");
        let requests = upstream.requests();
        assert_eq!(requests[1].start_line(), "POST /b HTTP/1.1", "{program}");
        for request in &requests {
            assert_eq!(request.body, b"hello world", "{program}");
            assert_eq!(request.trailers, "x-end: e\r\n", "{program}");
        }
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_http2_total", 2);
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_active", 0);
    }
}

#[test]
fn copied() {
    for program in Program::ringmains() {
        let (upstream, mirror) = (Upstream::start(vec![ok()]), Upstream::start(vec![ok()]));
        let template = format!(
            "{}  - name: mirror\n    type: STATIC\n    load_assignment: {{ cluster_name: mirror, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {} }} }} }} }}] }}] }}\n",
            front_proxy("", "request_mirror_policies: [{ cluster: mirror }]", ""),
            mirror.address().port()
        );
        let proxy = start(program, &upstream, &template);
        assert_eq!(post(&proxy, &[]), Some(200), "{program}");
        proxy.admin().wait_for_stat("cluster.mirror.upstream_rq_200", 1);
        for received in [&upstream, &mirror] {
            assert_eq!(received.requests()[0].body, b"hello world", "{program}");
        }
    }
}

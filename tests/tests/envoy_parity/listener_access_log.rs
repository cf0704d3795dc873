//! The access log of a listener: a line for each connection, whatever becomes of it.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, same_with};
use ringmain_tests::template::Values;
use ringmain_tests::upstream::{Act, Upstream};

use super::network_filters::{INSPECTOR, NOBODY, cluster, config};

const FORMAT: &str = "%ACCESS_LOG_TYPE% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% \
    %CONNECTION_TERMINATION_DETAILS% %DOWNSTREAM_TRANSPORT_FAILURE_REASON% chain=%FILTER_CHAIN_NAME% sni=%REQUESTED_SERVER_NAME% \
    bytes=%BYTES_RECEIVED%/%BYTES_SENT% wire=%DOWNSTREAM_WIRE_BYTES_RECEIVED%/%DOWNSTREAM_WIRE_BYTES_SENT% \
    from=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%/%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% \
    to=%DOWNSTREAM_LOCAL_ADDRESS%/%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%";

const UPSTREAM: &str = "up=%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_TRANSPORT_FAILURE_REASON% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% \
    wire=%UPSTREAM_WIRE_BYTES_RECEIVED%/%UPSTREAM_WIRE_BYTES_SENT%";

const ECHO: &str = "echo.v3.Echo";
const DIRECT: &str = "direct_response.v3.Config, response: { inline_string: hello }";
const TCP: &str = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: up";
const HTTP: &str = "http_connection_manager.v3.HttpConnectionManager, stat_prefix: ingress, delayed_close_timeout: 0.1s, http_filters: [{ name: router, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }], route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }] }";
const PROXY_PROTOCOL: &str = "    listener_filters_timeout: 0.5s
    listener_filters:
    - name: proxy_protocol
      typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol }
";

/// `config` with the access log, and without a listener filter that waits for bytes.
fn logged(filters: &[&str], format: &str, clusters: &str) -> String {
    let log = format!(
        "    access_log:
    - name: file
      typed_config:
        \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
        path: '{{{{scratch}}}}/connections.log'
        log_format: {{ text_format_source: {{ inline_string: \"{format}\\n\" }} }}
"
    );
    config(filters, clusters).replace(INSPECTOR, &log)
}

fn lines(proxy: &Proxy, count: usize, ports: &[(u16, &str)]) -> String {
    let ports = [&[(proxy.port("listener"), "<listener>")], ports].concat();
    log_lines(proxy, "connections.log", count, &ports)
}

/// Connects, sends these bytes, reads so many and goes.
fn visit(proxy: &Proxy, sent: &str, received: usize) {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(sent);
    client.read_bytes(received);
}

/// The same, but the proxy ends it.
fn is_closed(proxy: &Proxy, sent: &str) {
    let mut client = Client::connect(proxy.port("listener"));
    client.send(sent);
    client.read_to_end();
}

#[test]
fn a_connection_that_is_served_without_a_host() {
    same(&logged(&[ECHO], FORMAT, ""), &Values::new(), |proxy| {
        visit(proxy, "hello", 5);
        lines(proxy, 1, &[])
    });
    same(&logged(&[DIRECT], FORMAT, ""), &Values::new(), |proxy| {
        is_closed(proxy, "");
        lines(proxy, 1, &[])
    });
}

#[test]
fn a_connection_of_http() {
    let get = |version, more| format!("GET / HTTP/{version}\r\nhost: a\r\n{more}\r\n");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = "\0\0\0\x04\0\0\0\0\0";
    for sent in [
        get("1.1", ""),
        get("1.1", "").repeat(2),
        get("1.1", "connection: close\r\n"),
        get("1.0", ""),
        "GET / HTTP/1.1\r\nhost:".into(),
        "nonsense\r\n\r\n".into(),
        String::new(),
        format!("{preface}{settings}"),
    ] {
        same(&logged(&[HTTP], FORMAT, ""), &Values::new(), |proxy| {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(&sent);
            client.half_close();
            client.read_to_end();
            drop(client);
            lines(proxy, 1, &[])
        });
    }
}

#[test]
fn a_connection_of_http_that_breaks_the_rules() {
    let format = "%ACCESS_LOG_TYPE% %PROTOCOL% %RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%";
    // Nobody answers before the body has come.
    let buffer = "http_filters: [{ name: buffer, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 100 } }, ";
    let buffering = HTTP.replace("http_filters: [", buffer);
    let http2 =
        |frames: &str| format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0{frames}");
    let priority = "\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10";
    for sent in [
        "GET / HTTP/1.1\r\nhost a\r\n\r\n".into(),
        "GET /\x01 HTTP/1.1\r\nhost: a\r\n\r\n".into(),
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n".into(),
        // DATA on stream 0.
        http2("\0\0\0\0\0\0\0\0\0"),
        http2(&priority.repeat(300)),
    ] {
        same(&logged(&[&buffering], format, ""), &Values::new(), |proxy| {
            is_closed(proxy, &sent);
            let line = lines(proxy, 1, &[]);
            assert!(line.contains(" - DPE"), "{sent:?}: {line}");
            line
        });
    }
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    same(&logged(&[&buffering], format, ""), &Values::new(), |proxy| {
        let mut client = Client::connect(proxy.port("listener"));
        client.send(get);
        let answered = client.read_response().map(|answer| answer.status());
        assert_eq!(answered, Ok(Some(200)));
        client.send("GET / HTTP/1.1\r\nhost a\r\n\r\n");
        client.read_to_end();
        let line = lines(proxy, 1, &[]);
        assert!(line.contains(" HTTP/1.1 DPE"), "{line}");
        line
    });
}

#[test]
fn a_connection_that_a_tcp_proxy_serves() {
    let format = format!("{FORMAT} {UPSTREAM}");
    let set_up = || {
        let upstream = Upstream::start(vec![vec![Act::Send("hello".into()), Act::Close]]);
        let port = upstream.address().port().to_string();
        (Values::from([("upstream".into(), port)]), upstream)
    };
    same_with(&logged(&[TCP], &format, &cluster("up")), set_up, |proxy, upstream| {
        is_closed(proxy, "GET / HTTP/1.1\r\n\r\n");
        lines(proxy, 1, &[(upstream.address().port(), "<upstream>")])
    });
    let refused = Values::from([("upstream".into(), "1".into())]);
    same(&logged(&[TCP], &format, &cluster("up")), &refused, |proxy| {
        is_closed(proxy, "");
        lines(proxy, 1, &[])
    });
}

#[test]
fn a_connection_that_is_not_served() {
    // Envoy asks at the first bytes and counts them.
    let format = "%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%";
    same(&logged(&[NOBODY, ECHO], format, ""), &Values::new(), |proxy| {
        is_closed(proxy, "hello");
        lines(proxy, 1, &[])
    });
    let unmatched = logged(&[ECHO], FORMAT, "");
    let chain = "    - filter_chain_match: { server_names: [x.example] }\n      filters:";
    let unmatched = unmatched.replace("    - filters:", chain);
    same(&unmatched, &Values::new(), |proxy| {
        is_closed(proxy, "");
        lines(proxy, 1, &[])
    });
}

#[test]
fn a_connection_that_a_listener_filter_looks_at() {
    let template = logged(&[ECHO], FORMAT, "");
    let chains = "    filter_chains:";
    let template = template.replace(chains, &format!("{PROXY_PROTOCOL}{chains}"));
    same(&template, &Values::new(), |proxy| {
        visit(proxy, "PROXY TCP4 9.9.9.9 8.8.8.8 1 2\r\nhello", 5);
        let mut story = lines(proxy, 1, &[]);
        is_closed(proxy, "PROXY NONE\r\n");
        lines(proxy, 2, &[]);
        visit(proxy, "PROXY", 0);
        lines(proxy, 3, &[]);
        is_closed(proxy, "");
        story += &lines(proxy, 4, &[]);
        story
    });
}

#[test]
fn a_connection_without_the_tls_that_is_looked_for() {
    let looking = |fields: &str| {
        let chains = "    filter_chains:";
        let inspector = INSPECTOR.replace("TlsInspector }", &format!("TlsInspector{fields} }}"));
        logged(&[ECHO], FORMAT, "").replace(chains, &format!("{inspector}{chains}"))
    };
    const FIRST: [&str; 8] = [
        "GET / HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "nonsense",
        "\x17\x03\x03\0\x05hello",
        "\x15\x03\x01\0\x02\x02\x28",
        "\x16\x03\x01\x7f\x7fhello",
        "\x16\x03\x01\0\x05\x02\0\0\x01\x03",
        "\x16\x03\x01\0\x05\x01\0\0\x01\x03",
    ];
    same(&looking(""), &Values::new(), |proxy| {
        for (index, first) in FIRST.iter().enumerate() {
            visit(proxy, first, first.len());
            lines(proxy, index + 1, &[]);
        }
        lines(proxy, FIRST.len(), &[])
    });
    let closing = looking(", close_connection_on_client_hello_parsing_errors: true");
    same(&closing, &Values::new(), |proxy| {
        is_closed(proxy, "nonsense");
        lines(proxy, 1, &[])
    });
}

#[test]
fn a_filter_chooses_connections() {
    let template = logged(&[ECHO], "%RESPONSE_FLAGS% %BYTES_RECEIVED%", "");
    let filter = "    - name: file\n      filter: { log_type_filter: { types: [NotSet] } }";
    let some = template.replace("    - name: file", filter);
    let none = some.replace("types: [NotSet]", "types: [TcpConnectionEnd]");
    same(&some, &Values::new(), |proxy| {
        visit(proxy, "hello", 5);
        lines(proxy, 1, &[])
    });
    same(&none, &Values::new(), |proxy| {
        visit(proxy, "hello", 5);
        proxy.admin().wait_for_stat("listener.in.downstream_cx_destroy", 1);
        proxy.file("connections.log")
    });
}

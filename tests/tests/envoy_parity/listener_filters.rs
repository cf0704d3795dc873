//! What is found out about a connection before its filter chain is chosen.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, stats};
use ringmain_tests::template::{Values, bare_listener, indented};

mod proxy_protocol;

use proxy_protocol::{INET, v2};

/// Asks for `a.example` with `h2` and `http/1.1`.
const HELLO: &[u8] = include_bytes!("../../../fuzz/corpus/client_hello/sni_and_alpn");
const HELLO_WITHOUT_NAME: &[u8] = include_bytes!("../../../fuzz/corpus/client_hello/no_sni");
const RECORD_HEADER_BYTES: usize = 5;

const COUNTED: &str =
    "%5E(listener%5C.in%5C.|tls_inspector|http_inspector|proxy_proto|downstream_cx_proxy)";

/// A listener with these filters, whose chains tell their name to everybody.
fn config(listener: &str, chains: &[(&str, &str)]) -> String {
    let chain = |(name, conditions): &(&str, &str)| {
        format!(
            r#"
    - filter_chain_match: {{ {conditions} }}
      filters:
      - name: hello
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
          response: {{ inline_string: {name} }}"#
        )
    };
    bare_listener(listener, &chains.iter().map(chain).collect::<String>(), "")
}

fn filter(name: &str, fields: &str) -> String {
    format!(
        r#"- name: {name}
  typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.listener.{name}.v3.{}{fields} }}
"#,
        match name {
            "tls_inspector" => "TlsInspector",
            "http_inspector" => "HttpInspector",
            _ => "ProxyProtocol",
        }
    )
}

fn filters(list: &[String]) -> String {
    format!("listener_filters_timeout: 0.5s\nlistener_filters:\n{}", list.concat())
}

/// What a client that sends these pieces is told.
fn hear(proxy: &Proxy, pieces: &[&[u8]]) -> String {
    let mut client = Client::connect(proxy.port("listener"));
    client.send_pieces(pieces);
    let (bytes, _) = client.read_to_end();
    // Bytes that nobody read turn the close into a reset, or not, as the timing is.
    format!("{}\n", bytes.escape_ascii())
}

fn told(proxy: &Proxy, sent: &[(&str, Vec<&[u8]>)]) -> String {
    let mut story = String::new();
    for (name, pieces) in sent {
        story += &format!("{name}: {}", hear(proxy, pieces));
    }
    proxy.admin().wait_for_stat("listener.in.downstream_pre_cx_active", 0);
    proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
    story + &stats(proxy, COUNTED)
}

/// The ClientHello of `hello` in records of `size` bytes.
fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    hello[RECORD_HEADER_BYTES..].chunks(size).flat_map(record).collect()
}

fn record(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&[22, 3, 1][..], &length, content].concat()
}

#[test]
fn a_client_hello_chooses_the_chain() {
    let chains = [
        ("name", "server_names: [A.Example]"),
        ("tls", "transport_protocol: tls"),
        ("plain", "transport_protocol: raw_buffer"),
    ];
    let config = config(&filters(&[filter("tls_inspector", "")]), &chains);
    let (small, medium) = (in_records(HELLO, 1), in_records(HELLO, 50));
    same(&config, &Values::new(), |proxy| {
        told(
            proxy,
            &[
                ("whole", vec![HELLO]),
                ("without a name", vec![HELLO_WITHOUT_NAME]),
                ("pieces", vec![&HELLO[..3], &HELLO[3..90], &HELLO[90..]]),
                ("records", vec![&medium[..70], &medium[70..]]),
                ("tiny records", vec![&small]),
                ("plain text", vec![b"GET / HTTP/1.1\r\n"]),
            ],
        )
    });
}

#[test]
fn protocols_choose_the_chain_in_the_clients_order() {
    let chains = [
        ("one", "application_protocols: [http/1.1]"),
        ("two", "application_protocols: [h2]"),
        ("none", ""),
    ];
    let config = config(&filters(&[filter("tls_inspector", "")]), &chains);
    same(&config, &Values::new(), |proxy| {
        told(proxy, &[("both", vec![HELLO]), ("none", vec![HELLO_WITHOUT_NAME])])
    });
}

#[test]
fn what_is_no_client_hello_is_passed_on_or_ends() {
    let config = config(&filters(&[filter("tls_inspector", "")]), &[("plain", "")]);
    let server_hello = record(&[&[2], &HELLO[6..]].concat());
    let garbage = record(b"\x01\0\0\x04abcd");
    let empty = record(b"").repeat(40);
    let longer = record(&[&[1, 0, 0x40, 1][..], &[0; 1000]].concat());
    let long = [&[1, 0, 0x40, 0, 3, 3][..], &[0; 16_382]].concat();
    let long: Vec<u8> = long.chunks(100).flat_map(record).collect();
    same(&config, &Values::new(), |proxy| {
        told(
            proxy,
            &[
                ("server hello", vec![&server_hello]),
                ("garbage", vec![&garbage]),
                ("empty records", vec![&empty]),
                ("too long with its records", vec![&long]),
                ("too long", vec![&longer]),
                ("too short", vec![b"GET "]),
                ("cut", vec![&HELLO[..100]]),
            ],
        )
    });
}

#[test]
fn first_bytes_tell_http() {
    let chains = [
        ("h2c", "application_protocols: [h2c]"),
        ("one", "application_protocols: [http/1.1]"),
        ("old", "application_protocols: [http/1.0]"),
        ("other", ""),
    ];
    let config = config(&filters(&[filter("http_inspector", "")]), &chains);
    same(&config, &Values::new(), |proxy| {
        told(
            proxy,
            &[
                ("1.1", vec![b"GE", b"T / HTT", b"P/1.1\r\n"]),
                ("1.0", vec![b"GET / HTTP/1.0\r\n"]),
                ("2", vec![b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"]),
                ("0.9", vec![b"GET /\r\n"]),
                ("other version", vec![b"GET / HTTP/2.0\r\n"]),
                ("custom method", vec![b"hello /x HTTP/1.1\r\n"]),
                ("no target", vec![b"GET x HTTP/1.1\r\n"]),
                ("authority", vec![b"CONNECT a:1 HTTP/1.1\r\n"]),
                ("absolute", vec![b"GET http://a/ HTTP/1.1\r\n"]),
                ("words", vec![b"hello world foo\r\n"]),
                ("empty line", vec![b"\r\nGET / HTTP/1.1\r\n"]),
                ("binary", vec![b"\x16\x03\x01\0"]),
                ("unfinished", vec![b"GET / HT"]),
            ],
        )
    });
}

#[test]
fn filters_look_one_after_the_other() {
    let list =
        [filter("proxy_protocol", ""), filter("tls_inspector", ""), filter("http_inspector", "")];
    let chains = [
        ("tls", "transport_protocol: tls"),
        ("http", "application_protocols: [http/1.1], source_ports: [80]"),
        ("other", ""),
    ];
    let config = config(&filters(&list), &chains);
    let header = v2(0x21, 0x11, &INET);
    let (hello, get) =
        ([&header[..], HELLO].concat(), [&header[..], b"GET / HTTP/1.1\r\n"].concat());
    same(&config, &Values::new(), |proxy| {
        told(proxy, &[("tls", vec![&hello]), ("http", vec![&get[..30], &get[30..]])])
    });
}

/// Who goes away, or says nothing, while filters look leaves nothing behind.
#[test]
fn silent_and_lost_clients_are_counted_and_forgotten() {
    let config = config(&filters(&[filter("tls_inspector", "")]), &[("plain", "")]);
    same(&config, &Values::new(), |proxy| {
        let mut lost = Client::connect(proxy.port("listener"));
        lost.send("GE");
        lost.half_close();
        lost.read_to_end();
        let mut silent = Client::connect(proxy.port("listener"));
        silent.read_to_end();
        told(proxy, &[])
    });
}

/// A ClientHello with these cipher suites and extensions, in one record.
pub fn client_hello(cipher_suites: &[u16], extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let vector = |content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&length[..], content].concat()
    };
    let cipher_suites: Vec<u8> = cipher_suites.iter().flat_map(|it| it.to_be_bytes()).collect();
    let extensions = extensions.iter();
    let extensions: Vec<u8> = extensions
        .flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &vector(content)].concat())
        .collect();
    let version_and_random = [&[3, 3][..], &[7; 32]].concat();
    let lists = [&vector(&cipher_suites)[..], &[1, 0], &vector(&extensions)].concat();
    let body = [&version_and_random[..], &[0], &lists].concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    record(&[&[1], &length[1..], &body].concat())
}

/// The cluster `nobody` has no host.
const NOBODY: &str = "  clusters: [{ name: nobody, load_assignment: { cluster_name: nobody } }]\n";

#[test]
fn clients_are_told_apart_by_fingerprints() {
    const CHAIN: &str = r#"
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: nobody
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: "{{scratch}}/tcp.log"
              log_format: { text_format_source: { inline_string: "%TLS_JA3_FINGERPRINT% %TLS_JA4_FINGERPRINT%\n" } }"#;
    let groups: (u16, &[u8]) = (10, &[0, 6, 0x2a, 0x2a, 0, 29, 0, 23]);
    let algorithms: (u16, &[u8]) = (13, &[0, 6, 8, 4, 4, 3, 8, 5]);
    let versions: (u16, &[u8]) = (43, &[6, 0x3a, 0x3a, 3, 4, 3, 3]);
    let alpn = |name: &[u8]| {
        let length = u8::try_from(name.len()).expect("short");
        [&[0, length + 1, length][..], name].concat()
    };
    let (good, odd) = (alpn(b"h2"), alpn(b"\xab\xcd"));
    let suites = [0x0a0a, 0x1302, 0x1301, 0xc02b, 0x009c];
    let grease = client_hello(
        &suites,
        &[(0x1a1a, &[]), groups, (11, &[1, 0]), algorithms, versions, (16, &good), (0x4a4a, &[0])],
    );
    let plain = client_hello(&suites, &[groups, (16, &odd)]);
    let bare = client_hello(&[0x1301], &[]);
    let sent: [&[u8]; 6] =
        [HELLO, HELLO_WITHOUT_NAME, &grease, &plain, &bare, b"GET / HTTP/1.1\r\n\r\n"];
    for fields in [
        ", enable_ja3_fingerprinting: true, enable_ja4_fingerprinting: true",
        ", enable_ja4_fingerprinting: true",
        "",
    ] {
        let config = bare_listener(&filters(&[filter("tls_inspector", fields)]), CHAIN, NOBODY);
        same(&config, &Values::new(), |proxy| {
            for (index, hello) in sent.iter().enumerate() {
                hear(proxy, &[hello]);
                log_lines(proxy, "tcp.log", index + 1, &[]);
            }
            proxy.file("tcp.log")
        });
    }
}

#[test]
fn a_listener_hands_over_what_another_one_is_for() {
    let chain = |name: &str| {
        format!(
            r#"    - filters:
      - name: hello
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
          response: {{ inline_string: {name} }}
"#
        )
    };
    let unbound = |name: &str, address: &str, port: u16, more: &str| {
        format!(
            "  - name: {name}
    stat_prefix: {name}
    bind_to_port: false
    address: {{ socket_address: {{ address: {address}, port_value: {port} }} }}
{}    filter_chains:
{}",
            indented(more, 4),
            chain(name)
        )
    };
    let inspector = format!("listener_filters:\n{}", filter("http_inspector", ""));
    let listeners = [
        unbound("exact", "5.6.7.8", 443, ""),
        unbound("port", "0.0.0.0", 8080, &inspector),
        unbound("again", "5.6.7.8", 9090, "use_original_dst: true"),
        unbound("six", "'::'", 7070, ""),
    ];
    let first = format!("use_original_dst: true\n{}", filters(&[filter("proxy_protocol", "")]));
    let config = bare_listener(&first, &chain("own"), &listeners.concat());
    let stats_of = "%5Elistener%5C.(in|exact|port|again|six)%5C.downstream";
    same(&config, &Values::new(), |proxy| {
        let mut story = String::new();
        for to in ["5.6.7.8 1 443", "5.6.7.8 1 444", "9.9.9.9 1 8080", "5.6.7.8 1 9090"] {
            let header = format!("PROXY TCP4 1.2.3.4 {to}\r\n");
            story += &format!("{to}: {}", hear(proxy, &[header.as_bytes(), b"GET / HTTP/1.1\r\n"]));
        }
        story += &hear(proxy, &[b"PROXY TCP6 ::9 ::2 80 7070\r\n"]);
        story += &hear(proxy, &[b"PROXY UNKNOWN\r\n"]);
        for name in ["in", "exact", "port", "again", "six"] {
            proxy.admin().wait_for_stat(&format!("listener.{name}.downstream_cx_active"), 0);
        }
        story + &stats(proxy, stats_of)
    });
}

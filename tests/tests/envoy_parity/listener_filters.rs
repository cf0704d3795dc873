//! What is found out about a connection before its filter chain is chosen.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, stats};
use ringmain_tests::template::{Values, bare_listener, indented};
use ringmain_tests::wait::eventually;

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

fn v2(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[version_command, family][..], &length, rest].concat()
}

const INET: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187];

#[test]
fn a_proxy_header_names_the_client() {
    let chain = r#"
    - name: far
      filter_chain_match: { source_prefix_ranges: [{ address_prefix: 1.2.0.0, prefix_len: 16 }], destination_port: 443 }
      filters: &http
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          use_remote_address: true
          delayed_close_timeout: 0.1s
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{ match: { prefix: / }, direct_response: { status: 200, body: { inline_string: hi } } }]
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: "{{scratch}}/http.log"
              log_format: { text_format_source: { inline_string: "%FILTER_CHAIN_NAME% %REQ(:PATH)% remote %DOWNSTREAM_REMOTE_ADDRESS% direct %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% local %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT% xff %REQ(X-FORWARDED-FOR)%\n" } }
    - name: near
      filters: *http"#;
    let config = bare_listener(&filters(&[filter("proxy_protocol", "")]), chain, "");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let mut inet6 = [0; 36];
    (inet6[15], inet6[31], inet6[33], inet6[35]) = (9, 2, 3, 4);
    let headers: [(&str, Vec<u8>); 7] = [
        ("/v1", b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n".to_vec()),
        ("/v1-inet6", b"PROXY TCP6 ::9 ::2 80 444\r\n".to_vec()),
        ("/v1-unknown", b"PROXY UNKNOWN\r\n".to_vec()),
        ("/v2", v2(0x21, 0x11, &INET)),
        ("/v2-vectors", v2(0x21, 0x11, &[&INET[..], &[4, 0, 1, 9]].concat())),
        ("/v2-inet6", v2(0x21, 0x21, &inet6)),
        ("/v2-local", v2(0x20, 0, &INET)),
    ];
    same(&config, &Values::new(), |proxy| {
        let mut story = String::new();
        for (path, header) in &headers {
            let mut client = Client::connect(proxy.port("listener"));
            let request = get(path);
            // Once with the request, once apart.
            match path.len() % 2 {
                0 => client.send([header, request.as_bytes()].concat()),
                _ => client.send_pieces(&[&header[..5], &header[5..], request.as_bytes()]),
            }
            let answer = client.read_response().expect("an answer");
            story += &format!("{path}: {}\n", answer.text());
        }
        let ports = [(proxy.port("listener"), "listener")];
        // Where no header names the client it has another port each time.
        let log = log_lines(proxy, "http.log", headers.len(), &ports);
        let log = log.lines().map(|line| match line.split_once("remote 127.0.0.1:") {
            Some((before, after)) => {
                let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
                format!("{before}remote 127.0.0.1:<port>{after}\n")
            }
            None => format!("{line}\n"),
        });
        story += &log.collect::<String>();
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        story + &stats(proxy, COUNTED)
    });
}

#[test]
fn a_bad_proxy_header_ends_the_connection() {
    let config = config(&filters(&[filter("proxy_protocol", "")]), &[("any", "")]);
    let long = format!("PROXY UNKNOWN {}", "x".repeat(200));
    let headers = [
        v2(0x21, 0x31, &[0; 216]),
        v2(0x21, 0x00, &[]),
        v2(0x21, 0x10, &INET),
        v2(0x11, 0x11, &INET),
        v2(0x22, 0x11, &INET),
        v2(0x21, 0x11, &INET[..11]),
        v2(0x21, 0x11, &[&INET[..], &[4, 0, 9, 1]].concat()),
        v2(0x21, 0x11, &INET)[..20].to_vec(),
    ];
    let mut sent: Vec<(&str, Vec<&[u8]>)> = vec![
        ("none", vec![b"GET / HTTP/1.1\r\n\r\n"]),
        ("short line", vec![b"GET /\r\n"]),
        ("short", vec![b"hi"]),
        ("port", vec![b"PROXY TCP4 1.2.3.4 5.6.7.8 80 65536\r\n"]),
        ("blanks", vec![b"PROXY TCP4  1.2.3.4 5.6.7.8 80 443\r\n"]),
        ("blank at the end", vec![b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443 \r\n"]),
        ("sign", vec![b"PROXY TCP4 1.2.3.4 5.6.7.8 +80 443\r\n"]),
        ("family", vec![b"PROXY TCP4 ::1 ::2 80 443\r\n"]),
        ("protocol", vec![b"PROXY UDP4 1.2.3.4 5.6.7.8 80 443\r\n"]),
        ("unknown", vec![b"PROXY UNKNOWNX\r\n"]),
        ("cut", vec![b"PROXY TCP4 1.2.3.4"]),
        ("long", vec![long.as_bytes()]),
    ];
    sent.extend(headers.iter().map(|header| ("version 2", vec![&header[..]])));
    same(&config, &Values::new(), |proxy| told(proxy, &sent));
}

/// What clients are told that send these all at once and then wait.
fn hear_at_once(proxy: &Proxy, sent: &[Vec<u8>]) -> String {
    let connect = |bytes: &Vec<u8>| {
        let mut client = Client::connect(proxy.port("listener"));
        client.send(bytes);
        client
    };
    let clients: Vec<Client> = sent.iter().map(connect).collect();
    let mut story = String::new();
    for (bytes, mut client) in sent.iter().zip(clients) {
        let (told, _) = client.read_to_end();
        story += &format!("{}: {}\n", bytes.escape_ascii(), told.escape_ascii());
    }
    story
}

/// Everything that may be wrong in a header: each field of the one, each byte of the other, each place where
/// they may end.
fn wrong_headers() -> Vec<Vec<u8>> {
    const FIELDS: [&str; 6] = ["PROXY", "TCP4", "1.2.3.4", "5.6.7.8", "80", "443"];
    const WRONG: [&str; 20] = [
        "",
        " ",
        "x",
        "0",
        "-1",
        "0x1",
        "01",
        "65535",
        "65536",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "::1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::",
        "TCP6",
        "UNKNOWN",
        "PROXY",
    ];
    let line = |fields: &[&str]| (fields.join(" ") + "\r\n").into_bytes();
    let mut headers = Vec::new();
    for place in 0..FIELDS.len() {
        headers.extend(WRONG.map(|wrong| {
            let mut fields = FIELDS;
            fields[place] = wrong;
            line(&fields)
        }));
        headers.push(line(&FIELDS[..place]));
    }
    headers.push(line(&[&FIELDS[..], &["more"]].concat()));
    let binary = v2(0x21, 0x11, &[&INET[..], &[4, 0, 1, 9]].concat());
    // Signature, version and command, family; the length on its own below.
    for place in 0..14 {
        headers.extend([0, 1, 2, 9, 10, 13, 16, 17, 18, 32, 33, 34, 49, 255].map(|byte| {
            let mut header = binary.clone();
            header[place] = byte;
            header
        }));
    }
    for length in [0, 1, 11, 12, 13, 14, 15, 17, 255] {
        let mut header = binary.clone();
        header[15] = length;
        headers.push(header);
    }
    for whole in [line(&FIELDS), binary] {
        headers.extend((0..=whole.len()).map(|length| whole[..length].to_vec()));
    }
    headers
}

#[test]
fn every_wrong_proxy_header_ends_as_with_envoy() {
    let config = config(&filters(&[filter("proxy_protocol", "")]), &[("any", "")]);
    let headers = wrong_headers();
    same(&config, &Values::new(), |proxy| {
        hear(proxy, &[&headers[0]]);
        let descriptors = proxy.descriptors();
        let mut story = hear_at_once(proxy, &headers);
        proxy.admin().wait_for_stat("listener.in.downstream_pre_cx_active", 0);
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        eventually("the descriptors", || (proxy.descriptors() <= descriptors).then_some(()));
        story += &stats(proxy, COUNTED);
        story
    });
}

#[test]
fn a_version_that_is_not_allowed_ends_the_connection() {
    let line: &[u8] = b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n";
    let bad_line: &[u8] = b"PROXY TCP4 ::1 5.6.7.8 80 443\r\n";
    let (good, bad) = (v2(0x21, 0x11, &INET), v2(0x21, 0x11, &[0; 12]));
    for version in ["V1", "V2"] {
        let fields = format!(", disallowed_versions: [{version}]");
        let config = config(&filters(&[filter("proxy_protocol", &fields)]), &[("any", "")]);
        same(&config, &Values::new(), |proxy| {
            told(
                proxy,
                &[
                    ("version 1", vec![line]),
                    ("bad version 1", vec![bad_line]),
                    ("version 2", vec![&good]),
                    ("bad version 2", vec![&bad]),
                    ("nothing", vec![]),
                ],
            )
        });
    }
}

#[test]
fn a_proxy_header_may_be_absent_where_that_is_allowed() {
    let fields =
        ", stat_prefix: x, allow_requests_without_proxy_protocol: true, disallowed_versions: [V1]";
    let listener = filters(&[filter("proxy_protocol", fields)]);
    let config =
        config(&format!("continue_on_listener_filters_timeout: true\n{listener}"), &[("any", "")]);
    let (good, bad) = (v2(0x21, 0x11, &INET), v2(0x21, 0x31, &INET));
    same(&config, &Values::new(), |proxy| {
        told(
            proxy,
            &[
                ("version 1", vec![b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n"]),
                ("none", vec![b"hi"]),
                ("version 2", vec![&good]),
                ("bad", vec![&bad]),
                ("nothing", vec![]),
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

#[test]
fn vectors_of_a_proxy_header_become_metadata() {
    const CHAINS: &str = r#"
    - filter_chain_match: { destination_port: 443 }
      filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: nobody
          access_log: &log
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: "{{scratch}}/own.log"
              log_format: { text_format_source: { inline_string: "%DYNAMIC_METADATA(aws)% %DYNAMIC_METADATA(aws:endpoint)% %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol)%\n" } }
    - filter_chain_match: { destination_port: 444 }
      filters:
      - name: rbac
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC
          stat_prefix: who.
          rules:
            policies:
              known:
                permissions: [{ any: true }]
                principals:
                - metadata:
                    filter: aws
                    path: [{ key: endpoint }]
                    value: { string_match: { contains: vpce } }
      - name: echo
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo }
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
              routes: [{ match: { prefix: / }, direct_response: { status: 200 } }]
          access_log: *log"#;
    let rules = ", rules: [
    { tlv_type: 234, on_tlv_present: { metadata_namespace: aws, key: endpoint } },
    { tlv_type: 5, on_tlv_present: { key: id } },
    { tlv_type: 6, on_tlv_present: { key: id } },
    { tlv_type: 7, on_tlv_present: { key: before } },
    { tlv_type: 7, on_tlv_present: { key: after } }]";
    let config = bare_listener(&filters(&[filter("proxy_protocol", rules)]), CHAINS, NOBODY);
    let tlv = |kind: u8, value: &[u8]| {
        let length = u16::try_from(value.len()).expect("short").to_be_bytes();
        [&[kind], &length[..], value].concat()
    };
    let endpoint = tlv(234, b"\x01vpce-08d2bf15");
    let many = [tlv(6, b"six"), tlv(5, b"five"), tlv(7, b"\xff\xfeok \xc3\xa9\xc3"), tlv(9, b"")];
    let to = |port: u16, vectors: &[u8]| {
        v2(0x21, 0x11, &[&INET[..10], &port.to_be_bytes(), vectors].concat())
    };
    let logged = [
        to(443, &endpoint),
        to(443, &many.concat()),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\n".to_vec(),
        to(80, &endpoint),
    ];
    same(&config, &Values::new(), |proxy| {
        let mut story = String::new();
        for (index, header) in logged.iter().enumerate() {
            hear(proxy, &[&header[..], b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"]);
            log_lines(proxy, "own.log", index + 1, &[]);
        }
        let judged = |vectors: &[u8]| {
            let mut client = Client::connect(proxy.port("listener"));
            client.send([&to(444, vectors)[..], b"hi"].concat());
            client
        };
        let mut known = judged(&endpoint);
        story += &format!("{}\n", known.read_bytes(2).escape_ascii());
        drop(known);
        let (bytes, _) = judged(&many.concat()).read_to_end();
        story += &format!("{}\n", bytes.escape_ascii());
        proxy.admin().wait_for_stat("listener.in.downstream_cx_active", 0);
        story += &proxy.file("own.log");
        story + &stats(proxy, "rbac")
    });
}

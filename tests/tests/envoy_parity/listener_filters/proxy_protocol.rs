//! PROXY headers in front of what clients say.

use ringmain_tests::at_rest::AtRest;
use ringmain_tests::client::Client;
use ringmain_tests::proxy::Proxy;
use ringmain_tests::story::{log_lines, same, stats};
use ringmain_tests::template::{Values, bare_listener};

use super::{COUNTED, NOBODY, config, filter, filters, hear, told};

pub fn v2(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[version_command, family][..], &length, rest].concat()
}

pub const INET: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187];

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
        let rest = AtRest::of(proxy);
        let story = hear_at_once(proxy, &headers);
        rest.wait_for(proxy);
        story + &stats(proxy, COUNTED)
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

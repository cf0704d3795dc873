//! Mixed load while hosts come and go and certificates are renewed: no request fails, and what the process
//! holds stays the same. `SOAK_SECONDS` says how long on each engine; `just soak` takes twenty minutes.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringmain_tests::client::Client;
use ringmain_tests::dns_server::{DnsServer, Kind, Reply};
use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::port;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::Values;
use ringmain_tests::tls::{Authority, Handshake, Subject};
use ringmain_tests::wait::eventually;
use rustls::version::{TLS12, TLS13};

const NAME: &str = "hosts.example";
/// Clients of each kind.
const CLIENTS: usize = 2;
/// Requests on a connection.
const REQUESTS: u32 = 20;
/// Time between two requests of one client.
const PAUSE: Duration = Duration::from_millis(2);
/// Time between two changes of the hosts, and twenty times that between two certificates.
const CHURN: Duration = Duration::from_millis(100);
/// Idle connections that two workers may keep to three hosts for these clients.
const IDLE: u64 = 2 * 3 * 4 * CLIENTS as u64;
/// What may be resident more at the end than at half time: what allocators and pools keep for another
/// peak. A leak of 100 bytes a request would be more in twenty minutes.
const GROWTH_KIB: u64 = 16 * 1024;

const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";

/// What stays of `SOAK_SECONDS`, or a short time.
fn time() -> Duration {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// The same answer to everything, at three addresses of one port, and nothing is kept.
fn start_hosts() -> u16 {
    let port = port::free();
    for last in 1..=3 {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), port)).expect("loopback");
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                thread::spawn(move || answer(&stream));
            }
        });
    }
    port
}

fn answer(mut stream: &TcpStream) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while matches!(lines.read_line(&mut line), Ok(count) if count > 0) {
        let is_end = line == "\r\n";
        line.clear();
        if is_end && stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

fn listener(name: &str, place: &str, transport_socket: &str, filter: &str) -> String {
    format!(
        "  - name: {name}
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{{place}}}}} }} }}
    filter_chains:
    - filters:
      - name: last
        typed_config:
{filter}{transport_socket}"
    )
}

fn config() -> String {
    let http = r#"          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: soak
          access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - { name: all, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: hosts } }] }
"#;
    let tcp = r#"          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: soak
          cluster: hosts
"#;
    let tls = r#"      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: { filename: '{{certificates}}/server.crt' }
              private_key: { filename: '{{certificates}}/server.key' }
"#;
    format!(
        r#"admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{admin}}}} }} }}
static_resources:
  listeners:
{}{}{}  clusters:
  - name: hosts
    type: STRICT_DNS
    dns_refresh_rate: 0.05s
    dns_lookup_family: V4_ONLY
    typed_dns_resolver_config:
      name: envoy.network.dns_resolver.cares
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
        resolvers: [{{ socket_address: {{ address: 127.0.0.1, port_value: {{{{resolver}}}} }} }}]
    load_assignment:
      cluster_name: hosts
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {NAME}, port_value: {{{{port}}}} }} }} }}
"#,
        listener("plain", "listener", "", http),
        listener("secure", "listener_tls", tls, http),
        listener("bytes", "listener_tcp", "", tcp),
    )
}

/// What all clients count.
#[derive(Default)]
struct Tally {
    stopped: AtomicBool,
    answered: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Clients that go on until they are stopped.
struct Clients {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start(proxy: &Proxy, authority: &Authority) -> Self {
        let mut clients = Self { tally: Arc::default(), threads: Vec::new() };
        let (plain, tls, tcp) =
            (proxy.port("listener"), proxy.port("listener_tls"), proxy.port("listener_tcp"));
        for _ in 0..CLIENTS {
            clients.add("HTTP/1", move |tally| http1(tally, plain));
            clients.add("HTTP/2", move |tally| http2(tally, plain));
            clients.add("TCP", move |tally| http1(tally, tcp));
            let handshake = Handshake::new(authority, "server.example", &[&TLS12, &TLS13]);
            clients.add("TLS", move |tally| {
                let answer = handshake.connect(tls).ask(LAST)?;
                tally.count(answer.starts_with("HTTP/1.1 200").then_some(()).ok_or(answer))
            });
        }
        clients
    }

    fn add(
        &mut self,
        kind: &'static str,
        connection: impl Fn(&Tally) -> Result<(), String> + Send + 'static,
    ) {
        let tally = self.tally.clone();
        self.threads.push(thread::spawn(move || {
            while !tally.stopped.load(Ordering::Relaxed) {
                if let Err(failure) = connection(&tally) {
                    let mut failures = tally.failures.lock().expect("no client panics");
                    failures.push(format!("{kind}: {failure}"));
                }
            }
        }));
    }

    fn finish(self) -> usize {
        self.tally.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("no client panics");
        }
        let failures = self.tally.failures.lock().expect("no client panics");
        let answered = self.tally.answered.load(Ordering::Relaxed);
        let some = &failures[..failures.len().min(5)];
        assert!(failures.is_empty(), "{} of {answered} failed: {some:?}", failures.len());
        answered
    }
}

impl Tally {
    fn count(&self, result: Result<(), String>) -> Result<(), String> {
        result?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        thread::sleep(PAUSE);
        Ok(())
    }
}

fn http1(tally: &Tally, port: u16) -> Result<(), String> {
    let mut client = Client::connect(port);
    for _ in 0..REQUESTS {
        client.send(PLAIN);
        let answer = client.read_response().map_err(|end| end.to_string())?;
        let is_good = answer.status() == Some(200) && answer.text() == "ok";
        tally.count(is_good.then_some(()).ok_or_else(|| answer.to_string()))?;
    }
    Ok(())
}

fn http2(tally: &Tally, port: u16) -> Result<(), String> {
    let mut client = H2Client::open(port);
    for number in 0..REQUESTS {
        let stream = 2 * number + 1;
        client.request(stream, &GET);
        let outcome = client.outcome(stream);
        let is_good = outcome.status() == Some(200) && outcome.body == b"ok" && outcome.ended;
        tally.count(is_good.then_some(()).ok_or_else(|| format!("{outcome:?}")))?;
    }
    client.close();
    Ok(())
}

/// Changes hosts and certificates until `end`.
fn churn(dns: &DnsServer, authority: &Authority, end: Instant) {
    for round in 0.. {
        if Instant::now() >= end {
            return;
        }
        let hosts = [[1, 2], [2, 3], [1, 3]][round % 3].map(|last| [127, 0, 0, last]);
        dns.set(NAME, Kind::A, Reply::v4(&hosts));
        if round % 20 == 0 {
            issue(authority);
        }
        thread::sleep(CHURN);
    }
}

fn issue(authority: &Authority) {
    let dns = vec!["server.example"];
    authority.issue("server", &Subject { name: "server", dns, ..Subject::default() });
}

/// Waits until the clients' ends have reached the proxy.
fn come_to_rest(proxy: &Proxy) {
    for gauge in [
        "http.soak.downstream_cx_active",
        "http.soak.downstream_rq_active",
        "cluster.hosts.upstream_rq_active",
        "cluster.hosts.upstream_rq_pending_active",
    ] {
        proxy.admin().wait_for_stat(gauge, 0);
    }
}

#[test]
fn nothing_fails_and_nothing_grows() {
    let half = time() / 2;
    for program in Program::ringmains() {
        let (dns, authority) = (DnsServer::start(), Authority::new());
        dns.set(NAME, Kind::A, Reply::v4(&[[127, 0, 0, 1]]));
        issue(&authority);
        let values = Values::from([
            ("port".into(), start_hosts().to_string()),
            ("resolver".into(), dns.address().port().to_string()),
            ("certificates".into(), authority.folder().display().to_string()),
        ]);
        let proxy = Proxy::start_with(program, &config(), &values, &["--concurrency", "2"]);
        let run = |time: Duration| {
            let clients = Clients::start(&proxy, &authority);
            churn(&dns, &authority, Instant::now() + time);
            let answered = clients.finish();
            come_to_rest(&proxy);
            (answered, proxy.resident_kib())
        };
        let before = proxy.descriptors();
        let (_, resident) = run(half);
        let (answered, resident_later) = run(half);
        assert!(answered > 0, "{program}");
        eventually("the descriptors of before", || {
            (proxy.descriptors() <= before + IDLE).then_some(())
        });
        assert!(
            resident_later <= resident + GROWTH_KIB,
            "{program}: {resident} KiB at half time, {resident_later} KiB at the end"
        );
        for (stat, least) in [
            ("cluster.hosts.membership_change", 3),
            ("server.certificate_reload", 1),
            ("http.soak.downstream_cx_http2_total", 1),
            ("http.soak.downstream_cx_ssl_total", 1),
            ("tcp.soak.downstream_cx_total", 1),
        ] {
            assert!(proxy.admin().stat(stat) >= least, "{program}: {stat}");
        }
        assert_eq!(proxy.admin().stat("server.connection_panics"), 0, "{program}");
        eprintln!("{program}: {answered} answered, {resident} KiB, then {resident_later} KiB");
    }
}

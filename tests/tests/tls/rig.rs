//! A proxy whose listener speaks TLS, before a scripted upstream.

use std::collections::BTreeMap;
use std::fs;

use ringmain_tests::proxy::{Program, Proxy, run_ringmain};
use ringmain_tests::template::{self, Values, front_proxy, indented};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::upstream::{Reply, Upstream, ok};
use ringmain_tests::wait::eventually;
use ringmain_tests::{normalize, workspace};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// Both versions.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Asks for the end of the connection with the answer.
pub const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";

/// The certificate of the proxy and what it asks of clients.
pub const SERVER: &str = "tls_certificates:
- certificate_chain: { filename: '{{certificates}}/server.crt' }
  private_key: { filename: '{{certificates}}/server.key' }
";

/// An authority that has signed the certificates of the tests.
pub fn authority() -> Authority {
    let authority = Authority::new();
    let dns = vec!["server.example", "*.wild.example"];
    authority.issue("server", &Subject { name: "server", dns, ..Subject::default() });
    authority
}

/// `front_proxy` with TLS: `common` and `context` are YAML fields.
pub fn tls_front(common: &str, context: &str, hcm: &str, cluster: &str) -> String {
    over_tls(&front_proxy(hcm, "", cluster), common, context)
}

/// `template`, whose one filter chain has TLS of these YAML fields.
pub fn over_tls(template: &str, common: &str, context: &str) -> String {
    let socket = format!(
        "- transport_socket:
    name: tls
    typed_config:
      \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
{}      common_tls_context:
{}  filters:",
        indented(context, 6),
        indented(common, 8)
    );
    let chains = "    filter_chains:\n";
    template.replace(
        &format!("{chains}    - filters:"),
        &format!("{chains}{}", indented(&socket, 4).trim_end()),
    )
}

/// `template`, whose listener logs its connections in `format`.
pub fn logged(template: &str, format: &str) -> String {
    let log = format!(
        "    access_log:
    - name: connections
      typed_config:
        '@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
        path: '{{{{scratch}}}}/connections.log'
        log_format: {{ text_format_source: {{ inline_string: \"{format}\\n\" }} }}
    filter_chains:
"
    );
    template.replacen("    filter_chains:\n", &log, 1)
}

/// The lines of so many connections, which may end in any order.
pub fn connection_lines(proxy: &Proxy, count: usize) -> Vec<String> {
    let log = eventually("the lines of the connections", || {
        Some(proxy.file("connections.log")).filter(|log| log.lines().count() >= count)
    });
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What `--mode validate` says of `template` with the certificates of `authority`.
pub fn validated(authority: &Authority, template: &str) -> String {
    let places = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    let mut values = Values::from(places);
    values.insert("certificates".into(), authority.folder().display().to_string());
    let path = workspace::scratch("validated").join("proxy.yaml");
    fs::write(&path, template::fill(template, &values)).expect("writable");
    let path = path.display().to_string();
    let output = run_ringmain(&["--mode", "validate", "-c", &path]);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A proxy and its upstream.
pub struct Rig {
    pub proxy: Proxy,
    pub upstream: Upstream,
}

impl Rig {
    pub fn start(program: Program, authority: &Authority, template: &str) -> Self {
        Self::with_replies(program, authority, template, vec![ok()])
    }

    pub fn with_replies(
        program: Program,
        authority: &Authority,
        template: &str,
        replies: Vec<Reply>,
    ) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("certificates".into(), authority.folder().display().to_string()),
        ]);
        Self { proxy: Proxy::start(program, template, &values), upstream }
    }

    pub fn port(&self) -> u16 {
        self.proxy.port("listener")
    }

    /// Waits until `count` connections have come and gone. One that got no session is never active, but ends
    /// after all that is counted of it.
    #[track_caller]
    pub fn wait_for_ends(&self, count: u64) {
        let admin = self.proxy.admin();
        admin.wait_for_stat("http.ingress.downstream_cx_destroy", count);
        admin.wait_for_stat("http.ingress.downstream_cx_active", 0);
    }

    /// The TLS counters of the listener that are not zero, by their names behind `ssl.`.
    pub fn ssl_stats(&self) -> BTreeMap<String, u64> {
        let prefix = format!("listener.127.0.0.1_{}.ssl.", self.port());
        let stats = self.proxy.admin().stats(".ssl.").into_iter();
        let named = stats.filter_map(|(name, value)| {
            let name = name.strip_prefix(&prefix)?.to_owned();
            Some((name, value.parse::<u64>().ok()?))
        });
        // Envoy tells expiry by a gauge of each certificate.
        let is_envoys = |name: &str| name.starts_with("certificate.");
        named.filter(|(name, value)| *value > 0 && !is_envoys(name)).collect()
    }
}

/// An answer without what differs from run to run.
pub fn normal(answer: &Result<String, String>) -> String {
    match answer {
        Ok(text) => normalize::headers(&text.replace("\r\n", "\n")),
        Err(_) => "no answer".to_owned(),
    }
}

/// Asserts that every program has come to the same; the first is Envoy.
#[track_caller]
pub fn assert_alike<T: PartialEq + std::fmt::Debug>(observe: impl Fn(Program) -> T) {
    let expected = observe(Program::Envoy);
    for program in Program::ringmains() {
        assert_eq!(observe(program), expected, "{program} and Envoy");
    }
}

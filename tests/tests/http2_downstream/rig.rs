//! A proxy before one scripted upstream, and clients of HTTP/2.

use ringmain_tests::h2_client::{GET, H2Client, Outcome};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Reply, Upstream};

pub const HTTP1_GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
pub const LOG: &str = r#"
access_log:
- name: file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: '{{scratch}}/access.log'
    log_format: { text_format_source: { inline_string: "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n" } }
"#;

/// Codes of RFC 9113 §7 that only this side of the wire uses.
pub const PROTOCOL_ERROR: u32 = 1;
pub const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A proxy before one scripted upstream.
pub struct Rig {
    pub program: Program,
    pub proxy: Proxy,
    pub upstream: Upstream,
}

impl Rig {
    pub fn start(program: Program, replies: Vec<Reply>) -> Self {
        Self::with(program, replies, "", "")
    }

    pub fn with(program: Program, replies: Vec<Reply>, hcm: &str, cluster: &str) -> Self {
        Self::with_template(program, replies, &front_proxy(&[LOG, hcm].concat(), "", cluster))
    }

    pub fn with_template(program: Program, replies: Vec<Reply>, template: &str) -> Self {
        let upstream = Upstream::start(replies);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, template, &values);
        Self { program, proxy, upstream }
    }

    pub fn port(&self) -> u16 {
        self.proxy.port("listener")
    }

    /// A request of HTTP/2 on a connection of its own.
    pub fn ask(&self, fields: &[(&str, &str)]) -> Outcome {
        let mut client = H2Client::open(self.port());
        client.request(1, fields);
        client.outcome(1)
    }

    #[track_caller]
    pub fn assert_served(&self) {
        assert_eq!(self.ask(&GET).status(), Some(200), "{}", self.program);
    }

    #[track_caller]
    pub fn wait_for_stat(&self, name: &str, value: u64) {
        self.proxy.admin().wait_for_stat(name, value);
    }
}

/// Envoy, and ringmain on each engine: they do the same.
pub fn both() -> impl Iterator<Item = Program> {
    [Program::Envoy].into_iter().chain(Program::ringmains())
}

/// Holds the response back until the test releases it.
pub fn held() -> Reply {
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    vec![Act::ReadBody, Act::AwaitRelease, Act::Send(response)]
}

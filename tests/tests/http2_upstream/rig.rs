//! A proxy before one scripted upstream of HTTP/2, alone and beside Envoy.

use std::time::Duration;

use ringmain_tests::client::Client;
use ringmain_tests::h2_frame::{END_STREAM, Frame, data, headers, kind};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2, Opening, Peer, Request};
use ringmain_tests::message::Message;
use ringmain_tests::normalize;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::wait::eventually;

pub const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
pub const POST: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi";
pub const OK: &[(&str, &str)] = &[(":status", "200"), ("content-length", "2")];

/// Between two frames that are to arrive one after the other.
pub const PAUSE: Duration = Duration::from_millis(50);

/// `200` with a body of two bytes, once the request has ended.
pub fn ok(peer: &mut Peer, request: &Request) {
    if request.ended {
        peer.send(headers(request.stream, OK, 0));
        peer.send(data(request.stream, "ok", END_STREAM));
    }
}

/// A proxy before one scripted upstream.
pub struct Rig {
    pub proxy: Proxy,
    pub upstream: H2Upstream,
}

impl Rig {
    pub fn start(
        program: Program,
        script: impl Fn(&mut Peer, &Request) + Send + Sync + 'static,
    ) -> Self {
        Self::before(program, "", "", H2Upstream::start(script))
    }

    pub fn before(program: Program, hcm: &str, route: &str, upstream: H2Upstream) -> Self {
        Self::with(program, [hcm, route, HTTP2], upstream)
    }

    /// With further fields of the connection manager, the route's action and the cluster.
    pub fn with(program: Program, [hcm, route, cluster]: [&str; 3], upstream: H2Upstream) -> Self {
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        Self { proxy: Proxy::start(program, &front_proxy(hcm, route, cluster), &values), upstream }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.proxy.port("listener"))
    }

    /// A request on a connection of its own.
    pub fn ask(&self, request: &str) -> Message {
        let mut client = self.client();
        client.send(request);
        client.read_response().expect("an answer")
    }

    pub fn stat(&self, leaf: &str) -> u64 {
        self.proxy.admin().stat(&format!("cluster.backend.{leaf}"))
    }

    #[track_caller]
    pub fn wait_for(&self, leaf: &str, value: u64) {
        self.proxy.admin().wait_for_stat(&format!("cluster.backend.{leaf}"), value);
    }

    /// Waits until nothing is under way any more.
    pub fn settle(&self) {
        for gauge in ["upstream_rq_active", "upstream_rq_pending_active"] {
            self.wait_for(gauge, 0);
        }
    }

    /// Requests by connection.
    pub fn requests(&self) -> Vec<usize> {
        let requests =
            |frames: &Vec<Frame>| frames.iter().filter(|it| it.kind == kind::HEADERS).count();
        self.upstream.connections().iter().map(requests).collect()
    }
}

/// What a client saw, and what the cluster counted.
pub fn outcome(
    program: Program,
    route: &str,
    opening: &Opening,
    script: fn(&mut Peer, &Request),
    requests: &[&str],
) -> String {
    const COUNTED: [&str; 20] = [
        "upstream_cx_total",
        "upstream_cx_http2_total",
        "upstream_cx_active",
        "upstream_cx_destroy",
        "upstream_cx_destroy_local",
        "upstream_cx_destroy_local_with_active_rq",
        "upstream_cx_destroy_remote",
        "upstream_cx_destroy_remote_with_active_rq",
        "upstream_cx_destroy_with_active_rq",
        "upstream_cx_close_notify",
        "upstream_cx_protocol_error",
        "upstream_rq_total",
        "upstream_rq_2xx",
        "upstream_rq_5xx",
        "upstream_rq_active",
        "upstream_rq_cancelled",
        "upstream_rq_retry",
        "upstream_rq_rx_reset",
        "upstream_rq_tx_reset",
        "upstream_rq_timeout",
    ];
    const LOG: &str = r#"access_log:
- name: file
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: "{{scratch}}/access.log"
    log_format: { text_format_source: { inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_PROTOCOL% %BYTES_RECEIVED% %BYTES_SENT%\n" } }
"#;
    let upstream = H2Upstream::start_with(opening.clone(), script);
    let rig = Rig::before(program, LOG, route, upstream);
    let mut text = String::new();
    for request in requests {
        let mut client = rig.client();
        client.send(request);
        let answer = match client.read_response() {
            Ok(answer) => answer.to_string(),
            Err(end) => format!("{end}\n"),
        };
        text += &normalize::headers(&answer);
    }
    rig.settle();
    for leaf in COUNTED {
        text += &format!("{leaf}: {}\n", rig.stat(leaf));
    }
    let lines = eventually("the access log", || {
        let lines = rig.proxy.file("access.log");
        (lines.lines().count() == requests.len()).then_some(lines)
    });
    text + &lines
}

/// The same through Envoy and through ringmain.
pub fn compare(
    name: &str,
    route: &str,
    opening: &Opening,
    script: fn(&mut Peer, &Request),
    requests: &[&str],
) {
    let expected = outcome(Program::Envoy, route, opening, script, requests);
    for program in Program::ringmains() {
        let seen = outcome(program, route, opening, script, requests);
        assert!(seen == expected, "{name}: {program}\n--- envoy\n{expected}\n--- ringmain\n{seen}");
    }
}

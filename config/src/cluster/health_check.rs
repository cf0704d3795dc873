//! Active health checks (`envoy.config.core.v3.HealthCheck`): who is asked, how often, and how many
//! answers in a row decide.

mod http;
mod payload;

use std::path::PathBuf;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3 as wire;
use envoy_types::pb::envoy::extensions::health_check::event_sinks::file::v3 as sink;
use wire::health_check::HealthChecker as WireChecker;

pub use self::http::{CodecClientType, HttpHealthCheck, StatusRanges};
use super::UpstreamProtocol;
use crate::address::Address;
use crate::duration;
use crate::header_mutation::HeaderValueOption;
use crate::report::{At, Note};
use crate::wire::unpack;

const NO_TRAFFIC_INTERVAL: Duration = Duration::from_secs(60);

/// `envoy.config.core.v3.HealthCheck`.
#[derive(Debug, Clone)]
pub struct HealthCheck {
    /// `timeout`: an answer that takes longer is a failure.
    pub timeout: Duration,
    /// The pauses between two checks of a host.
    pub intervals: Intervals,
    /// `initial_jitter`, default 0: the first check comes at a random moment within it.
    pub initial_jitter: Duration,
    /// `unhealthy_threshold`: so many failures in a row take a host out.
    pub unhealthy_threshold: u32,
    /// `healthy_threshold`: so many successes in a row bring it back.
    pub healthy_threshold: u32,
    /// `reuse_connection`, default true.
    pub reuse_connection: bool,
    /// What is asked.
    pub checker: HealthChecker,
    /// `event_log_path` (deprecated) and the files of `event_logger`.
    pub event_logs: Vec<PathBuf>,
    /// `always_log_health_check_failures`, default false: the first failure only.
    pub always_log_health_check_failures: bool,
    /// `always_log_health_check_success`, default false.
    pub always_log_health_check_success: bool,
    /// `tls_options.alpn_protocols`, in place of those of the transport socket where it has any.
    pub alpn_protocols: Vec<Vec<u8>>,
}

/// How long after a check the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// `interval`: where nothing has changed.
    pub interval: Duration,
    /// `unhealthy_interval`, default `interval`: while a host is unhealthy.
    pub unhealthy_interval: Duration,
    /// `unhealthy_edge_interval`, default `unhealthy_interval`: after a failure that may become a change.
    pub unhealthy_edge_interval: Duration,
    /// `healthy_edge_interval`, default `interval`: after a success that may become a change.
    pub healthy_edge_interval: Duration,
    /// `no_traffic_interval`, default 60 s: while the cluster has never had a connection.
    pub no_traffic_interval: Duration,
    /// `no_traffic_healthy_interval`, default `no_traffic_interval`: the same, of healthy hosts.
    pub no_traffic_healthy_interval: Duration,
    /// `interval_jitter`, default 0: up to so much longer, at random.
    pub interval_jitter: Duration,
    /// `interval_jitter_percent`, default 0: up to so much longer, in percent of the pause.
    pub interval_jitter_percent: u32,
    /// The runtime key `health_check.min_interval`, default 0: no pause is shorter.
    pub least: Duration,
    /// The runtime key `health_check.max_interval`, default no limit: no pause is longer.
    pub greatest: Duration,
}

/// `http_health_check`, `tcp_health_check` or `grpc_health_check`.
#[derive(Debug, Clone)]
pub enum HealthChecker {
    /// `http_health_check`.
    Http(Box<HttpHealthCheck>),
    /// `tcp_health_check`.
    Tcp(TcpHealthCheck),
    /// `grpc_health_check`.
    Grpc(GrpcHealthCheck),
}

/// `envoy.config.core.v3.HealthCheck.TcpHealthCheck`.
#[derive(Debug, Clone, Default)]
pub struct TcpHealthCheck {
    /// `send`; empty means nothing.
    pub send: Vec<u8>,
    /// `receive`: what must come, in this order; empty means that a connection is enough.
    pub receive: Vec<Vec<u8>>,
}

/// `envoy.config.core.v3.HealthCheck.GrpcHealthCheck`.
#[derive(Debug, Clone, Default)]
pub struct GrpcHealthCheck {
    /// `service_name`; empty asks for the whole server.
    pub service_name: String,
    /// `authority`; empty means the name of the cluster.
    pub authority: String,
    /// `initial_metadata`.
    pub initial_metadata: Vec<HeaderValueOption>,
}

/// What an endpoint says of its own checks (`envoy.config.endpoint.v3.Endpoint.HealthCheckConfig`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointHealthCheckConfig {
    /// `port_value`; 0 means that of the address.
    pub port_value: u16,
    /// `address`, in place of the endpoint's own.
    pub address: Option<Address>,
    /// `hostname`, in place of the check's own; empty means none.
    pub hostname: String,
    /// `disable_active_health_check`.
    pub disable_active_health_check: bool,
}

impl HealthCheck {
    /// Reads the field `health_checks`.
    pub(super) fn from_wire(
        wire: &[wire::HealthCheck],
        protocol: &UpstreamProtocol,
        at: &At<'_>,
    ) -> Option<Self> {
        let at = at.field("health_checks");
        for index in 1..wire.len() {
            let note = Note::from(
                "a cluster has one health check here; Envoy 1.40 takes \
                 several, each with a 'name'",
            )
            .help("keep the one that decides");
            at.index(index).error(note);
        }
        Self::one_from_wire(wire.first()?, protocol, &at.index(0))
    }

    fn one_from_wire(
        wire: &wire::HealthCheck,
        protocol: &UpstreamProtocol,
        at: &At<'_>,
    ) -> Option<Self> {
        let threshold = |wire: &Option<envoy_types::pb::google::protobuf::UInt32Value>| {
            // The field rules have seen to its presence.
            wire.map_or(1, |threshold| threshold.value)
        };
        Some(Self {
            timeout: duration::or(wire.timeout.as_ref(), Duration::ZERO, at, "timeout"),
            intervals: Intervals::from_wire(wire, at),
            initial_jitter: duration::or(
                wire.initial_jitter.as_ref(),
                Duration::ZERO,
                at,
                "initial_jitter",
            ),
            unhealthy_threshold: threshold(&wire.unhealthy_threshold),
            healthy_threshold: threshold(&wire.healthy_threshold),
            reuse_connection: wire.reuse_connection.is_none_or(|reuse| reuse.value),
            checker: HealthChecker::from_wire(wire.health_checker.as_ref()?, protocol, at)?,
            event_logs: event_logs(wire, at),
            always_log_health_check_failures: wire.always_log_health_check_failures,
            always_log_health_check_success: wire.always_log_health_check_success,
            alpn_protocols: wire.tls_options.iter().flat_map(alpn_protocols).collect(),
        })
    }
}

impl Intervals {
    fn from_wire(wire: &wire::HealthCheck, at: &At<'_>) -> Self {
        let or = |wire: &Option<_>, default, name| duration::or(wire.as_ref(), default, at, name);
        let of_runtime = |key| at.runtime().integer(key).map(Duration::from_millis);
        let interval = or(&wire.interval, Duration::ZERO, "interval");
        let unhealthy_interval = or(&wire.unhealthy_interval, interval, "unhealthy_interval");
        let no_traffic_interval =
            or(&wire.no_traffic_interval, NO_TRAFFIC_INTERVAL, "no_traffic_interval");
        Self {
            interval,
            unhealthy_interval,
            unhealthy_edge_interval: or(
                &wire.unhealthy_edge_interval,
                unhealthy_interval,
                "unhealthy_edge_interval",
            ),
            healthy_edge_interval: or(
                &wire.healthy_edge_interval,
                interval,
                "healthy_edge_interval",
            ),
            no_traffic_interval,
            no_traffic_healthy_interval: or(
                &wire.no_traffic_healthy_interval,
                no_traffic_interval,
                "no_traffic_healthy_interval",
            ),
            interval_jitter: or(&wire.interval_jitter, Duration::ZERO, "interval_jitter"),
            interval_jitter_percent: wire.interval_jitter_percent,
            least: of_runtime("health_check.min_interval").unwrap_or(Duration::ZERO),
            greatest: of_runtime("health_check.max_interval").unwrap_or(Duration::MAX),
        }
    }
}

impl HealthChecker {
    fn from_wire(wire: &WireChecker, protocol: &UpstreamProtocol, at: &At<'_>) -> Option<Self> {
        match wire {
            WireChecker::HttpHealthCheck(http) => {
                let http = HttpHealthCheck::from_wire(http, &at.field("http_health_check"))?;
                Some(Self::Http(Box::new(http)))
            }
            WireChecker::TcpHealthCheck(tcp) => {
                let at = at.field("tcp_health_check");
                Some(Self::Tcp(TcpHealthCheck {
                    send: payload::one(tcp.send.as_ref(), &at.field("send")),
                    receive: payload::list(&tcp.receive, &at.field("receive")),
                }))
            }
            WireChecker::GrpcHealthCheck(grpc) => {
                let at = at.field("grpc_health_check");
                if matches!(protocol, UpstreamProtocol::Http1) {
                    at.error_at_key(
                        Note::from("the cluster must speak HTTP/2, as Envoy demands").help(
                            "set http2_protocol_options in the cluster's HttpProtocolOptions",
                        ),
                    );
                }
                Some(Self::Grpc(GrpcHealthCheck {
                    service_name: grpc.service_name.clone(),
                    authority: grpc.authority.clone(),
                    initial_metadata: literal_headers(
                        &grpc.initial_metadata,
                        &at.field("initial_metadata"),
                    ),
                }))
            }
            // The support gate has refused it, or the user wants it ignored.
            WireChecker::CustomHealthCheck(_) => None,
        }
    }
}

/// Headers to add, whose values must be plain text: there is no stream that operators could tell of.
fn literal_headers(wire: &[wire::HeaderValueOption], at: &At<'_>) -> Vec<HeaderValueOption> {
    let read = |(index, wire)| {
        let at = at.index(index);
        let option = HeaderValueOption::from_wire(wire, &at)?;
        if let Some(operator) = option.value.operators().next() {
            let at = at.field("header");
            let note = format!(
                "%{operator}% is known to Envoy, not supported by ringmain in a health check"
            );
            at.field("value").error(Note::from(note).help("write text without operators"));
        }
        Some(option)
    };
    wire.iter().enumerate().filter_map(read).collect()
}

#[allow(deprecated, reason = "`event_log_path` is common in files")]
fn event_logs(wire: &wire::HealthCheck, at: &At<'_>) -> Vec<PathBuf> {
    let at = at.field("event_logger");
    let path = Some(&wire.event_log_path).filter(|path| !path.is_empty());
    let files = wire.event_logger.iter().enumerate().filter_map(|(index, logger)| {
        let sink = logger.typed_config.as_ref();
        let file = sink.and_then(unpack::<sink::HealthCheckEventFileSink>);
        if file.is_none() {
            at.index(index).error("an event logger here is a HealthCheckEventFileSink");
        }
        Some(PathBuf::from(file?.event_log_path))
    });
    path.map(PathBuf::from).into_iter().chain(files).collect()
}

fn alpn_protocols(wire: &wire::health_check::TlsOptions) -> impl Iterator<Item = Vec<u8>> + '_ {
    wire.alpn_protocols.iter().map(|protocol| protocol.as_bytes().to_vec())
}

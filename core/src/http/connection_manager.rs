//! The HTTP connection manager of a filter chain, compiled.

use ringmain_config::access_log::AccessLog;
use ringmain_config::http_connection_manager as config;
use ringmain_config::listener::TrafficDirection;
use ringmain_proto_codec::h1::{KeyFormat, RequestOptions, UnderscoreAction};
use ringmain_proto_codec::limits::HeadLimits;

use crate::access_log::LogSink;
use crate::router::Routes;
use crate::stats::scopes::{HttpStats, ResponseClassStats};
use crate::stats::{HistogramId, HistogramTable, PerWorker, Scope};

/// Everything that serving HTTP on a listener needs; shared by all workers, never changed.
#[derive(Debug)]
pub struct ConnectionManager {
    /// As written, without the routes, which are in `routes`.
    pub config: config::HttpConnectionManager,
    /// The routes.
    pub routes: Routes,
    /// How request heads are read.
    pub request_options: RequestOptions,
    /// How header names are written downstream.
    pub key_format: KeyFormat,
    /// `http.<stat_prefix>.`
    pub stats: PerWorker<HttpStats>,
    /// `http.<stat_prefix>.`, responses by class.
    pub responses: PerWorker<ResponseClassStats>,
    /// `listener.<address>.http.<stat_prefix>.`, responses by class without those in between.
    pub listener_responses: PerWorker<ResponseClassStats>,
    /// `http.<stat_prefix>.` histograms.
    pub histograms: HttpHistograms,
    /// `traffic_direction` of the listener.
    pub traffic_direction: TrafficDirection,
    /// The access logs and where each one's lines go.
    pub access_logs: Vec<(AccessLog, LogSink)>,
}

/// `http.<stat_prefix>.` histograms, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct HttpHistograms {
    /// `downstream_rq_time`: from the request's first byte to the response's last.
    pub downstream_rq_time: HistogramId,
    /// `downstream_cx_length_ms`.
    pub downstream_cx_length_ms: HistogramId,
}

impl ConnectionManager {
    /// Compiles `config` for `workers` workers and adds its histograms to `table`; `sink_of` says
    /// where an access log's lines go.
    pub fn new(
        config: config::HttpConnectionManager,
        workers: usize,
        table: &mut HistogramTable,
        traffic_direction: TrafficDirection,
        sink_of: impl FnMut(&AccessLog) -> LogSink,
    ) -> Self {
        let scope = Scope::http(&config.stat_prefix);
        let mut histogram = |name| table.add(&scope, name);
        let histograms = HttpHistograms {
            downstream_rq_time: histogram("downstream_rq_time"),
            downstream_cx_length_ms: histogram("downstream_cx_length_ms"),
        };
        let sinks: Vec<LogSink> = config.access_log.iter().map(sink_of).collect();
        Self {
            request_options: request_options(&config),
            key_format: match config.http1.header_key_format {
                config::HeaderKeyFormat::LowerCase => KeyFormat::LowerCase,
                config::HeaderKeyFormat::ProperCaseWords => KeyFormat::ProperCaseWords,
            },
            stats: PerWorker::new(workers),
            responses: PerWorker::new(workers),
            listener_responses: PerWorker::new(workers),
            histograms,
            traffic_direction,
            access_logs: config.access_log.iter().cloned().zip(sinks).collect(),
            routes: Routes::new(config.routes.clone()),
            config,
        }
    }
}

fn request_options(config: &config::HttpConnectionManager) -> RequestOptions {
    RequestOptions {
        limits: HeadLimits {
            bytes_max: config.max_request_headers_bytes,
            headers_max: config.max_headers_count,
        },
        accept_http_10: config.http1.accept_http_10,
        default_host_for_http_10: config.http1.default_host_for_http_10.clone(),
        allow_absolute_url: config.http1.allow_absolute_url,
        headers_with_underscores: match config.headers_with_underscores_action {
            config::HeadersWithUnderscoresAction::Allow => UnderscoreAction::Allow,
            config::HeadersWithUnderscoresAction::RejectRequest => UnderscoreAction::Reject,
            config::HeadersWithUnderscoresAction::DropHeader => UnderscoreAction::Drop,
        },
    }
}

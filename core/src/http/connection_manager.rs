//! The HTTP connection manager of a filter chain, compiled.

use ringmain_config::access_log::AccessLog;
use ringmain_config::http_connection_manager as config;
use ringmain_config::http_filter::{HttpFilter, Mutation, PerFilterConfig, SetFilterState};
use ringmain_config::listener::TrafficDirection;
use ringmain_config::route::{Action, ClusterSpecifier};
use ringmain_proto_codec::h1::{KeyFormat, RequestOptions, UnderscoreAction};
use ringmain_proto_codec::limits::HeadLimits;

use super::filter_chain::FilterChain;
use super::key_format;
use super::local_reply::LocalReplies;
use crate::access_log::{AccessLogger, LogSink, Recorded};
use crate::listener::FilterChainPlace;
use crate::router::{RequestGroups, Routes};
use crate::stats::scopes::{HttpStats, ResponseClassStats};
use crate::stats::{HistogramId, HistogramTable, PerWorker, Scope};

/// Everything that serving HTTP on a listener needs; shared by all workers, never changed.
#[derive(Debug)]
pub struct ConnectionManager {
    /// As written, without the routes, which are in `routes`.
    pub config: config::HttpConnectionManager,
    /// The routes.
    pub routes: Routes,
    /// The HTTP filters before the router.
    pub filters: FilterChain,
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
    /// The filter chain that it ends.
    pub place: FilterChainPlace,
    /// What the formats need of a stream's record.
    pub recorded: Recorded,
    /// The access logs.
    pub access_logs: Vec<AccessLogger>,
    /// `local_reply_config`.
    pub local_replies: Option<LocalReplies>,
    /// Requests counted by virtual cluster and by the route's `stat_prefix`.
    pub request_groups: RequestGroups,
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
        place: FilterChainPlace,
        workers: usize,
        table: &mut HistogramTable,
        traffic_direction: TrafficDirection,
        mut sink_of: impl FnMut(&AccessLog) -> LogSink,
    ) -> Self {
        let scope = Scope::http(&config.stat_prefix);
        let mut histogram = |name| table.add(&scope, name);
        let histograms = HttpHistograms {
            downstream_rq_time: histogram("downstream_rq_time"),
            downstream_cx_length_ms: histogram("downstream_cx_length_ms"),
        };
        let loggers =
            config.access_log.iter().map(|log| AccessLogger::new(log.clone(), sink_of(log)));
        let access_logs = loggers.collect();
        let routes = Routes::new(config.routes.clone());
        Self {
            filters: FilterChain::new(&config.http_filters, &routes, workers),
            request_options: request_options(&config),
            key_format: key_format::for_writing(config.http1.header_key_format),
            stats: PerWorker::new(workers),
            responses: PerWorker::new(workers),
            listener_responses: PerWorker::new(workers),
            histograms,
            traffic_direction,
            place,
            recorded: recorded(&config, &routes),
            access_logs,
            local_replies: config.local_reply_config.as_ref().map(LocalReplies::new),
            request_groups: RequestGroups::new(&routes, workers, table),
            routes,
            config,
        }
    }
}

/// What the formats need: those of access logs, and of headers at each level.
fn recorded(config: &config::HttpConnectionManager, routes: &Routes) -> Recorded {
    let mut mutations = Vec::new();
    let mut per_filter = Vec::new();
    let mut mirrors = Vec::new();
    for table in routes.tables() {
        per_filter.push(&table.config.per_filter_configs);
        mutations.extend([&table.config.request_headers, &table.config.response_headers]);
        mirrors.extend(&table.config.request_mirror_policies);
        for virtual_host in table.virtual_hosts() {
            let virtual_host = &virtual_host.config;
            per_filter.push(&virtual_host.per_filter_configs);
            mutations.extend([&virtual_host.request_headers, &virtual_host.response_headers]);
            mirrors.extend(&virtual_host.request_mirror_policies);
            for route in &virtual_host.routes {
                per_filter.push(&route.per_filter_configs);
                mutations.extend([&route.request_headers, &route.response_headers]);
                let Action::Route(action) = &route.action else { continue };
                mirrors.extend(&action.request_mirror_policies);
                if let ClusterSpecifier::Weighted(clusters) = &action.cluster {
                    for cluster in &clusters.clusters {
                        per_filter.push(&cluster.per_filter_configs);
                        mutations.extend([&cluster.request_headers, &cluster.response_headers]);
                    }
                }
            }
        }
    }
    let headers = mutations.iter().flat_map(|mutations| &mutations.add);
    let per_filter = || per_filter.iter().flat_map(|configs| configs.values());
    let of_filters = config.http_filters.iter().flat_map(HttpFilter::header_options);
    let of_filters = of_filters.chain(per_filter().flat_map(PerFilterConfig::header_options));
    let objects = config.http_filters.iter().filter_map(HttpFilter::set_filter_state);
    let objects = objects.chain(per_filter().filter_map(PerFilterConfig::set_filter_state));
    let in_objects = objects.flat_map(SetFilterState::operators);
    let local_replies = config.local_reply_config.iter();
    let mappers = local_replies.clone().flat_map(|replies| &replies.mappers);
    let of_replies = mappers.clone().flat_map(|mapper| &mapper.headers_to_add);
    let of_mirrors = mirrors.iter().flat_map(|policy| policy.header_options());
    let early = config.early_header_mutations.iter().filter_map(Mutation::header_option);
    let headers = headers.chain(of_filters).chain(of_replies).chain(of_mirrors).chain(early);
    let in_headers = headers.flat_map(|option| option.value.operators());
    let formats = config.access_log.iter().map(|log| &log.format);
    let formats = formats
        .chain(local_replies.filter_map(|replies| replies.body_format.as_ref()))
        .chain(mappers.filter_map(|mapper| mapper.body_format_override.as_ref()));
    let in_formats = formats.flat_map(|format| format.operators());
    Recorded::for_operators(in_formats.chain(in_headers).chain(in_objects))
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
        preserve_case: key_format::kept_from_reading(config.http1.header_key_format),
        proxies_continue: config.proxy_100_continue,
        headers_with_underscores: match config.headers_with_underscores_action {
            config::HeadersWithUnderscoresAction::Allow => UnderscoreAction::Allow,
            config::HeadersWithUnderscoresAction::RejectRequest => UnderscoreAction::Reject,
            config::HeadersWithUnderscoresAction::DropHeader => UnderscoreAction::Drop,
        },
    }
}

//! The HTTP connection manager
//! (`envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`).
//! Durations of `None` mean "off"; Envoy's default is beside each field.

mod options;

use std::time::Duration;

use core::scheme_header_transformation::Transformation;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::filters::http::router::v3 as router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as wire;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3 as early;
use wire::http_connection_manager::RouteSpecifier as WireRoutes;
use wire::http_filter::ConfigType;

use crate::access_log::AccessLog;
use crate::address::CidrRange;
use crate::cluster_names::ClusterNames;
use crate::duration;
use crate::fraction::Fraction;
use crate::http_filter::{HttpFilter, Mutation, warn_of_filters_without_effect};
use crate::http2_protocol_options::Http2ProtocolOptions;
use crate::local_reply_config::LocalReplyConfig;
use crate::original_ip_detection::OriginalIpDetection;
use crate::report::{At, Note};
use crate::route::{BackOff, RouteConfiguration, ScopedRoutes, TakenFromHosts};
use crate::upgrade_configs::UpgradeConfigs;
use crate::wire::unpack;

pub use self::options::{
    ClientCertDetails, CodecType, ForwardClientCertDetails, HeadersWithUnderscoresAction,
    Http1ProtocolOptions, PathWithEscapedSlashesAction, ServerHeaderTransformation, StripHostPort,
};

const MAX_HEADERS_COUNT: u32 = 100;
const MAX_REQUEST_HEADERS_KB: u32 = 60;
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DELAYED_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How HTTP is spoken and routed on a connection.
#[derive(Debug, Clone)]
pub struct HttpConnectionManager {
    /// `stat_prefix`, required.
    pub stat_prefix: String,
    /// `codec_type`, default AUTO.
    pub codec_type: CodecType,
    /// `route_config` or `scoped_routes`.
    pub routes: RouteSpecifier,
    /// `normalize_path`, default false.
    pub normalize_path: bool,
    /// `merge_slashes`, default false.
    pub merge_slashes: bool,
    /// `path_with_escaped_slashes_action`, default KEEP_UNCHANGED.
    pub path_with_escaped_slashes_action: PathWithEscapedSlashesAction,
    /// `strip_any_host_port` or `strip_matching_host_port`.
    pub strip_host_port: StripHostPort,
    /// `strip_trailing_host_dot`, default false.
    pub strip_trailing_host_dot: bool,
    /// `http_filters` before the router, in order.
    pub http_filters: Vec<HttpFilter>,
    /// The terminal `envoy.extensions.filters.http.router.v3.Router`.
    pub router: Router,
    /// `server_name`, default `envoy`.
    pub server_name: String,
    /// `forward_client_cert_details`, default SANITIZE.
    pub forward_client_cert_details: ForwardClientCertDetails,
    /// `set_current_client_cert_details`: what is told beside the certificate's hash.
    pub set_current_client_cert_details: ClientCertDetails,
    /// `server_header_transformation`, default OVERWRITE.
    pub server_header_transformation: ServerHeaderTransformation,
    /// `common_http_protocol_options.idle_timeout`, default 1 h.
    pub idle_timeout: Option<Duration>,
    /// `common_http_protocol_options.max_connection_duration`, default off.
    pub max_connection_duration: Option<Duration>,
    /// `common_http_protocol_options.max_stream_duration`, default off.
    pub max_stream_duration: Option<Duration>,
    /// `common_http_protocol_options.max_headers_count`, default 100.
    pub max_headers_count: u32,
    /// `common_http_protocol_options.max_requests_per_connection`, default off.
    pub max_requests_per_connection: Option<u32>,
    /// `common_http_protocol_options.headers_with_underscores_action`, default ALLOW.
    pub headers_with_underscores_action: HeadersWithUnderscoresAction,
    /// `max_request_headers_kb`, default 60 KiB; here in bytes.
    pub max_request_headers_bytes: u32,
    /// `stream_idle_timeout`, default 5 min.
    pub stream_idle_timeout: Option<Duration>,
    /// `request_timeout`, default off.
    pub request_timeout: Option<Duration>,
    /// `request_headers_timeout`, default off.
    pub request_headers_timeout: Option<Duration>,
    /// `drain_timeout`, default 5 s.
    pub drain_timeout: Duration,
    /// `delayed_close_timeout`, default 1 s.
    pub delayed_close_timeout: Option<Duration>,
    /// `use_remote_address`, default false.
    pub use_remote_address: bool,
    /// `append_x_forwarded_port`, default false.
    pub append_x_forwarded_port: bool,
    /// `xff_num_trusted_hops`, default 0.
    pub xff_num_trusted_hops: u32,
    /// `skip_xff_append`, default false.
    pub skip_xff_append: bool,
    /// `original_ip_detection_extensions`, asked in order until one finds the client's address; none
    /// means that `x-forwarded-for` is asked.
    pub original_ip_detection: Vec<OriginalIpDetection>,
    /// `early_header_mutation_extensions`: what is changed in a request's headers before anything else.
    pub early_header_mutations: Vec<Mutation>,
    /// `add_user_agent`, default false: requests say which service and node they come from.
    pub add_user_agent: bool,
    /// `scheme_header_transformation.scheme_to_overwrite`: what `:scheme` and `x-forwarded-proto` become,
    /// default none.
    pub scheme_to_overwrite: Option<String>,
    /// `via`, default empty (none is added).
    pub via: String,
    /// `generate_request_id`, default true.
    pub generate_request_id: bool,
    /// `preserve_external_request_id`, default false.
    pub preserve_external_request_id: bool,
    /// `always_set_request_id_in_response`, default false.
    pub always_set_request_id_in_response: bool,
    /// `internal_address_config.cidr_ranges`, default none.
    pub internal_address_ranges: Vec<CidrRange>,
    /// `internal_address_config.unix_sockets`, default false: clients of Unix sockets are internal.
    pub unix_sockets_are_internal: bool,
    /// `http_protocol_options`.
    pub http1: Http1ProtocolOptions,
    /// `http2_protocol_options`.
    pub http2: Http2ProtocolOptions,
    /// `proxy_100_continue`, default false: it is the upstream that meets `expect: 100-continue`, and its
    /// interim responses reach the client. Else that is answered here.
    pub proxy_100_continue: bool,
    /// `upgrade_configs`, default none: what a client may leave HTTP for.
    pub upgrade_configs: UpgradeConfigs,
    /// `http_protocol_options.override_stream_error_on_invalid_http_message`, or else
    /// `stream_error_on_invalid_http_message`, default false: a connection of HTTP/1 outlives a request
    /// that is answered with 400, as long as its end is known. That is so in HTTP/2 in any case.
    pub stream_error_on_invalid_http_message: bool,
    /// `access_log`.
    pub access_log: Vec<AccessLog>,
    /// `access_log_options.flush_access_log_on_new_request` (or the deprecated field of that name),
    /// default false: a line is written when a request has come, too.
    pub flush_access_log_on_new_request: bool,
    /// `local_reply_config`.
    pub local_reply_config: Option<LocalReplyConfig>,
}

/// `route_specifier`.
#[derive(Debug, Clone)]
pub enum RouteSpecifier {
    /// `route_config`.
    RouteConfig(Box<RouteConfiguration>),
    /// `scoped_routes`.
    ScopedRoutes(Box<ScopedRoutes>),
}

/// `envoy.extensions.filters.http.router.v3.Router`.
#[derive(Debug, Clone)]
pub struct Router {
    /// `suppress_envoy_headers`, default false.
    pub suppress_envoy_headers: bool,
    /// The runtime key `upstream.use_retry`, default all: how many of the attempts that would be made again are.
    pub use_retry: Fraction,
    /// By the runtime key `upstream.base_retry_backoff_ms`: the waits of requests whose route has no
    /// `retry_policy`.
    pub retry_back_off: BackOff,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            suppress_envoy_headers: false,
            use_retry: Fraction::ALL,
            retry_back_off: BackOff::default(),
        }
    }
}

impl HttpConnectionManager {
    pub(crate) fn from_wire(
        wire: &wire::HttpConnectionManager,
        clusters: &ClusterNames<'_>,
        at: &At<'_>,
    ) -> Option<Self> {
        let common = wire.common_http_protocol_options.unwrap_or_default();
        let common_at = at.field("common_http_protocol_options");
        let or_off = |duration, default, name| duration::or_off(duration, default, at, name);
        let common_or_off =
            |duration, default, name| duration::or_off(duration, default, &common_at, name);
        let router = router_from_wire(&wire.http_filters, at);
        let http_filters =
            HttpFilter::list_from_wire(&wire.http_filters, &at.field("http_filters"));
        let specifier = wire.route_specifier.as_ref();
        let strip_host_port = StripHostPort::from_wire(wire, at);
        let taken = TakenFromHosts {
            ignored_port: false,
            any_port: strip_host_port == StripHostPort::Any,
            trailing_dot: wire.strip_trailing_host_dot,
        };
        let routes = RouteSpecifier::from_wire(specifier, clusters, &http_filters, taken, at);
        if let Some(routes) = &routes {
            warn_of_filters_without_effect(&http_filters, routes, &at.field("http_filters"));
        }
        Some(Self {
            stat_prefix: wire.stat_prefix.clone(),
            codec_type: CodecType::from_wire(wire.codec_type()),
            routes: routes?,
            normalize_path: wire.normalize_path.is_some_and(|normalize| normalize.value),
            merge_slashes: wire.merge_slashes,
            path_with_escaped_slashes_action: PathWithEscapedSlashesAction::from_wire(
                wire.path_with_escaped_slashes_action(),
            ),
            strip_host_port,
            strip_trailing_host_dot: wire.strip_trailing_host_dot,
            http_filters,
            router: router?,
            server_name: non_empty(&wire.server_name).unwrap_or_else(|| "envoy".to_owned()),
            forward_client_cert_details: ForwardClientCertDetails::from_wire(
                wire.forward_client_cert_details(),
            ),
            set_current_client_cert_details: ClientCertDetails::from_wire(wire),
            server_header_transformation: ServerHeaderTransformation::from_wire(
                wire.server_header_transformation(),
            ),
            idle_timeout: common_or_off(
                common.idle_timeout.as_ref(),
                Some(IDLE_TIMEOUT),
                "idle_timeout",
            ),
            max_connection_duration: common_or_off(
                common.max_connection_duration.as_ref(),
                None,
                "max_connection_duration",
            ),
            max_stream_duration: common_or_off(
                common.max_stream_duration.as_ref(),
                None,
                "max_stream_duration",
            ),
            max_headers_count: common.max_headers_count.map_or(MAX_HEADERS_COUNT, |max| max.value),
            max_requests_per_connection: common
                .max_requests_per_connection
                .map(|max| max.value)
                .filter(|max| *max > 0),
            headers_with_underscores_action: HeadersWithUnderscoresAction::from_wire(
                common.headers_with_underscores_action(),
            ),
            max_request_headers_bytes: 1024
                * wire.max_request_headers_kb.map_or(MAX_REQUEST_HEADERS_KB, |max| max.value),
            stream_idle_timeout: or_off(
                wire.stream_idle_timeout.as_ref(),
                Some(STREAM_IDLE_TIMEOUT),
                "stream_idle_timeout",
            ),
            request_timeout: or_off(wire.request_timeout.as_ref(), None, "request_timeout"),
            request_headers_timeout: or_off(
                wire.request_headers_timeout.as_ref(),
                None,
                "request_headers_timeout",
            ),
            drain_timeout: duration::or(
                wire.drain_timeout.as_ref(),
                DRAIN_TIMEOUT,
                at,
                "drain_timeout",
            ),
            delayed_close_timeout: or_off(
                wire.delayed_close_timeout.as_ref(),
                Some(DELAYED_CLOSE_TIMEOUT),
                "delayed_close_timeout",
            ),
            use_remote_address: wire.use_remote_address.is_some_and(|used| used.value),
            append_x_forwarded_port: wire.append_x_forwarded_port,
            xff_num_trusted_hops: wire.xff_num_trusted_hops,
            skip_xff_append: wire.skip_xff_append,
            original_ip_detection: OriginalIpDetection::list_from_wire(wire, at),
            early_header_mutations: early_header_mutations(wire, at),
            add_user_agent: wire.add_user_agent.is_some_and(|add| add.value),
            scheme_to_overwrite: scheme_to_overwrite(wire),
            via: wire.via.clone(),
            generate_request_id: wire.generate_request_id.is_none_or(|generate| generate.value),
            preserve_external_request_id: wire.preserve_external_request_id,
            always_set_request_id_in_response: wire.always_set_request_id_in_response,
            internal_address_ranges: internal_address_ranges(wire, at),
            unix_sockets_are_internal: wire
                .internal_address_config
                .as_ref()
                .is_some_and(|config| config.unix_sockets),
            http1: Http1ProtocolOptions::from_wire(wire.http_protocol_options.as_ref(), at),
            http2: Http2ProtocolOptions::from_wire(wire.http2_protocol_options.as_ref(), at),
            proxy_100_continue: wire.proxy_100_continue,
            upgrade_configs: UpgradeConfigs::of_manager(&wire.upgrade_configs, at),
            stream_error_on_invalid_http_message: stream_error_on_invalid_http_message(wire),
            access_log: AccessLog::list_from_wire(&wire.access_log, at),
            flush_access_log_on_new_request: flushes_on_new_request(wire, at),
            local_reply_config: wire.local_reply_config.as_ref().and_then(|wire| {
                LocalReplyConfig::from_wire(wire, &at.field("local_reply_config"))
            }),
        })
    }
}

impl RouteSpecifier {
    fn from_wire(
        wire: Option<&WireRoutes>,
        clusters: &ClusterNames<'_>,
        filters: &[HttpFilter],
        taken: TakenFromHosts,
        at: &At<'_>,
    ) -> Option<Self> {
        match wire {
            Some(WireRoutes::RouteConfig(routes)) => {
                let at = at.field("route_config");
                let routes = RouteConfiguration::from_wire(routes, clusters, filters, taken, &at);
                Some(Self::RouteConfig(Box::new(routes)))
            }
            Some(WireRoutes::ScopedRoutes(routes)) => {
                let at = at.field("scoped_routes");
                let routes = ScopedRoutes::from_wire(routes, clusters, filters, taken, &at)?;
                Some(Self::ScopedRoutes(Box::new(routes)))
            }
            _ => {
                at.error_at_key(
                    Note::from("'route_config' is required")
                        .help("add 'route_config' with 'virtual_hosts', or 'scoped_routes'"),
                );
                None
            }
        }
    }
}

/// The router, which has to be the last filter.
fn router_from_wire(filters: &[wire::HttpFilter], at: &At<'_>) -> Option<Router> {
    let at = at.field("http_filters");
    let mut router = None;
    for (index, filter) in filters.iter().enumerate() {
        let Some(ConfigType::TypedConfig(any)) = &filter.config_type else {
            at.index(index).error(Note::typed_config_required());
            return None;
        };
        // One of another type is there only if the user wants it ignored.
        let Some(found) = unpack::<router::Router>(any) else { continue };
        if index + 1 < filters.len() {
            at.index(index).error(
                Note::from(format!(
                    "terminal filter '{}' must be the last filter in an HTTP filter chain",
                    filter.name
                ))
                .help("move it to the end of 'http_filters'"),
            );
            return None;
        }
        router = Some(Router {
            suppress_envoy_headers: found.suppress_envoy_headers,
            use_retry: at.runtime().fraction("upstream.use_retry").unwrap_or(Fraction::ALL),
            retry_back_off: BackOff::of_runtime(&at),
        });
    }
    if router.is_none() {
        at.error_at_key(Note::from("the last HTTP filter must be the router").help(
            "add { name: envoy.filters.http.router, typed_config: { \"@type\": \
             type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } at the end",
        ));
    }
    router
}

#[expect(deprecated, reason = "Envoy still reads the older field")]
fn flushes_on_new_request(wire: &wire::HttpConnectionManager, at: &At<'_>) -> bool {
    let older = wire.flush_access_log_on_new_request;
    let Some(options) = &wire.access_log_options else { return older };
    if older {
        let note = Note::from(
            "'flush_access_log_on_new_request' cannot be set together with \
             'access_log_options'",
        )
        .help("remove one of the two");
        at.field("flush_access_log_on_new_request").error_at_key(note);
    }
    options.flush_access_log_on_new_request
}

fn internal_address_ranges(wire: &wire::HttpConnectionManager, at: &At<'_>) -> Vec<CidrRange> {
    let at = at.field("internal_address_config");
    let at = at.field("cidr_ranges");
    let ranges = wire.internal_address_config.iter().flat_map(|config| &config.cidr_ranges);
    ranges
        .enumerate()
        .filter_map(|(index, range)| CidrRange::from_wire(range, &at.index(index)))
        .collect()
}

fn stream_error_on_invalid_http_message(wire: &wire::HttpConnectionManager) -> bool {
    let http1 = wire.http_protocol_options.as_ref();
    let http1 = http1.and_then(|http1| http1.override_stream_error_on_invalid_http_message);
    http1.or(wire.stream_error_on_invalid_http_message).is_some_and(|set| set.value)
}

fn scheme_to_overwrite(wire: &wire::HttpConnectionManager) -> Option<String> {
    let transformation = wire.scheme_header_transformation.as_ref()?;
    match transformation.transformation.as_ref()? {
        Transformation::SchemeToOverwrite(scheme) => Some(scheme.clone()),
    }
}

fn non_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// The mutations of all `early_header_mutation_extensions`, in order.
fn early_header_mutations(wire: &wire::HttpConnectionManager, at: &At<'_>) -> Vec<Mutation> {
    let at = at.field("early_header_mutation_extensions");
    let mut mutations = Vec::new();
    for (index, extension) in wire.early_header_mutation_extensions.iter().enumerate() {
        let at = at.index(index);
        let at = at.field("typed_config");
        // The field rules have seen to its presence.
        let Some(any) = &extension.typed_config else { continue };
        match unpack::<early::HeaderMutation>(any) {
            Some(early) => {
                let at = at.field("mutations");
                mutations.extend(Mutation::list_from_wire(&early.mutations, &at));
            }
            None => at.error_at_key(Note::from("this changes no headers early").help(
                "use envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            )),
        }
    }
    mutations
}

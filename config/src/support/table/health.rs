//! Active health checks and outlier detection.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.cluster.v3.OutlierDetection",
        supported: "consecutive_5xx interval base_ejection_time max_ejection_percent \
                    enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts \
                    success_rate_request_volume success_rate_stdev_factor \
                    consecutive_gateway_failure enforcing_consecutive_gateway_failure \
                    split_external_local_origin_errors consecutive_local_origin_failure \
                    enforcing_consecutive_local_origin_failure \
                    enforcing_local_origin_success_rate failure_percentage_threshold \
                    enforcing_failure_percentage enforcing_failure_percentage_local_origin \
                    failure_percentage_minimum_hosts failure_percentage_request_volume \
                    max_ejection_time max_ejection_time_jitter \
                    successful_active_health_check_uneject_host always_eject_one_host",
        limited: "detect_degraded_hosts=false",
        ..NONE
    },
    Message {
        name: "envoy.config.endpoint.v3.Endpoint.HealthCheckConfig",
        supported: "port_value hostname address disable_active_health_check",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck",
        supported: "timeout interval initial_jitter interval_jitter interval_jitter_percent \
                    unhealthy_threshold healthy_threshold reuse_connection http_health_check \
                    tcp_health_check grpc_health_check no_traffic_interval \
                    no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval \
                    healthy_edge_interval event_log_path event_logger \
                    always_log_health_check_failures always_log_health_check_success tls_options",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.HttpHealthCheck",
        supported: "host path send receive response_buffer_size request_headers_to_add \
                    request_headers_to_remove expected_statuses retriable_statuses \
                    service_name_matcher method",
        limited: "codec_client_type=HTTP1|HTTP2",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.TcpHealthCheck",
        supported: "send receive",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.GrpcHealthCheck",
        supported: "service_name authority initial_metadata",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.HealthCheck.Payload", supported: "text binary", ..NONE },
    Message {
        name: "envoy.config.core.v3.HealthCheck.TlsOptions",
        supported: "alpn_protocols",
        ..NONE
    },
    Message {
        name: "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink",
        supported: "event_log_path",
        ..NONE
    },
];

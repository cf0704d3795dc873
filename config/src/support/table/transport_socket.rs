//! Transport sockets: TLS and the PROXY protocol towards upstreams.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message {
        name: "envoy.config.core.v3.TransportSocket",
        supported: "name typed_config",
        ..NONE
    },
    Message { name: "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", ..NONE },
    Message {
        name: "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
        supported: "config transport_socket",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.ProxyProtocolConfig",
        supported: "version pass_through_tlvs added_tlvs",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.ProxyProtocolPassThroughTLVs",
        supported: "match_type tlv_type",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.TlvEntry", supported: "type value", ..NONE },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        supported: "common_tls_context require_client_certificate require_sni session_timeout \
                    session_ticket_keys session_ticket_keys_sds_secret_config \
                    disable_stateless_session_resumption \
                    full_scan_certs_on_sni_mismatch prefer_client_ciphers ocsp_staple_policy",
        limited: "disable_stateful_session_resumption=true",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        supported: "common_tls_context sni auto_host_sni auto_sni_san_validation max_session_keys",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext",
        supported: "tls_params tls_certificates tls_certificate_sds_secret_configs \
                    validation_context validation_context_sds_secret_config \
                    combined_validation_context alpn_protocols",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.Secret",
        supported: "name tls_certificate session_ticket_keys validation_context",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig",
        supported: "name sds_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext.\
               session_ticket_keys_sds_secret_config",
        supported: "name",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig.sds_config",
        supported: "path path_config_source",
        harmless: "initial_fetch_timeout",
        limited: "resource_api_version=V3",
    },
    Message {
        name: "envoy.config.core.v3.PathConfigSource",
        supported: "path watched_directory",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.WatchedDirectory", supported: "path", ..NONE },
    Message {
        name: "envoy.service.discovery.v3.DiscoveryResponse",
        supported: "resources",
        harmless: "version_info type_url nonce",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.\
               CombinedCertificateValidationContext",
        supported: "default_validation_context validation_context_sds_secret_config",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsParameters",
        supported: "cipher_suites ecdh_curves",
        limited: "tls_minimum_protocol_version=TLS_AUTO|TLSv1_2|TLSv1_3 \
                  tls_maximum_protocol_version=TLS_AUTO|TLSv1_2|TLSv1_3",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
        supported: "certificate_chain private_key ocsp_staple watched_directory",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys",
        supported: "keys",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext",
        supported: "trusted_ca verify_certificate_spki verify_certificate_hash \
                    match_typed_subject_alt_names match_subject_alt_names crl \
                    only_verify_leaf_cert_crl allow_expired_certificate trust_chain_verification \
                    suppress_client_ca_list watched_directory",
        ..NONE
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher",
        supported: "matcher",
        limited: "san_type=EMAIL|DNS|URI|IP_ADDRESS",
        ..NONE
    },
];

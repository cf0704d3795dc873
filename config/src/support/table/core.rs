//! Messages that all rooms share.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message { name: "envoy.config.core.v3.Locality", supported: "region zone sub_zone", ..NONE },
    Message { name: "envoy.config.core.v3.Metadata", supported: "filter_metadata", ..NONE },
    Message { name: "envoy.config.core.v3.Address", supported: "socket_address pipe", ..NONE },
    Message { name: "envoy.config.core.v3.Pipe", supported: "path mode", ..NONE },
    Message {
        name: "envoy.config.core.v3.SocketAddress",
        supported: "address port_value",
        limited: "protocol=TCP",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.CidrRange",
        supported: "address_prefix prefix_len",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.DataSource",
        supported: "filename inline_bytes inline_string environment_variable",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.BackoffStrategy",
        supported: "base_interval max_interval",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeFeatureFlag",
        supported: "default_value runtime_key",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.SchemeHeaderTransformation",
        supported: "scheme_to_overwrite",
        limited: "match_upstream=false",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.TypedExtensionConfig",
        supported: "name typed_config",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.RuntimeFractionalPercent",
        supported: "default_value runtime_key",
        ..NONE
    },
    Message {
        name: "envoy.config.core.v3.HeaderValueOption",
        supported: "header append append_action keep_empty_value",
        ..NONE
    },
    Message { name: "envoy.config.core.v3.HeaderValue", supported: "key value", ..NONE },
    Message {
        name: "envoy.config.core.v3.RuntimeUInt32",
        supported: "default_value runtime_key",
        ..NONE
    },
];

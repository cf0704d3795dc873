//! `envoy.extensions.filters.http.header_to_metadata.v3`.

use envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3 as wire;
use wire::config as pb;

use crate::header_mutation::mutable_name;
use crate::matcher::{RegexRewrite, looked_up_name};
use crate::report::{At, Note};

/// Where a value goes that names no namespace.
const OWN_NAMESPACE: &str = "envoy.filters.http.header_to_metadata";

/// `envoy.extensions.filters.http.header_to_metadata.v3.Config`, of the filter or of a level of the routes.
#[derive(Debug, Clone)]
pub struct HeaderToMetadata {
    /// `request_rules`, in order.
    pub request_rules: Vec<MetadataRule>,
    /// `response_rules`, in order.
    pub response_rules: Vec<MetadataRule>,
    /// `stat_prefix`; without it nothing is counted.
    pub stat_prefix: Option<String>,
}

/// `Config.Rule`.
#[derive(Debug, Clone)]
pub struct MetadataRule {
    /// `header` or `cookie`.
    pub source: MetadataRuleSource,
    /// `on_header_present`: what is noted where the source is there.
    pub on_header_present: Option<MetadataPair>,
    /// `on_header_missing`: what is noted where it is not.
    pub on_header_missing: Option<MetadataPair>,
    /// `remove`, default false: the header goes no further.
    pub remove: bool,
}

/// Where the value of a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataRuleSource {
    /// `header`, in lower case; `host` is `:authority`, as in Envoy.
    Header(String),
    /// `cookie`.
    Cookie(String),
}

/// `Config.KeyValuePair`.
#[derive(Debug, Clone)]
pub struct MetadataPair {
    /// `metadata_namespace`, default `envoy.filters.http.header_to_metadata`.
    pub metadata_namespace: String,
    /// `key`.
    pub key: String,
    /// `value` or `regex_value_rewrite`.
    pub value: MetadataPairValue,
    /// `type`, default `STRING`.
    pub value_type: MetadataValueType,
    /// `encode: BASE64`, default false: the value is decoded first.
    pub is_base64: bool,
}

/// What is noted.
#[derive(Debug, Clone)]
pub enum MetadataPairValue {
    /// The header's or the cookie's value.
    Found,
    /// `value`.
    Fixed(String),
    /// `regex_value_rewrite`: the value with every match replaced.
    Rewritten(RegexRewrite),
}

/// `Config.ValueType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataValueType {
    /// `STRING`.
    String,
    /// `NUMBER`.
    Number,
    /// `PROTOBUF_VALUE`: a serialized `google.protobuf.Value`.
    ProtobufValue,
}

impl HeaderToMetadata {
    pub(super) fn from_wire(wire: &wire::Config, at: &At<'_>) -> Self {
        let rules = |wire: &[pb::Rule], name| {
            let at = at.field(name);
            let rules = wire.iter().enumerate();
            rules
                .filter_map(|(index, wire)| MetadataRule::from_wire(wire, &at.index(index)))
                .collect()
        };
        Self {
            request_rules: rules(&wire.request_rules, "request_rules"),
            response_rules: rules(&wire.response_rules, "response_rules"),
            stat_prefix: Some(wire.stat_prefix.clone()).filter(|prefix| !prefix.is_empty()),
        }
    }

    /// As a level of the routes has it, which says something.
    pub(super) fn per_route(wire: &wire::Config, at: &At<'_>) -> Self {
        if wire.request_rules.is_empty() && wire.response_rules.is_empty() {
            at.error_at_key("'request_rules' or 'response_rules' is required here");
        }
        Self::from_wire(wire, at)
    }
}

impl MetadataRule {
    fn from_wire(wire: &pb::Rule, at: &At<'_>) -> Option<Self> {
        let source = source(wire, at)?;
        if wire.on_header_present.is_none() && wire.on_header_missing.is_none() {
            at.error("'on_header_present' or 'on_header_missing' is required");
        }
        let present = wire.on_header_present.as_ref();
        let missing = wire.on_header_missing.as_ref();
        Some(Self {
            source,
            on_header_present: present
                .and_then(|wire| MetadataPair::of_found(wire, &at.field("on_header_present"))),
            on_header_missing: missing
                .map(|wire| MetadataPair::of_missing(wire, &at.field("on_header_missing"))),
            remove: wire.remove,
        })
    }
}

fn source(wire: &pb::Rule, at: &At<'_>) -> Option<MetadataRuleSource> {
    match (wire.header.as_str(), wire.cookie.as_str()) {
        ("", "") => {
            at.error("'header' or 'cookie' is required");
            None
        }
        ("", _) if wire.remove => {
            at.field("remove")
                .error(Note::from("a cookie cannot be removed").help("remove 'remove'"));
            None
        }
        ("", cookie) => Some(MetadataRuleSource::Cookie(cookie.to_owned())),
        // Without its path, its host or its status there would be no message.
        (header, "") if wire.remove => {
            mutable_name(header, "removed", &at.field("header")).map(MetadataRuleSource::Header)
        }
        (header, "") => Some(MetadataRuleSource::Header(looked_up_name(header))),
        _ => {
            at.field("cookie").error(
                Note::from("only one of 'header' and 'cookie' may be set")
                    .help("write a rule for each"),
            );
            None
        }
    }
}

impl MetadataPair {
    fn of_found(wire: &pb::KeyValuePair, at: &At<'_>) -> Option<Self> {
        let value = match &wire.regex_value_rewrite {
            None if wire.value.is_empty() => MetadataPairValue::Found,
            None => MetadataPairValue::Fixed(wire.value.clone()),
            Some(regex) => {
                if !wire.value.is_empty() {
                    at.field("value").error(
                        Note::from("only one of 'value' and 'regex_value_rewrite' may be set")
                            .help("remove 'value' to rewrite what the header has"),
                    );
                }
                let rewrite = RegexRewrite::from_wire(regex, &at.field("regex_value_rewrite"))?;
                MetadataPairValue::Rewritten(rewrite)
            }
        };
        Some(Self::with(value, wire))
    }

    fn of_missing(wire: &pb::KeyValuePair, at: &At<'_>) -> Self {
        if wire.value.is_empty() {
            at.error("'value' is required: there is no other where the source is missing");
        }
        if wire.regex_value_rewrite.is_some() {
            at.field("regex_value_rewrite").warn(
                Note::from("there is nothing to rewrite where the source is missing: no effect")
                    .help("move it to 'on_header_present'"),
            );
        }
        Self::with(MetadataPairValue::Fixed(wire.value.clone()), wire)
    }

    fn with(value: MetadataPairValue, wire: &pb::KeyValuePair) -> Self {
        let namespace = match wire.metadata_namespace.as_str() {
            "" => OWN_NAMESPACE,
            namespace => namespace,
        };
        Self {
            metadata_namespace: namespace.to_owned(),
            key: wire.key.clone(),
            value,
            value_type: match wire.r#type() {
                pb::ValueType::String => MetadataValueType::String,
                pb::ValueType::Number => MetadataValueType::Number,
                pb::ValueType::ProtobufValue => MetadataValueType::ProtobufValue,
            },
            is_base64: wire.encode() == pb::ValueEncode::Base64,
        }
    }
}

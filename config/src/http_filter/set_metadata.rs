//! `envoy.extensions.filters.http.set_metadata.v3`.

use envoy_types::pb::envoy::extensions::filters::http::set_metadata::v3 as wire;
use envoy_types::pb::google::protobuf::Struct;
use serde_json::Value;

use crate::metadata::fields_of;
use crate::report::{At, Note};

/// `envoy.extensions.filters.http.set_metadata.v3.Config`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetMetadata {
    /// `metadata`, in order; before it what the older fields `metadata_namespace` and `value` say.
    pub metadata: Vec<MetadataEntry>,
}

/// `envoy.extensions.filters.http.set_metadata.v3.Metadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataEntry {
    /// `metadata_namespace`.
    pub metadata_namespace: String,
    /// `allow_overwrite`, default false: what is there in the namespace stays as it is.
    pub allow_overwrite: bool,
    /// `value`, an object.
    pub value: Value,
}

impl SetMetadata {
    #[expect(deprecated, reason = "the older fields are common in files")]
    pub(super) fn from_wire(wire: &wire::Config, at: &At<'_>) -> Self {
        if wire.value.is_some() == wire.metadata_namespace.is_empty() {
            at.warn(
                Note::from("'metadata_namespace' and 'value' have no effect without each other")
                    .help("use 'metadata', a list of namespaces and values"),
            );
        }
        let older = wire.value.iter().filter(|_| !wire.metadata_namespace.is_empty());
        let older = older.map(|value| MetadataEntry {
            metadata_namespace: wire.metadata_namespace.clone(),
            allow_overwrite: true,
            value: object(value),
        });
        let at_metadata = at.field("metadata");
        let newer = wire.metadata.iter().enumerate();
        let newer = newer.filter_map(|(index, wire)| entry(wire, &at_metadata.index(index)));
        Self { metadata: older.chain(newer).collect() }
    }
}

fn entry(wire: &wire::Metadata, at: &At<'_>) -> Option<MetadataEntry> {
    let Some(value) = &wire.value else {
        at.warn(
            Note::from("an entry without 'value' has no effect")
                .help("add 'value' or 'typed_value'"),
        );
        return None;
    };
    Some(MetadataEntry {
        metadata_namespace: wire.metadata_namespace.clone(),
        allow_overwrite: wire.allow_overwrite,
        value: object(value),
    })
}

fn object(wire: &Struct) -> Value {
    fields_of(wire).into_iter().collect()
}

//! Which hosts a request is not sent again to (`retry_host_predicate`).

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::route::v3::retry_policy as wire;
use envoy_types::pb::envoy::extensions::retry::host::omit_canary_hosts::v3::OmitCanaryHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::host::omit_host_metadata::v3::OmitHostMetadataConfig;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use serde_json::Value;
use wire::retry_host_predicate::ConfigType;

use crate::metadata::lb_metadata;
use crate::report::{At, Note};
use crate::wire::unpack;

/// A kind of hosts that another one is asked for in place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryHostPredicate {
    /// `PreviousHostsPredicate`: those that have failed the request.
    PreviousHosts,
    /// `OmitCanaryHostsPredicate`: those with `canary` in their metadata.
    OmitCanaryHosts,
    /// `OmitHostMetadataConfig.metadata_match`: those with all of these in their metadata.
    OmitHostMetadata(BTreeMap<String, Value>),
}

impl RetryHostPredicate {
    pub(super) fn list_from_wire(wire: &[wire::RetryHostPredicate], at: &At<'_>) -> Vec<Self> {
        let at = at.field("retry_host_predicate");
        let predicates = wire.iter().enumerate().filter_map(|(index, predicate)| {
            let at = at.index(index);
            // Another type is there only if the user wants it ignored.
            let Some(ConfigType::TypedConfig(any)) = &predicate.config_type else {
                at.error_at_key(Note::typed_config_required());
                return None;
            };
            if unpack::<PreviousHostsPredicate>(any).is_some() {
                Some(Self::PreviousHosts)
            } else if unpack::<OmitCanaryHostsPredicate>(any).is_some() {
                Some(Self::OmitCanaryHosts)
            } else {
                let omitted = unpack::<OmitHostMetadataConfig>(any)?;
                Some(Self::OmitHostMetadata(lb_metadata(omitted.metadata_match.as_ref())))
            }
        });
        predicates.collect()
    }
}

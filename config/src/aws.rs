//! What the clusters that are found by an AWS API have in common.

use std::path::PathBuf;
use std::time::Duration;

use envoy_types::pb::google::protobuf::Duration as WireDuration;

use crate::duration;
use crate::report::{At, Note};

const EMPTY_SET_GRACE: Duration = Duration::from_secs(60);
const WAIT_FOR_FIRST_DISCOVERY: Duration = Duration::from_secs(15);
const MAX_REMOVAL_PERCENT: u32 = 50;

/// Rust types of our own messages.
#[allow(missing_docs, reason = "the `.proto` files document them")]
pub(crate) mod wire {
    pub(crate) mod ecs {
        include!(concat!(env!("OUT_DIR"), "/ringmain.clusters.ecs.v1.rs"));
    }

    pub(crate) mod cloud_map {
        include!(concat!(env!("OUT_DIR"), "/ringmain.clusters.cloud_map.v1.rs"));
    }
}

/// Where an AWS API is and as whom to call it. Clusters that agree in this share their calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AwsAccess {
    /// `region`; absent means what the SDK finds.
    pub region: Option<String>,
    /// `role_arn`; absent means the SDK's own credentials.
    pub role_arn: Option<String>,
    /// `external_id`, for the role.
    pub external_id: Option<String>,
    /// `endpoint`: a URL; absent means the region's.
    pub endpoint: Option<String>,
    /// `ec2_endpoint`: a URL; absent means `endpoint`.
    pub ec2_endpoint: Option<String>,
}

/// When to ask, and how carefully to take a host away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryLimits {
    /// `refresh_interval`.
    pub refresh_interval: Duration,
    /// `empty_set_grace`, default 60 s.
    pub empty_set_grace: Duration,
    /// `max_removal_percent`, default 50, at most 100.
    pub max_removal_percent: u32,
    /// `snapshot_path`.
    pub snapshot_path: Option<PathBuf>,
    /// `wait_for_first_discovery`, default 15 s.
    pub wait_for_first_discovery: Duration,
}

/// A text that counts as absent when it is empty.
pub(crate) fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl AwsAccess {
    /// Says what is wrong with what the file says.
    pub(crate) fn check(&self, at: &At<'_>) {
        for (name, url) in [("endpoint", &self.endpoint), ("ec2_endpoint", &self.ec2_endpoint)] {
            if let Some(url) = url
                && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
            {
                at.field(name).error(
                    Note::from(format!("'{url}' is no URL")).help(format!("write https://{url}")),
                );
            }
        }
        if let Some(role) = &self.role_arn
            && !role.starts_with("arn:")
        {
            at.field("role_arn").error(
                Note::from(format!("'{role}' is no ARN"))
                    .help(format!("write arn:aws:iam::<account>:role/{role}")),
            );
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            at.field("external_id").error_at_key(
                Note::from("an external id goes with a 'role_arn' only")
                    .help("add the 'role_arn' that asks for it, or remove 'external_id'"),
            );
        }
    }
}

/// The fields of [`DiscoveryLimits`] as they stand in every such message.
pub(crate) struct WireLimits<'a> {
    pub(crate) refresh_interval: Option<&'a WireDuration>,
    pub(crate) empty_set_grace: Option<&'a WireDuration>,
    pub(crate) max_removal_percent: Option<u32>,
    pub(crate) snapshot_path: &'a str,
    pub(crate) wait_for_first_discovery: Option<&'a WireDuration>,
}

impl DiscoveryLimits {
    pub(crate) fn from_wire(
        wire: &WireLimits<'_>,
        refresh_interval: Duration,
        at: &At<'_>,
    ) -> Self {
        let or = |wire, default, name| duration::or(wire, default, at, name);
        Self {
            refresh_interval: or(wire.refresh_interval, refresh_interval, "refresh_interval"),
            empty_set_grace: or(wire.empty_set_grace, EMPTY_SET_GRACE, "empty_set_grace"),
            max_removal_percent: wire.max_removal_percent.unwrap_or(MAX_REMOVAL_PERCENT),
            snapshot_path: optional(wire.snapshot_path).map(PathBuf::from),
            wait_for_first_discovery: or(
                wire.wait_for_first_discovery,
                WAIT_FOR_FIRST_DISCOVERY,
                "wait_for_first_discovery",
            ),
        }
    }
}

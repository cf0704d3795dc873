//! Durations (`google.protobuf.Duration`). None of Envoy's that are supported may be negative.

use std::time::Duration;

use envoy_types::pb::google::protobuf::Duration as Wire;

use crate::report::At;

/// The duration in the field `name`, or `default`.
pub(crate) fn or(wire: Option<&Wire>, default: Duration, at: &At<'_>, name: &str) -> Duration {
    wire.map_or(default, |wire| convert(wire, &at.field(name)))
}

/// The same for a field where zero means off.
pub(crate) fn or_off(
    wire: Option<&Wire>,
    default: Option<Duration>,
    at: &At<'_>,
    name: &str,
) -> Option<Duration> {
    match wire {
        None => default,
        Some(wire) => Some(convert(wire, &at.field(name))).filter(|duration| !duration.is_zero()),
    }
}

fn convert(wire: &Wire, at: &At<'_>) -> Duration {
    match (u64::try_from(wire.seconds), u32::try_from(wire.nanos)) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos),
        _ => {
            at.error("must not be negative");
            Duration::ZERO
        }
    }
}

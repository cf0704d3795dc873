//! Response flags (`%RESPONSE_FLAGS%`): why a response is not simply the upstream's.

use std::fmt;

/// One flag; the order is the order in which Envoy writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ResponseFlag {
    /// `DI`.
    DelayInjected,
    /// `FI`.
    FaultInjected,
    /// `RL`.
    RateLimited,
    /// `LH`.
    FailedLocalHealthCheck,
    /// `DT`.
    DurationTimeout,
    /// `URX`.
    UpstreamRetryLimitExceeded,
    /// `UH`.
    NoHealthyUpstream,
    /// `UO`. Of a retry that the breaker refuses it is set before what the attempt failed of.
    UpstreamOverflow,
    /// `UF`.
    UpstreamConnectionFailure,
    /// `NR`.
    NoRouteFound,
    /// `UT`.
    UpstreamRequestTimeout,
    /// `LR`.
    LocalReset,
    /// `UR`.
    UpstreamRemoteReset,
    /// `UC`.
    UpstreamConnectionTermination,
    /// `DC`.
    DownstreamConnectionTermination,
    /// `SI`.
    StreamIdleTimeout,
    /// `DPE`.
    DownstreamProtocolError,
    /// `UMSDR`.
    UpstreamMaxStreamDurationReached,
    /// `UPE`.
    UpstreamProtocolError,
    /// `NC`.
    NoClusterFound,
    /// `DO`.
    DropOverload,
    /// `DR`.
    DownstreamRemoteReset,
    /// `UDO`.
    UnconditionalDropOverload,
}

/// Short and long names, by flag.
const NAMES: [(ResponseFlag, &str, &str); 23] = [
    (ResponseFlag::DelayInjected, "DI", "DelayInjected"),
    (ResponseFlag::FaultInjected, "FI", "FaultInjected"),
    (ResponseFlag::RateLimited, "RL", "RateLimited"),
    (ResponseFlag::FailedLocalHealthCheck, "LH", "FailedLocalHealthCheck"),
    (ResponseFlag::DurationTimeout, "DT", "DurationTimeout"),
    (ResponseFlag::UpstreamRetryLimitExceeded, "URX", "UpstreamRetryLimitExceeded"),
    (ResponseFlag::NoHealthyUpstream, "UH", "NoHealthyUpstream"),
    (ResponseFlag::UpstreamOverflow, "UO", "UpstreamOverflow"),
    (ResponseFlag::UpstreamConnectionFailure, "UF", "UpstreamConnectionFailure"),
    (ResponseFlag::NoRouteFound, "NR", "NoRouteFound"),
    (ResponseFlag::UpstreamRequestTimeout, "UT", "UpstreamRequestTimeout"),
    (ResponseFlag::LocalReset, "LR", "LocalReset"),
    (ResponseFlag::UpstreamRemoteReset, "UR", "UpstreamRemoteReset"),
    (ResponseFlag::UpstreamConnectionTermination, "UC", "UpstreamConnectionTermination"),
    (ResponseFlag::DownstreamConnectionTermination, "DC", "DownstreamConnectionTermination"),
    (ResponseFlag::StreamIdleTimeout, "SI", "StreamIdleTimeout"),
    (ResponseFlag::DownstreamProtocolError, "DPE", "DownstreamProtocolError"),
    (ResponseFlag::UpstreamMaxStreamDurationReached, "UMSDR", "UpstreamMaxStreamDurationReached"),
    (ResponseFlag::UpstreamProtocolError, "UPE", "UpstreamProtocolError"),
    (ResponseFlag::NoClusterFound, "NC", "NoClusterFound"),
    (ResponseFlag::DropOverload, "DO", "DropOverload"),
    (ResponseFlag::DownstreamRemoteReset, "DR", "DownstreamRemoteReset"),
    (ResponseFlag::UnconditionalDropOverload, "UDO", "UnconditionalDropOverload"),
];

impl ResponseFlag {
    /// `UF`.
    pub fn short_name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// `UpstreamConnectionFailure`.
    pub fn long_name(self) -> &'static str {
        NAMES[self as usize].2
    }
}

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseFlags(u32);

impl ResponseFlags {
    /// The set of flags by their short names. Of Envoy's flags some cannot be set here; they are left
    /// out.
    pub fn named(names: &[String]) -> Self {
        let mut flags = Self::default();
        for (flag, short_name, _) in NAMES {
            if names.iter().any(|name| name == short_name) {
                flags.set(flag);
            }
        }
        flags
    }

    /// Whether one of `others` is in the set.
    pub fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Adds `flag`.
    pub fn set(&mut self, flag: ResponseFlag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether `flag` is in the set.
    pub fn has(self, flag: ResponseFlag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags, in Envoy's order.
    pub fn iter(self) -> impl Iterator<Item = ResponseFlag> {
        NAMES.iter().map(|(flag, ..)| *flag).filter(move |flag| self.has(*flag))
    }
}

impl fmt::Display for ResponseFlags {
    /// Short names joined by `,`; `-` for none.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("-");
        }
        let mut separator = "";
        for flag in self.iter() {
            write!(out, "{separator}{}", flag.short_name())?;
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_short_names_or_a_dash() {
        let mut flags = ResponseFlags::default();
        assert_eq!(flags.to_string(), "-");
        flags.set(ResponseFlag::UpstreamRequestTimeout);
        flags.set(ResponseFlag::UpstreamConnectionFailure);
        assert_eq!(flags.to_string(), "UF,UT");
    }

    #[test]
    fn every_flag_stands_in_the_table_at_its_place() {
        for (index, (flag, ..)) in NAMES.iter().enumerate() {
            assert_eq!(*flag as usize, index);
        }
    }
}

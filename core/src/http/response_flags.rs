//! Response flags (`%RESPONSE_FLAGS%`): why a response is not simply the upstream's.

use std::fmt;

/// One flag; the order is the order in which Envoy writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ResponseFlag {
    /// `URX`.
    UpstreamRetryLimitExceeded,
    /// `UH`.
    NoHealthyUpstream,
    /// `UF`.
    UpstreamConnectionFailure,
    /// `UO`.
    UpstreamOverflow,
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
    /// `UPE`.
    UpstreamProtocolError,
    /// `NC`.
    NoClusterFound,
    /// `DT`.
    DurationTimeout,
}

/// The short names, by flag.
const SHORT_NAMES: [(ResponseFlag, &str); 15] = [
    (ResponseFlag::UpstreamRetryLimitExceeded, "URX"),
    (ResponseFlag::NoHealthyUpstream, "UH"),
    (ResponseFlag::UpstreamConnectionFailure, "UF"),
    (ResponseFlag::UpstreamOverflow, "UO"),
    (ResponseFlag::NoRouteFound, "NR"),
    (ResponseFlag::UpstreamRequestTimeout, "UT"),
    (ResponseFlag::LocalReset, "LR"),
    (ResponseFlag::UpstreamRemoteReset, "UR"),
    (ResponseFlag::UpstreamConnectionTermination, "UC"),
    (ResponseFlag::DownstreamConnectionTermination, "DC"),
    (ResponseFlag::StreamIdleTimeout, "SI"),
    (ResponseFlag::DownstreamProtocolError, "DPE"),
    (ResponseFlag::UpstreamProtocolError, "UPE"),
    (ResponseFlag::NoClusterFound, "NC"),
    (ResponseFlag::DurationTimeout, "DT"),
];

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseFlags(u32);

impl ResponseFlags {
    /// Adds `flag`.
    pub fn set(&mut self, flag: ResponseFlag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether `flag` is in the set.
    pub fn has(self, flag: ResponseFlag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }
}

impl fmt::Display for ResponseFlags {
    /// Short names joined by `,`; `-` for none.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("-");
        }
        let mut separator = "";
        for (_, name) in SHORT_NAMES.iter().filter(|(flag, _)| self.has(*flag)) {
            write!(out, "{separator}{name}")?;
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
        for (index, (flag, _)) in SHORT_NAMES.iter().enumerate() {
            assert_eq!(*flag as usize, index);
        }
    }
}

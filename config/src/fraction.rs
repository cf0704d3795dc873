//! Shares of all streams (`envoy.type.v3.FractionalPercent`).

use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::r#type::v3 as wire;
use wire::fractional_percent::DenominatorType;

use crate::report::At;

/// `envoy.type.v3.FractionalPercent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    /// `numerator`.
    pub numerator: u32,
    /// `denominator`: 100 (default), 10,000 or 1,000,000.
    pub denominator: u32,
}

impl Fraction {
    /// Every stream.
    pub const ALL: Self = Self { numerator: 100, denominator: 100 };
    /// No stream.
    pub const NONE: Self = Self { numerator: 0, denominator: 100 };

    pub(crate) fn of_percent(wire: wire::FractionalPercent) -> Self {
        let denominator = match wire.denominator() {
            DenominatorType::Hundred => 100,
            DenominatorType::TenThousand => 10_000,
            DenominatorType::Million => 1_000_000,
        };
        Self { numerator: wire.numerator, denominator }
    }

    /// What the runtime says, or else the default value.
    pub(crate) fn from_wire(wire: &RuntimeFractionalPercent, at: &At<'_>) -> Self {
        // The field rules have seen to the presence of the default.
        let default = || Self::of_percent(wire.default_value.unwrap_or_default());
        at.runtime().fraction(&wire.runtime_key).unwrap_or_else(default)
    }

    /// The same, or `default` where it is absent.
    pub(crate) fn or(wire: Option<&RuntimeFractionalPercent>, default: Self, at: &At<'_>) -> Self {
        wire.map_or(default, |wire| Self::from_wire(wire, at))
    }

    /// Whether a stream whose random number is `random` is among the fraction.
    pub fn includes(self, random: u64) -> bool {
        random % u64::from(self.denominator) < u64::from(self.numerator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_includes_its_share_of_the_numbers() {
        let fraction = Fraction { numerator: 25, denominator: 100 };
        assert_eq!((0..1000).filter(|random| fraction.includes(*random)).count(), 250);
    }
}

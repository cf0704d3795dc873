//! How Envoy shows numbers of histograms.

use crate::stats::Histogram;

/// Envoy's bucket bounds, and how its text and its JSON write them.
pub const BOUNDS: [(f64, &str, &str); 19] = [
    (0.5, "0.5", "0.5"),
    (1.0, "1", "1"),
    (5.0, "5", "5"),
    (10.0, "10", "10"),
    (25.0, "25", "25"),
    (50.0, "50", "50"),
    (100.0, "100", "100"),
    (250.0, "250", "250"),
    (500.0, "500", "500"),
    (1000.0, "1000", "1000"),
    (2500.0, "2500", "2500"),
    (5000.0, "5000", "5000"),
    (10_000.0, "10000", "10000"),
    (30_000.0, "30000", "30000"),
    (60_000.0, "60000", "60000"),
    (300_000.0, "300000", "3e+05"),
    (600_000.0, "600000", "6e+05"),
    (1_800_000.0, "1.8e+06", "1800000"),
    (3_600_000.0, "3.6e+06", "3600000"),
];

/// The quantiles that Envoy shows, in percent.
pub const QUANTILES: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];

/// How many values lie up to each bound.
pub fn cumulative(histogram: &Histogram) -> [u64; BOUNDS.len()] {
    BOUNDS.map(|(bound, _, _)| histogram.count_to(bound))
}

/// How many values lie between each bound and the one before.
pub fn disjoint(histogram: &Histogram) -> [u64; BOUNDS.len()] {
    let mut below = 0;
    cumulative(histogram).map(|count| count - std::mem::replace(&mut below, count))
}

/// `value` with up to 32 significant digits, as C's `%.32g` writes it: Prometheus gets every digit
/// of a number.
pub fn exact(value: f64) -> String {
    const DIGITS: usize = 32;
    if value == 0.0 || !value.is_finite() || !(1e-4..1e32).contains(&value.abs()) {
        return value.to_string();
    }
    // The integral part is that of the logarithm, and small.
    let before_point = value.abs().log10().floor() as i32 + 1;
    let after_point = usize::try_from(DIGITS as i32 - before_point).unwrap_or(0);
    let text = format!("{value:.after_point$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (value, text) in [
            (0.0, "0"),
            (5.0, "5"),
            (1_800_000.0, "1800000"),
            (5.05, "5.049999999999999822364316059975"),
            (1.033_333_333_333_333_4, "1.0333333333333334369541489650146"),
        ] {
            assert_eq!(exact(value), text);
        }
    }
}

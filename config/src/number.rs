//! Numbers as Envoy writes them, which is in three ways: logs and headers in the fewest characters that tell the number,
//! `/config_dump` with as many digits as it needs, `/runtime` with six.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Serializer, Value};

/// Digits that any double can be read back from, and those that most can.
const DIGITS_MAX: usize = 17;
const DIGITS_COMMON: usize = 15;

/// The shortest text that is read back as `number`; where a whole number is written out, all its digits are right.
pub fn shortest(number: f64) -> String {
    /// Below it a float is exact as a whole number, and what is written out is shorter.
    const WRITTEN_OUT_MAX: f64 = 1e30;
    let scientific = format!("{number:e}");
    let scientific = match scientific.split_once('e') {
        Some((digits, exponent)) => with_exponent(digits, exponent.parse().unwrap_or(0)),
        None => scientific,
    };
    let is_whole = number.fract() == 0.0 && number != 0.0 && number.abs() < WRITTEN_OUT_MAX;
    let written_out = if is_whole { (number as i128).to_string() } else { number.to_string() };
    if written_out.len() <= scientific.len() { written_out } else { scientific }
}

/// With 15 digits, or 17 where 15 do not tell the number.
pub fn with_enough_digits(number: f64) -> String {
    let text = with_digits(number, DIGITS_COMMON);
    if text.parse() == Ok(number) { text } else { with_digits(number, DIGITS_MAX) }
}

/// With at most so many digits, as by `%g` in C.
pub(crate) fn with_digits(number: f64, digits: usize) -> String {
    let places = digits - 1;
    let scientific = format!("{number:.places$e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(places as i32 - exponent) {
        Ok(decimals) if exponent >= -4 => without_zeros(&format!("{number:.decimals$}")).to_owned(),
        _ => with_exponent(without_zeros(mantissa), exponent),
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// Appends `value` as JSON as logs and headers have it.
pub fn write_json(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    /// All numbers of metadata are doubles to Envoy.
    struct Shortest;
    impl Formatter for Shortest {
        fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
            out.write_all(shortest(value).as_bytes())
        }

        fn write_i64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
            self.write_f64(out, value as f64)
        }

        fn write_u64<W: ?Sized + io::Write>(&mut self, out: &mut W, value: u64) -> io::Result<()> {
            self.write_f64(out, value as f64)
        }
    }
    value.serialize(&mut Serializer::with_formatter(out, Shortest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Envoy 1.40 was seen to write in a log, and in `/config_dump`.
    #[test]
    fn numbers_are_written_as_envoy_writes_them() {
        for (number, short, dumped) in [
            (1e15, "1e+15", "1e+15"),
            (123_456_789_012_345_680.0, "123456789012345680", "1.2345678901234568e+17"),
            (1e19, "1e+19", "1e+19"),
            (-0.0, "-0", "-0"),
            (0.0, "0", "0"),
            (1e-5, "1e-05", "1e-05"),
            (1e-4, "1e-04", "0.0001"),
            (0.000_012_34, "1.234e-05", "1.234e-05"),
            (0.1, "0.1", "0.1"),
            (1e100, "1e+100", "1e+100"),
            (9_007_199_254_740_993.0, "9007199254740992", "9007199254740992"),
            (5e-324, "5e-324", "4.94065645841247e-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (123_456.789, "123456.789", "123456.789"),
            (3.0, "3", "3"),
            (1.0 / 3.0, "0.3333333333333333", "0.33333333333333331"),
            (-1e15, "-1e+15", "-1e+15"),
            (999_999_999_999_999.0, "999999999999999", "999999999999999"),
            (-1.5e-9, "-1.5e-09", "-1.5e-09"),
            (4_294_967_296.0, "4294967296", "4294967296"),
            (100_000.0, "1e+05", "100000"),
            (1_234_567.0, "1234567", "1234567"),
            (123_456_789.123_456_79, "123456789.12345679", "123456789.12345679"),
        ] {
            assert_eq!(shortest(number), short);
            assert_eq!(with_enough_digits(number), dumped);
        }
    }

    #[test]
    fn six_digits_are_those_of_c() {
        for (number, text) in [
            (5.0, "5"),
            (-3.0, "-3"),
            (0.0, "0"),
            (1.5, "1.5"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (1e9, "1e+09"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
        ] {
            assert_eq!(with_digits(number, 6), text);
        }
    }

    #[test]
    fn json_has_such_numbers_too() {
        let mut out = Vec::new();
        write_json(&serde_json::json!({ "a": [100_000, 0.5, "x"] }), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":[1e+05,0.5,"x"]}"#);
    }
}

//! One value of the runtime, and what the kinds of fields read in it. Envoy keeps a value as text and as all
//! that the text may mean; a field that finds nothing of its kind keeps its default.

use std::fmt::Write;

use envoy_types::pb::google::protobuf as google;
use google::value::Kind;

use crate::fraction::Fraction;
use crate::number::{with_digits, with_enough_digits};

/// A value by what it can be read as.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeValue {
    /// The value as `/runtime` shows it.
    pub text: String,
    number: Option<f64>,
    flag: Option<bool>,
    fraction: Option<Fraction>,
}

impl RuntimeValue {
    /// Reads what a layer has for a key; `None` where it can be no value.
    pub(super) fn from_wire(wire: &google::Value) -> Option<Self> {
        match wire.kind.as_ref()? {
            Kind::NumberValue(number) => Some(Self::of_number(with_digits(*number, 6), *number)),
            Kind::StringValue(text) => Some(Self::of_text(text)),
            Kind::BoolValue(flag) => {
                Some(Self { flag: Some(*flag), ..Self::unreadable(flag.to_string()) })
            }
            Kind::StructValue(fraction) => Some(Self {
                fraction: fraction_of(fraction),
                ..Self::unreadable(text_format(fraction, 0))
            }),
            Kind::NullValue(_) | Kind::ListValue(_) => None,
        }
    }

    fn of_text(text: &str) -> Self {
        match number_in(text) {
            Some(number) => Self::of_number(text.to_owned(), number),
            None => Self::unreadable(text.to_owned()),
        }
    }

    fn of_number(text: String, number: f64) -> Self {
        let whole = number as i32;
        let is_whole = number < f64::from(i32::MAX) && f64::from(whole) == number;
        let flag = is_whole.then_some(whole != 0);
        Self { number: Some(number), flag, ..Self::unreadable(text) }
    }

    fn unreadable(text: String) -> Self {
        Self { text, number: None, flag: None, fraction: None }
    }

    /// For `RuntimeFeatureFlag`: a boolean or a whole number.
    pub(super) fn flag(&self) -> Option<bool> {
        self.flag
    }

    /// For `RuntimeDouble`.
    pub(super) fn double(&self) -> Option<f64> {
        self.number
    }

    /// For `RuntimeUInt32` and the like: a number that is not negative, without its fraction.
    pub(super) fn integer(&self) -> Option<u64> {
        // Exact for whole numbers up to 2^53; `u64::MAX` has no nearer neighbour.
        self.number.filter(|number| (0.0..=u64::MAX as f64).contains(number)).map(|of| of as u64)
    }

    /// For `RuntimeFractionalPercent`: a fraction, or an integer in percent.
    pub(super) fn fraction(&self) -> Option<Fraction> {
        let percent = || u32::try_from(self.integer()?.min(100)).ok();
        self.fraction.or_else(|| Some(Fraction { numerator: percent()?, denominator: 100 }))
    }
}

/// Reads the number that is all of `text`, as Envoy does: with blanks round it, a sign or in hexadecimal.
fn number_in(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
        None => text.parse().ok(),
    }
}

/// `envoy.type.v3.FractionalPercent`, with the denominator by name only. Any other field makes it none.
fn fraction_of(wire: &google::Struct) -> Option<Fraction> {
    let mut fraction = Fraction::NONE;
    for (name, value) in &wire.fields {
        match (name.as_str(), value.kind.as_ref()?) {
            // A negative one comes round to more than all.
            ("numerator", Kind::NumberValue(number)) => fraction.numerator = *number as i64 as u32,
            ("numerator", _) => fraction.numerator = 0,
            ("denominator", Kind::StringValue(name)) => {
                fraction.denominator = match name.as_str() {
                    "HUNDRED" => 100,
                    "TEN_THOUSAND" => 10_000,
                    "MILLION" => 1_000_000,
                    _ => return None,
                };
            }
            _ => return None,
        }
    }
    Some(fraction)
}

/// A structure in protobuf's text format.
fn text_format(wire: &google::Struct, depth: usize) -> String {
    let blanks = " ".repeat(depth * 2);
    let mut names: Vec<_> = wire.fields.iter().collect();
    names.sort_unstable_by_key(|(name, _)| name.as_str());
    let mut text = String::new();
    for (name, value) in names {
        let _ = writeln!(text, "{blanks}fields {{\n{blanks}  key: {name:?}\n{blanks}  value {{");
        text += &value_text(value, depth + 2);
        let _ = writeln!(text, "{blanks}  }}\n{blanks}}}");
    }
    text
}

fn value_text(value: &google::Value, depth: usize) -> String {
    let blanks = " ".repeat(depth * 2);
    match &value.kind {
        Some(Kind::NullValue(_)) => format!("{blanks}null_value: NULL_VALUE\n"),
        Some(Kind::NumberValue(number)) => {
            format!("{blanks}number_value: {}\n", with_enough_digits(*number))
        }
        Some(Kind::StringValue(text)) => format!("{blanks}string_value: {text:?}\n"),
        Some(Kind::BoolValue(flag)) => format!("{blanks}bool_value: {flag}\n"),
        Some(Kind::StructValue(inner)) => {
            let inner = text_format(inner, depth + 1);
            format!("{blanks}struct_value {{\n{inner}{blanks}}}\n")
        }
        Some(Kind::ListValue(list)) => {
            let values = list.values.iter().map(|value| {
                let value = value_text(value, depth + 2);
                format!("{blanks}  values {{\n{value}{blanks}  }}\n")
            });
            format!("{blanks}list_value {{\n{}{blanks}}}\n", values.collect::<String>())
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: f64) -> RuntimeValue {
        let kind = Some(Kind::NumberValue(number));
        RuntimeValue::from_wire(&google::Value { kind }).unwrap()
    }

    fn percent(numerator: u32) -> Option<Fraction> {
        Some(Fraction { numerator, denominator: 100 })
    }

    /// What Envoy 1.40 was seen to read in each text and number.
    #[test]
    fn texts_and_numbers_are_read_as_envoy_reads_them() {
        let text = RuntimeValue::of_text;
        for (value, integer, flag, fraction) in [
            (number(5.0), Some(5), Some(true), percent(5)),
            (number(0.0), Some(0), Some(false), percent(0)),
            (number(-3.0), None, Some(true), None),
            (number(101.0), Some(101), Some(true), percent(100)),
            (text("1.5"), Some(1), None, percent(1)),
            (text("0.0"), Some(0), Some(false), percent(0)),
            (text("250.7"), Some(250), None, percent(100)),
            (text("-1"), None, Some(true), None),
            (text("+250"), Some(250), Some(true), percent(100)),
            (text(" 250"), Some(250), Some(true), percent(100)),
            (text("0x10"), Some(16), Some(true), percent(16)),
            (text("2.5e2"), Some(250), Some(true), percent(100)),
            (text("1.0e15"), Some(1_000_000_000_000_000), None, percent(100)),
            (text("true"), None, None, None),
            (text("hello"), None, None, None),
            (text(""), None, None, None),
            (text("1e400"), None, None, None),
            (text("nan"), None, None, None),
            (text("numerator: 100"), None, None, None),
        ] {
            assert_eq!(value.integer(), integer, "{value:?}");
            assert_eq!(value.flag(), flag, "{value:?}");
            assert_eq!(value.fraction(), fraction, "{value:?}");
        }
    }

    #[test]
    fn structures_are_fractions() {
        let field = |name: &str, kind| (name.to_owned(), google::Value { kind: Some(kind) });
        let of = |fields: Vec<_>| {
            let fields = google::Struct { fields: fields.into_iter().collect() };
            RuntimeValue::from_wire(&google::Value { kind: Some(Kind::StructValue(fields)) })
        };
        let seven = || field("numerator", Kind::NumberValue(7.0));
        let named = |name: &str| field("denominator", Kind::StringValue(name.into()));
        let fraction = |fields| of(fields).unwrap().fraction();
        assert_eq!(fraction(vec![seven()]), percent(7));
        let of_million = Fraction { numerator: 7, denominator: 1_000_000 };
        assert_eq!(fraction(vec![seven(), named("MILLION")]), Some(of_million));
        assert_eq!(fraction(vec![named("HUNDRED")]), percent(0));
        assert_eq!(fraction(vec![]), percent(0));
        assert_eq!(fraction(vec![seven(), named("WRONG")]), None);
        assert_eq!(fraction(vec![seven(), field("denominator", Kind::NumberValue(0.0))]), None);
        assert_eq!(fraction(vec![seven(), field("other", Kind::NumberValue(3.0))]), None);
        assert_eq!(fraction(vec![field("numerator", Kind::StringValue("7".into()))]), percent(0));
        assert_eq!(
            of(vec![seven(), named("MILLION")]).unwrap().text,
            "fields {\n  key: \"denominator\"\n  value {\n    string_value: \"MILLION\"\n  }\n}\n\
             fields {\n  key: \"numerator\"\n  value {\n    number_value: 7\n  }\n}\n"
        );
    }
}

//! Scalars, converted as Envoy's JSON reader converts them.

use std::fmt::{self, Display, Formatter};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};

use crate::report::{Note, did_you_mean};

/// The longest duration protobuf knows, about 10,000 years, in seconds.
const DURATION_SECONDS_MAX: u64 = 315_576_000_000;

/// A scalar as serde_yaml gives it. Quoted scalars are always text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'s> {
    Null,
    Bool(bool),
    Integer(i128),
    /// The number, and what stands in the file, where that is known.
    Float(f64, Option<&'s str>),
    Text(&'s str),
}

impl Display for Scalar<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "the number {value}"),
            Self::Float(_, Some(text)) => write!(f, "the number {text}"),
            Self::Float(value, None) => write!(f, "the number {value}"),
            Self::Text(text) if text.chars().count() > 40 => {
                write!(f, "text '{}...'", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => write!(f, "text '{text}'"),
        }
    }
}

impl Scalar<'_> {
    /// As a value of `kind`.
    pub(super) fn convert(self, kind: &Kind) -> Result<Value, Note> {
        let wrong = || Note::from(format!("expected {}, found {self}", described(kind)));
        match kind {
            Kind::String => self.text().map(Value::String).map_err(|help| wrong().help(help)),
            Kind::Bytes => self.bytes().map(|bytes| Value::Bytes(bytes.into())).ok_or_else(wrong),
            Kind::Bool => self.bool().map(Value::Bool).ok_or_else(wrong),
            Kind::Double => self.float().map(Value::F64).ok_or_else(wrong),
            Kind::Float => self.float().map(|value| Value::F32(value as f32)).ok_or_else(wrong),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => self.number(kind, Value::I32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => self.number(kind, Value::I64),
            Kind::Uint32 | Kind::Fixed32 => self.number(kind, Value::U32),
            Kind::Uint64 | Kind::Fixed64 => self.number(kind, Value::U64),
            Kind::Enum(descriptor) => self.enum_value(descriptor),
            Kind::Message(descriptor) => self.message(descriptor).ok_or_else(wrong),
        }
    }

    /// Text, or else a help. Envoy takes a plain word or decimal number for text, but neither a
    /// boolean nor a small integer.
    fn text(self) -> Result<String, Option<String>> {
        match self {
            Self::Text(text) => Ok(text.to_owned()),
            Self::Float(_, Some(text)) => Ok(text.to_owned()),
            Self::Float(value, None) => Ok(value.to_string()),
            Self::Integer(value) if i32::try_from(value).is_err() => Ok(value.to_string()),
            Self::Integer(_) | Self::Bool(_) => Err(Some("put it in quotes".to_owned())),
            Self::Null => Err(None),
        }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        let Self::Text(text) = self else { return None };
        let config = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        [alphabet::STANDARD, alphabet::URL_SAFE]
            .iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
    }

    fn bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            // Plain words of YAML 1.1, and what protobuf takes in quotes.
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn float(self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(value as f64),
            Self::Float(value, _) => Some(value),
            Self::Text("NaN") => Some(f64::NAN),
            Self::Text("Infinity") => Some(f64::INFINITY),
            Self::Text("-Infinity") => Some(f64::NEG_INFINITY),
            Self::Text(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
            _ => None,
        }
    }

    fn number<T: TryFrom<i128>>(self, kind: &Kind, wrap: fn(T) -> Value) -> Result<Value, Note> {
        let number = self.integer().map_err(|help| {
            Note::from(format!("expected {}, found {self}", described(kind))).help(help)
        })?;
        T::try_from(number).map(wrap).map_err(|_| {
            Note::from(format!("{number} is out of range, expected {}", described(kind)))
        })
    }

    /// A whole number, also as `3.0`, `1e3`, hexadecimal, or in quotes; or else a help.
    fn integer(self) -> Result<i128, Option<String>> {
        match self {
            Self::Integer(value) => Ok(value),
            Self::Float(value, _) => whole(value).ok_or(None),
            Self::Text(text) => integer_in_text(text),
            Self::Null | Self::Bool(_) => Err(None),
        }
    }

    fn enum_value(self, descriptor: &EnumDescriptor) -> Result<Value, Note> {
        let by_name = |name: &str| {
            descriptor.get_value_by_name(name).or_else(|| {
                descriptor.values().find(|value| value.name().eq_ignore_ascii_case(name))
            })
        };
        if let Self::Text(name) = self
            && let Some(value) = by_name(name)
        {
            return Ok(Value::EnumNumber(value.number()));
        }
        if let Ok(number) = self.integer() {
            return match i32::try_from(number) {
                Ok(number) if descriptor.get_value(number).is_some() => {
                    Ok(Value::EnumNumber(number))
                }
                _ => Err(Note::from(format!("unknown value {number}"))
                    .help(format!("expected {}", one_of(descriptor)))),
            };
        }
        let Self::Text(name) = self else {
            return Err(Note::from(format!("expected {}, found {self}", one_of(descriptor))));
        };
        let names: Vec<_> = descriptor.values().map(|value| value.name().to_owned()).collect();
        let near = did_you_mean(&name.to_ascii_uppercase(), names.iter().map(String::as_str));
        Err(Note::from(format!("unknown value '{name}'"))
            .help(near.unwrap_or_else(|| format!("expected {}", one_of(descriptor)))))
    }

    /// The messages that JSON writes as scalars: wrappers and durations.
    fn message(self, descriptor: &MessageDescriptor) -> Option<Value> {
        let message = match descriptor.full_name() {
            "google.protobuf.Duration" => {
                let Self::Text(text) = self else { return None };
                duration(descriptor, text)?
            }
            name if is_wrapper(name) => {
                let mut message = DynamicMessage::new(descriptor.clone());
                let field = descriptor.get_field_by_name("value")?;
                let value = self.convert(&field.kind()).ok()?;
                message.set_field(&field, value);
                message
            }
            _ => return None,
        };
        Some(Value::Message(message))
    }
}

/// Whether `google.protobuf.BoolValue` and the like.
pub(crate) fn is_wrapper(full_name: &str) -> bool {
    full_name
        .strip_prefix("google.protobuf.")
        .and_then(|name| name.strip_suffix("Value"))
        .is_some_and(|name| !matches!(name, "" | "Null" | "List" | "Enum"))
}

/// What a kind wants, for a message to the user.
pub(super) fn described(kind: &Kind) -> String {
    match kind {
        Kind::String => "text".to_owned(),
        Kind::Bytes => "base64 text".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Double | Kind::Float => "a number".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "a 32-bit whole number".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "a 64-bit whole number".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "a whole number from 0 to 4294967295".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "a whole number from 0 to 2^64-1".to_owned(),
        Kind::Enum(descriptor) => one_of(descriptor),
        Kind::Message(descriptor) => match descriptor.full_name() {
            "google.protobuf.Duration" => "a duration in seconds such as 0.25s".to_owned(),
            "google.protobuf.ListValue" => "a list".to_owned(),
            name if is_wrapper(name) => match descriptor.get_field_by_name("value") {
                Some(field) => described(&field.kind()),
                None => "a scalar".to_owned(),
            },
            _ => format!("a mapping ({})", descriptor.name()),
        },
    }
}

fn one_of(descriptor: &EnumDescriptor) -> String {
    let names: Vec<_> = descriptor.values().map(|value| value.name().to_owned()).collect();
    format!("one of {}", names.join(", "))
}

fn whole(value: f64) -> Option<i128> {
    // Beyond 2^64 no kind of integer holds it, and the conversion would only hide that.
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

fn integer_in_text(text: &str) -> Result<i128, Option<String>> {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        // Plain it is octal to Envoy, in quotes decimal; serde_yaml does not tell the two apart.
        return Err(Some("write it without leading zeros".to_owned()));
    }
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hexadecimal.filter(|digits| !digits.starts_with('+')) {
        return i128::from_str_radix(digits, 16).map_err(|_| None);
    }
    text.parse().or_else(|_| text.parse().ok().and_then(whole).ok_or(None))
}

/// `-?[0-9]+(\.[0-9]{1,9})?s`.
fn duration(descriptor: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    let text = text.strip_suffix('s')?;
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: u64 = seconds.parse().ok().filter(|seconds| *seconds <= DURATION_SECONDS_MAX)?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_name("seconds", Value::I64(sign * i64::try_from(seconds).ok()?));
    message.set_field_by_name("nanos", Value::I32(sign as i32 * nanos));
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn text(text: &str, kind: Kind) -> Option<Value> {
        Scalar::Text(text).convert(&kind).ok()
    }

    fn nanoseconds(text: &str) -> Option<i128> {
        let message =
            duration(&schema::message(&schema::decode(), "google.protobuf.Duration"), text)?;
        let field = |name| message.get_field_by_name(name).map(|value| value.into_owned());
        let seconds = field("seconds")?.as_i64()?;
        Some(i128::from(seconds) * 1_000_000_000 + i128::from(field("nanos")?.as_i32()?))
    }

    #[test]
    fn durations_are_seconds_and_nothing_else() {
        assert_eq!(nanoseconds("0.25s"), Some(250_000_000));
        assert_eq!(nanoseconds("0005s"), Some(5_000_000_000));
        assert_eq!(nanoseconds("-1.5s"), Some(-1_500_000_000));
        assert_eq!(nanoseconds("315576000000s"), Some(315_576_000_000_000_000_000));
        for wrong in
            ["5", "5ms", ".5s", "5.s", "+5s", "5 s", "1e3s", "5S", "s", "", "1.0000000001s"]
        {
            assert_eq!(nanoseconds(wrong), None, "{wrong}");
        }
        assert_eq!(nanoseconds("315576000001s"), None);
    }

    #[test]
    fn whole_numbers_in_all_of_their_spellings() {
        for (spelling, number) in
            [("3", 3), ("+5", 5), ("0x10", 16), ("8192.0", 8192), ("1e1", 10), ("0", 0)]
        {
            assert_eq!(text(spelling, Kind::Uint32), Some(Value::U32(number)), "{spelling}");
        }
        for wrong in ["", " 5", "3.5", "010", "-1", "5000000000", "0o17", "1_000", "0x", "0x+1"] {
            assert_eq!(text(wrong, Kind::Uint32), None, "{wrong}");
        }
        assert_eq!(text("-1", Kind::Int64), Some(Value::I64(-1)));
        let largest = u64::MAX.to_string();
        assert_eq!(text(&largest, Kind::Uint64), Some(Value::U64(u64::MAX)));
    }

    #[test]
    fn text_is_neither_a_boolean_nor_a_small_number() {
        let convert = |scalar: Scalar<'_>| scalar.convert(&Kind::String).ok();
        assert_eq!(convert(Scalar::Bool(true)), None);
        assert_eq!(convert(Scalar::Integer(5)), None);
        let large = Some(Value::String("5000000000".into()));
        assert_eq!(convert(Scalar::Integer(5_000_000_000)), large);
        assert_eq!(convert(Scalar::Float(1.5, Some("1.50"))), Some(Value::String("1.50".into())));
    }

    #[test]
    fn booleans_may_be_words() {
        for word in ["true", "True", "yes", "on", "y", "1"] {
            assert_eq!(text(word, Kind::Bool), Some(Value::Bool(true)), "{word}");
        }
        for word in ["false", "NO", "off", "0"] {
            assert_eq!(text(word, Kind::Bool), Some(Value::Bool(false)), "{word}");
        }
        assert_eq!(text("", Kind::Bool), None);
        assert!(Scalar::Integer(1).convert(&Kind::Bool).is_err());
    }

    #[test]
    fn bytes_are_base64_of_either_alphabet() {
        for spelling in ["-_8=", "+/8=", "+/8"] {
            let expected = Value::Bytes(vec![0xfb, 0xff].into());
            assert_eq!(text(spelling, Kind::Bytes), Some(expected), "{spelling}");
        }
        assert_eq!(text("@@", Kind::Bytes), None);
    }
}

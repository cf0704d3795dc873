//! Scalars, converted as Envoy's JSON reader converts them.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, Value};

use crate::report::{Note, did_you_mean};

/// The longest duration protobuf knows, about 10,000 years, in seconds.
const DURATION_SECONDS_MAX: u64 = 315_576_000_000;

/// A scalar as Envoy's YAML reader understands it.
#[derive(Debug, Clone)]
pub(crate) enum Scalar<'s> {
    Null,
    Bool(bool),
    Integer(i32),
    /// A number of JSON that is no `Integer`, and how it is written. YAML has text in its place.
    Number(f64, &'s str),
    Text {
        text: Cow<'s, str>,
        quoted: bool,
    },
}

impl<'s> Scalar<'s> {
    /// A scalar in quotes or in a block.
    pub(super) fn of_quoted(text: &'s str) -> Self {
        Self::Text { text: text.into(), quoted: true }
    }

    /// A plain scalar: null, a boolean of YAML 1.1, a small whole number (decimal, octal with a
    /// leading 0, or hexadecimal), or else text. Whole numbers beyond 32 bits are decimal text.
    pub(super) fn of_plain(text: &'s str) -> Self {
        if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Self::Null;
        }
        if let Some(value) = yaml_bool(text) {
            return Self::Bool(value);
        }
        match yaml_integer(text) {
            Some(value) => i32::try_from(value).map_or_else(
                |_| Self::Text { text: value.to_string().into(), quoted: false },
                Self::Integer,
            ),
            None => Self::Text { text: text.into(), quoted: false },
        }
    }

    /// A scalar of JSON that is not in quotes.
    pub(super) fn of_json(text: &'s str) -> Self {
        match (Self::of_plain(text), text.parse()) {
            (plain @ Self::Text { .. }, Ok(number))
                if text.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                // What is neither finite nor a number in JSON is left as the text it is.
                if f64::is_finite(number) { Self::Number(number, text) } else { plain }
            }
            (plain, _) => plain,
        }
    }
}

/// The booleans of YAML 1.1, in lower case, upper case, or with a capital.
fn yaml_bool(text: &str) -> Option<bool> {
    let (first, rest) = text.split_at_checked(1)?;
    let capital_or_lower = rest.bytes().all(|b| b.is_ascii_lowercase());
    let upper = text.bytes().all(|b| b.is_ascii_uppercase());
    if !first.bytes().all(|b| b.is_ascii_alphabetic()) || !(capital_or_lower || upper) {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A 64-bit integer, read as C reads one of any base.
fn yaml_integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (base, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(base)) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

impl Display for Scalar<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "the number {value}"),
            Self::Number(_, text) => write!(f, "the number {text}"),
            Self::Text { text, quoted: false } if text.parse::<f64>().is_ok_and(f64::is_finite) => {
                write!(f, "the number {text}")
            }
            Self::Text { text, .. } if text.chars().count() > 40 => {
                write!(f, "text '{}...'", text.chars().take(40).collect::<String>())
            }
            Self::Text { text, .. } => write!(f, "text '{text}'"),
        }
    }
}

impl Scalar<'_> {
    /// As a value of `kind`.
    pub(super) fn convert(&self, kind: &Kind) -> Result<Value, Note> {
        let wrong = || Note::from(format!("expected {}, found {self}", described(kind)));
        match kind {
            Kind::String => {
                self.text().map(Value::String).map_err(|help| wrong().help_if_known(help))
            }
            Kind::Bytes => self.bytes().map(|bytes| Value::Bytes(bytes.into())).ok_or_else(wrong),
            Kind::Bool => self.bool().map(Value::Bool).ok_or_else(wrong),
            Kind::Double => self.float().map(Value::F64).ok_or_else(wrong),
            Kind::Float => self.float().map(|value| Value::F32(value as f32)).ok_or_else(wrong),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => self.number(kind, Value::I32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => self.number(kind, Value::I64),
            Kind::Uint32 | Kind::Fixed32 => self.number(kind, Value::U32),
            Kind::Uint64 | Kind::Fixed64 => self.number(kind, Value::U64),
            Kind::Enum(descriptor) => self.enum_value(descriptor),
            Kind::Message(descriptor) => self.message(descriptor),
        }
    }

    /// Text, or else a help. To Envoy a decimal number of YAML is text, but neither a boolean nor a
    /// small whole number is.
    fn text(&self) -> Result<String, Option<String>> {
        match self {
            Self::Text { text, .. } => Ok(text.clone().into_owned()),
            Self::Integer(_) | Self::Number(..) | Self::Bool(_) => {
                Err(Some("put it in quotes".to_owned()))
            }
            Self::Null => Err(None),
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let Self::Text { text, .. } = self else { return None };
        let config = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        [alphabet::STANDARD, alphabet::URL_SAFE]
            .iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(&**text).ok())
    }

    fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            // What protobuf takes in quotes, which is not the same as the plain words of YAML.
            Self::Text { text, .. } => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(f64::from(*value)),
            Self::Number(value, _) => Some(*value),
            Self::Text { text, .. } => match &**text {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                text => text.parse().ok().filter(|value: &f64| value.is_finite()),
            },
            _ => None,
        }
    }

    fn number<T: TryFrom<i128>>(&self, kind: &Kind, wrap: fn(T) -> Value) -> Result<Value, Note> {
        let Some(number) = self.integer() else {
            return Err(format!("expected {}, found {self}", described(kind)).into());
        };
        T::try_from(number).map(wrap).map_err(|_| {
            Note::from(format!("{number} is out of range, expected {}", described(kind)))
        })
    }

    /// A whole number, also as `3.0`, `1e3`, hexadecimal, or in quotes.
    fn integer(&self) -> Option<i128> {
        match self {
            Self::Integer(value) => Some((*value).into()),
            Self::Number(value, _) => whole(*value),
            Self::Text { text, .. } => integer_in_text(text),
            Self::Null | Self::Bool(_) => None,
        }
    }

    fn enum_value(&self, descriptor: &EnumDescriptor) -> Result<Value, Note> {
        let number = match self {
            Self::Integer(number) => Some(*number),
            Self::Text { text, .. } => {
                let value = descriptor.get_value_by_name(text).or_else(|| {
                    descriptor.values().find(|value| value.name().eq_ignore_ascii_case(text))
                });
                if let Some(value) = value {
                    return Ok(Value::EnumNumber(value.number()));
                }
                text.parse().ok()
            }
            _ => None,
        };
        let expected = || format!("expected {}", one_of(descriptor));
        match (number, self) {
            (Some(number), _) if descriptor.get_value(number).is_some() => {
                Ok(Value::EnumNumber(number))
            }
            (Some(number), _) => {
                Err(Note::from(format!("unknown value {number}")).help(expected()))
            }
            (None, Self::Text { text: name, .. }) => {
                let names: Vec<_> =
                    descriptor.values().map(|value| value.name().to_owned()).collect();
                let upper = name.to_ascii_uppercase();
                let near = did_you_mean(&upper, names.iter().map(String::as_str));
                Err(Note::from(format!("unknown value '{name}'"))
                    .help(near.unwrap_or_else(expected)))
            }
            (None, _) => Err(Note::from(format!("{}, found {self}", expected()))),
        }
    }

    /// The messages that JSON writes as scalars: wrappers, durations, points in time.
    fn message(&self, descriptor: &MessageDescriptor) -> Result<Value, Note> {
        let wrong =
            || format!("expected {}, found {self}", described(&Kind::Message(descriptor.clone())));
        let text = match self {
            Self::Text { text, .. } => Some(&**text),
            _ => None,
        };
        let message = match (descriptor.full_name(), text) {
            ("google.protobuf.Duration", Some(text)) => duration(descriptor, text),
            ("google.protobuf.Timestamp", Some(text)) => timestamp(descriptor, text),
            (name, _) if is_wrapper(name) => {
                let field = descriptor.get_field_by_name("value").ok_or_else(wrong)?;
                let mut message = DynamicMessage::new(descriptor.clone());
                message.set_field(&field, self.convert(&field.kind())?);
                Some(message)
            }
            _ => None,
        };
        message.map(Value::Message).ok_or_else(|| wrong().into())
    }
}

/// Whether `text` without quotes is text, to Envoy and to other readers of YAML.
pub(crate) fn is_plain_text(text: &str) -> bool {
    matches!(Scalar::of_plain(text), Scalar::Text { .. }) && text.parse::<f64>().is_err()
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
            "google.protobuf.Timestamp" => "a time such as 2026-01-31T12:00:00Z".to_owned(),
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

fn integer_in_text(text: &str) -> Option<i128> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hexadecimal.filter(|digits| !digits.starts_with('+')) {
        return i128::from_str_radix(digits, 16).ok();
    }
    text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
}

/// RFC 3339.
fn timestamp(descriptor: &MessageDescriptor, text: &str) -> Option<DynamicMessage> {
    let time: prost_reflect::prost_types::Timestamp = text.parse().ok()?;
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_name("seconds", Value::I64(time.seconds));
    message.set_field_by_name("nanos", Value::I32(time.nanos));
    Some(message)
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

    fn quoted(text: &str, kind: Kind) -> Option<Value> {
        Scalar::of_quoted(text).convert(&kind).ok()
    }

    fn plain(text: &str, kind: Kind) -> Option<Value> {
        Scalar::of_plain(text).convert(&kind).ok()
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
        for (spelling, number) in [
            ("3", 3),
            ("+5", 5),
            ("0x10", 16),
            ("8192.0", 8192),
            ("1e1", 10),
            ("0", 0),
            ("010", 10),
        ] {
            assert_eq!(quoted(spelling, Kind::Uint32), Some(Value::U32(number)), "{spelling}");
        }
        for wrong in ["", " 5", "3.5", "-1", "5000000000", "0o17", "1_000", "0x", "0x+1"] {
            assert_eq!(quoted(wrong, Kind::Uint32), None, "{wrong}");
        }
        assert_eq!(quoted("-1", Kind::Int64), Some(Value::I64(-1)));
        let largest = u64::MAX.to_string();
        assert_eq!(quoted(&largest, Kind::Uint64), Some(Value::U64(u64::MAX)));
    }

    #[test]
    fn plain_numbers_are_read_as_c_does() {
        for (spelling, number) in
            [("010", 8), ("09", 9), ("0x10", 16), ("-0x10", -16), ("0", 0), ("-7", -7), ("1e1", 10)]
        {
            assert_eq!(plain(spelling, Kind::Int32), Some(Value::I32(number)), "{spelling}");
        }
        for text in ["0x", "1_000", "0o17", "+-5", "0x-1"] {
            assert_eq!(plain(text, Kind::String), Some(Value::String(text.into())), "{text}");
        }
    }

    #[test]
    fn text_is_neither_a_boolean_nor_a_small_number() {
        for wrong in ["true", "yes", "N", "On", "5", "-2147483648", "0x10"] {
            assert_eq!(plain(wrong, Kind::String), None, "{wrong}");
        }
        for (spelling, text) in [
            ("5000000000", "5000000000"),
            ("0x12A05F200", "5000000000"),
            ("1.50", "1.50"),
            ("yEs", "yEs"),
            ("1e5", "1e5"),
        ] {
            assert_eq!(plain(spelling, Kind::String), Some(Value::String(text.into())));
        }
    }

    #[test]
    fn booleans_may_be_words() {
        for word in ["true", "True", "yes", "on", "y", "ON", "tRue"] {
            assert_eq!(plain(word, Kind::Bool), Some(Value::Bool(true)), "{word}");
        }
        for word in ["false", "NO", "off"] {
            assert_eq!(plain(word, Kind::Bool), Some(Value::Bool(false)), "{word}");
        }
        assert_eq!(quoted("1", Kind::Bool), Some(Value::Bool(true)));
        for wrong in ["", "on", "off"] {
            assert_eq!(quoted(wrong, Kind::Bool), None, "{wrong}");
        }
        assert_eq!(plain("1", Kind::Bool), None);
    }

    #[test]
    fn a_number_of_json_is_no_text() {
        assert!(matches!(Scalar::of_json("1.5"), Scalar::Number(..)));
        assert!(Scalar::of_json("1.5").convert(&Kind::String).is_err());
        assert_eq!(Scalar::of_json("3.0").convert(&Kind::Uint32).ok(), Some(Value::U32(3)));
    }

    #[test]
    fn a_time_is_text() {
        let pool = schema::decode();
        let message = |name| Kind::Message(schema::message(&pool, name));
        let time = quoted("1970-01-01T00:01:00.5Z", message("google.protobuf.Timestamp")).unwrap();
        let time = time.as_message().unwrap();
        assert_eq!(time.get_field_by_name("seconds").unwrap().as_i64(), Some(60));
        assert_eq!(time.get_field_by_name("nanos").unwrap().as_i32(), Some(500_000_000));
    }

    #[test]
    fn bytes_are_base64_of_either_alphabet() {
        for spelling in ["-_8=", "+/8=", "+/8"] {
            let expected = Value::Bytes(vec![0xfb, 0xff].into());
            assert_eq!(quoted(spelling, Kind::Bytes), Some(expected), "{spelling}");
        }
        assert_eq!(quoted("@@", Kind::Bytes), None);
    }
}

//! Dynamic messages to bytes, in one walk: prost works out the length of each message before it writes it,
//! and so that of the innermost again at every level.

use prost::encoding::{self, WireType};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};

/// The bytes of `message`, the same that prost would write.
pub(crate) fn encode(message: &DynamicMessage) -> Vec<u8> {
    let mut out = Vec::new();
    write_fields(message, &mut out);
    out
}

fn write_fields(message: &DynamicMessage, out: &mut Vec<u8>) {
    for (field, value) in message.fields() {
        let number = field.number();
        match value {
            Value::List(items) if field.is_packed() => delimited(number, out, |out| {
                items.iter().for_each(|item| write_bare(&field.kind(), item, out));
            }),
            Value::List(items) => {
                let kind = field.kind();
                items.iter().for_each(|item| write(number, &kind, item, out));
            }
            Value::Map(entries) => {
                entries.iter().for_each(|entry| write_entry(&field, entry, out));
            }
            value => write(number, &field.kind(), value, out),
        }
    }
}

fn write_entry(field: &FieldDescriptor, (key, value): (&MapKey, &Value), out: &mut Vec<u8>) {
    let Kind::Message(entry) = field.kind() else { return };
    let (keys, values) = (entry.map_entry_key_field(), entry.map_entry_value_field());
    delimited(field.number(), out, |out| {
        write(keys.number(), &keys.kind(), &Value::from(key.clone()), out);
        write(values.number(), &values.kind(), value, out);
    });
}

/// Writes a value with its key.
fn write(number: u32, kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Message(message) => delimited(number, out, |out| write_fields(message, out)),
        Value::String(text) => encoding::string::encode(number, text, out),
        Value::Bytes(bytes) => encoding::bytes::encode(number, bytes, out),
        value => {
            encoding::encode_key(number, wire_type(kind), out);
            write_bare(kind, value, out);
        }
    }
}

fn wire_type(kind: &Kind) -> WireType {
    match kind {
        Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => WireType::ThirtyTwoBit,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => WireType::SixtyFourBit,
        _ => WireType::Varint,
    }
}

/// Writes a number without its key.
fn write_bare(kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    let varint = match *value {
        Value::Bool(value) => value.into(),
        Value::EnumNumber(value) => i64::from(value).cast_unsigned(),
        Value::U32(value) if *kind == Kind::Fixed32 => return out.extend(value.to_le_bytes()),
        Value::U32(value) => value.into(),
        Value::U64(value) if *kind == Kind::Fixed64 => return out.extend(value.to_le_bytes()),
        Value::U64(value) => value,
        Value::I32(value) => match kind {
            Kind::Sfixed32 => return out.extend(value.to_le_bytes()),
            Kind::Sint32 => ((value << 1) ^ (value >> 31)).cast_unsigned().into(),
            _ => i64::from(value).cast_unsigned(),
        },
        Value::I64(value) => match kind {
            Kind::Sfixed64 => return out.extend(value.to_le_bytes()),
            Kind::Sint64 => ((value << 1) ^ (value >> 63)).cast_unsigned(),
            _ => value.cast_unsigned(),
        },
        Value::F32(value) => return out.extend(value.to_le_bytes()),
        Value::F64(value) => return out.extend(value.to_le_bytes()),
        // None of these is a number.
        Value::String(_) | Value::Bytes(_) | Value::Message(_) | Value::List(_) | Value::Map(_) => {
            return;
        }
    };
    encoding::encode_varint(varint, out);
}

/// Writes what `content` writes, with a key and its length in front.
fn delimited(number: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    encoding::encode_key(number, WireType::LengthDelimited, out);
    let start = out.len();
    // Most lengths take one byte.
    out.push(0);
    content(out);
    let length = (out.len() - start - 1) as u64;
    if let Ok(length @ 0..0x80) = u8::try_from(length) {
        out[start] = length;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    encoding::encode_varint(length, &mut prefix);
    out.splice(start..=start, prefix);
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::schema;
    use crate::text::{self, Document};

    #[test]
    fn a_configuration_is_written_as_prost_writes_it() {
        let text = include_str!("../../tests/loading/front_proxy.yaml");
        let document = Document::parse(text, false).expect("legal");
        let descriptor = schema::message(&schema::decode(), schema::BOOTSTRAP);
        let message = text::read(&document, &descriptor, false).message;
        assert_eq!(encode(&message), message.encode_to_vec());
    }

    #[test]
    fn every_kind_of_number_comes_back() {
        let pool = schema::decode();
        for (name, json) in [
            ("google.protobuf.DoubleValue", "-1.5"),
            ("google.protobuf.FloatValue", "1.5"),
            ("google.protobuf.Int64Value", "\"-9007199254740993\""),
            ("google.protobuf.UInt64Value", "\"18446744073709551615\""),
            ("google.protobuf.Int32Value", "-2147483648"),
            ("google.protobuf.UInt32Value", "4294967295"),
            ("google.protobuf.BoolValue", "true"),
            ("google.protobuf.BytesValue", "\"AAEC\""),
            ("google.protobuf.Struct", "{\"a\": {\"b\": [1, null, \"x\"]}}"),
        ] {
            let descriptor = schema::message(&pool, name);
            let mut json = serde_json::Deserializer::from_str(json);
            let message =
                DynamicMessage::deserialize(descriptor.clone(), &mut json).expect("legal");
            let decoded = DynamicMessage::decode(descriptor, &encode(&message)[..]).expect("legal");
            assert_eq!(decoded, message, "{name}");
        }
    }
}

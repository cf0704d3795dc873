//! Rendering a JSON format for a stream.

use ringmain_config::substitution_format::{FormatPart, JsonFormat, SubstitutionFormat};

use super::evaluator::{Evaluator, Kind};
use super::text::write_text;

/// Appends the value. With `omit_empty`, members and elements without a value are left out, and so
/// are objects that have no member then.
pub fn write(format: &JsonFormat, evaluator: &Evaluator<'_>, omit_empty: bool, out: &mut Vec<u8>) {
    if !write_value(format, evaluator, omit_empty, out) {
        out.extend_from_slice(b"{}");
    }
}

/// False where there is no value to write and nothing was written.
fn write_value(
    format: &JsonFormat,
    evaluator: &Evaluator<'_>,
    omit_empty: bool,
    out: &mut Vec<u8>,
) -> bool {
    match format {
        JsonFormat::Literal(json) => out.extend_from_slice(json.as_bytes()),
        JsonFormat::Null if omit_empty => return false,
        JsonFormat::Null => out.extend_from_slice(b"null"),
        JsonFormat::Format(format) => return write_format(format, evaluator, omit_empty, out),
        JsonFormat::Object(members) => {
            let start = out.len();
            out.push(b'{');
            for (name, value) in members {
                let before = out.len();
                out.extend_from_slice(name.as_bytes());
                end_item(write_value(value, evaluator, omit_empty, out), before, out);
            }
            return end_list(b'{', b'}', omit_empty, start, out);
        }
        JsonFormat::List(items) => {
            let start = out.len();
            out.push(b'[');
            for item in items {
                let before = out.len();
                end_item(write_value(item, evaluator, omit_empty, out), before, out);
            }
            return end_list(b'[', b']', false, start, out);
        }
    }
    true
}

fn end_item(written: bool, before: usize, out: &mut Vec<u8>) {
    if written {
        out.push(b',');
    } else {
        out.truncate(before);
    }
}

fn end_list(open: u8, close: u8, omit_empty: bool, start: usize, out: &mut Vec<u8>) -> bool {
    if out.last() == Some(&b',') {
        out.pop();
    } else if omit_empty && out.len() == start + 1 && out[start] == open {
        out.truncate(start);
        return false;
    }
    out.push(close);
    true
}

fn write_format(
    format: &SubstitutionFormat,
    evaluator: &Evaluator<'_>,
    omit_empty: bool,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.push(b'"');
    if let [FormatPart::Operator { operator, max_length }] = &format.parts[..] {
        match evaluator.write_json(operator, out) {
            Some(Kind::Text) => {
                // Numbers and objects are never cut.
                let length = max_length.unwrap_or(usize::MAX);
                out.truncate((start + 1).saturating_add(length).min(out.len()));
            }
            Some(Kind::Number | Kind::Json) => {
                out.remove(start);
                return true;
            }
            None => {
                out.truncate(start);
                if !omit_empty {
                    out.extend_from_slice(b"null");
                }
                return !omit_empty;
            }
        }
    } else {
        write_text(format, evaluator, if omit_empty { b"" } else { b"-" }, out);
    }
    escape(start + 1, out);
    out.push(b'"');
    true
}

/// Escapes what stands behind `start`, in place: most values need nothing.
fn escape(start: usize, out: &mut Vec<u8>) {
    let is_utf8 = std::str::from_utf8(&out[start..]).is_ok();
    let needs =
        |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\') || (!is_utf8 && *byte > 0x7e);
    let Some(first) = out[start..].iter().position(needs) else { return };
    // The escaped text is written behind the plain one, which then goes.
    let (from, end) = (start + first, out.len());
    for at in from..end {
        let byte = out[at];
        match byte {
            _ if !needs(&byte) => out.push(byte),
            // As Envoy does with what is no UTF-8: every byte by its number.
            _ if !is_utf8 => escape_number(byte, out),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => escape_number(byte, out),
        }
    }
    out.copy_within(end.., from);
    out.truncate(from + (out.len() - end));
}

fn escape_number(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.push(DIGITS[usize::from(byte >> 4)]);
    out.push(DIGITS[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = b"before".to_vec();
        out.extend_from_slice(text);
        escape(6, &mut out);
        String::from_utf8(out).expect("UTF-8").strip_prefix("before").expect("kept").to_owned()
    }

    #[test]
    fn texts_are_escaped_as_envoy_does() {
        assert_eq!(escaped(b""), "");
        assert_eq!(escaped("plain é".as_bytes()), "plain é");
        assert_eq!(escaped(b"a\"b\\c\td\x01/"), r#"a\"b\\c\td\u0001/"#);
        assert_eq!(escaped("\"é".as_bytes()), "\\\"é");
        assert_eq!(escaped(b"a\"\\\xff\xc3\xa9\t/"), r"a\u0022\u005c\u00ff\u00c3\u00a9\u0009/");
    }
}

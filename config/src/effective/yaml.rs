//! Writes YAML that Envoy reads as what it was: text that would be a number or a boolean is in quotes.

use serde_json::{Number, Value};

use crate::text::is_plain_text;

/// A whole number up to here is exact as a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// `value` in block style.
pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

/// Lines with this indentation.
fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                out.extend(std::iter::repeat_n(' ', indent));
                *out += &text(key);
                out.push(':');
                member(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let start = out.len();
                block(out, item, indent + 2);
                // The dash takes the place of the blanks before the item.
                out.replace_range(start + indent..start + indent + 2, "- ");
            }
        }
        single => {
            out.extend(std::iter::repeat_n(' ', indent));
            *out += &scalar(single);
            out.push('\n');
        }
    }
}

/// What follows a key and its colon.
fn member(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            block(out, value, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(out, value, indent);
        }
        single => {
            out.push(' ');
            block(out, single, 0);
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Number(number) => whole(number).unwrap_or_else(|| number.to_string()),
        // An empty list or mapping is the same in JSON.
        other => other.to_string(),
    }
}

/// A number of a Struct is a float, and so is one with a point; to Envoy only the one without is a number.
fn whole(number: &Number) -> Option<String> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds")]
    (float.fract() == 0.0 && float.abs() < WHOLE_MAX).then(|| (float as i64).to_string())
}

fn text(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    if text.chars().all(is_safe) && !text.starts_with('-') && is_plain_text(text) {
        return text.to_owned();
    }
    let quoted = Value::String(text.to_owned()).to_string();
    // Of what JSON leaves as it is, YAML takes no control characters.
    quoted.chars().fold(String::new(), |out, c| {
        if c.is_control() {
            format!("{out}\\u{:04x}", u32::from(c))
        } else {
            out + c.encode_utf8(&mut [0; 4])
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_stays_text() {
        let value = json!({
            "a": {"b": [1, {"c": "d", "e": ["f"]}, [2, 3], "yes", "010", "1.5", ""], "g": {}},
            "@type": "type.googleapis.com/x.Y",
            "h": ["- i", "j: k", "\u{7f}\n", "-", "~", 1.0, -2.0, 1.5, null, true],
        });
        let expected = "a:\n  b:\n  - 1\n  - c: d\n    e:\n    - f\n  - - 2\n    - 3\n  - \"yes\"\n  \
                        - \"010\"\n  - \"1.5\"\n  - \"\"\n  g: {}\n\"@type\": \
                        type.googleapis.com/x.Y\nh:\n- \"- i\"\n- \"j: k\"\n- \"\\u007f\\n\"\n\
                        - \"-\"\n- \"~\"\n- 1\n- -2\n- 1.5\n- null\n- true\n";
        assert_eq!(written(&value), expected);
    }
}

//! Replaces what differs from run to run by placeholders, after checking that it has the right
//! shape: a value of a wrong shape stays, and shows up as a difference.

/// Replaces ports by names: `(port, name)`, each wherever it follows a colon or is told by itself.
pub fn ports(text: &str, names: &[(u16, &str)]) -> String {
    let mut text = text.to_owned();
    for (port, name) in names {
        for before in [":", "x-forwarded-port: "] {
            text = text.replace(&format!("{before}{port}"), &format!("{before}<{name}>"));
        }
    }
    text
}

/// Replaces the values of `date`, `x-request-id` and `x-envoy-upstream-service-time` in header
/// lines.
pub fn headers(text: &str) -> String {
    text.split_inclusive('\n').map(header_line).collect()
}

fn header_line(line: &str) -> String {
    let Some((name, value)) = line.trim_end().split_once(": ") else {
        return line.to_owned();
    };
    let placeholder = match name.to_ascii_lowercase().as_str() {
        "date" if is_http_date(value) => "<date>",
        "x-request-id" if is_uuid4(value) => "<uuid>",
        // What is left of the default 15 s when a request is sent again.
        "x-envoy-expected-rq-timeout-ms" if value.len() == 5 && value.starts_with("14") => "15000",
        "x-envoy-upstream-service-time" if is_number(value) => "<ms>",
        _ => return line.to_owned(),
    };
    format!("{name}: {placeholder}\n")
}

/// Replaces the times and the request id in a line of Envoy's default access-log format.
pub fn log_line(line: &str) -> String {
    let mut fields = quoted_fields(line);
    for (index, field) in fields.iter_mut().enumerate() {
        let placeholder = match index {
            0 if is_log_time(field) => "[<time>]",
            6 if is_number(field) => "<ms>",
            7 if is_number(field) => "<ms>",
            10 if is_uuid4(field.trim_matches('"')) => "\"<uuid>\"",
            _ => continue,
        };
        placeholder.clone_into(field);
    }
    fields.join(" ")
}

/// Replaces the size of the response in a line of Envoy's default access-log format.
pub fn bytes_sent(line: &str) -> String {
    let mut fields = quoted_fields(line);
    if let Some(size) = fields.get_mut(5).filter(|size| is_number(size)) {
        "<bytes>".clone_into(size);
    }
    fields.join(" ")
}

/// Splits at spaces, except within double quotes.
fn quoted_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        if character == '"' {
            quoted = !quoted;
        }
        if character == ' ' && !quoted {
            fields.push(String::new());
        } else {
            fields.last_mut().expect("never empty").push(character);
        }
    }
    fields
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 9562 §5.4, in lower case.
fn is_uuid4(text: &str) -> bool {
    matches(text, "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx")
}

/// RFC 9110 §5.6.7, `IMF-fixdate`.
fn is_http_date(text: &str) -> bool {
    matches(text, "Aaa, 00 Aaa 0000 00:00:00 GMT")
}

fn is_log_time(text: &str) -> bool {
    matches(text, "[0000-00-00T00:00:00.000Z]")
}

/// Does `text` have this shape? `0` is a digit, `A` an upper-case and `a` a lower-case letter, `x` a
/// hexadecimal digit, `v` a UUID variant digit; anything else stands for itself.
fn matches(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, class)| match class {
            b'0' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_lowercase(),
            b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            b'v' => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_well_formed_values_only() {
        let text = "date: Sat, 01 Aug 2026 10:00:00 GMT\nx-request-id: 1234\n";
        assert_eq!(headers(text), "date: <date>\nx-request-id: 1234\n");
    }

    #[test]
    fn a_request_id_must_be_of_version_4() {
        assert!(is_uuid4("79e9b1c2-0000-4abc-8abc-0123456789ab"));
        assert!(!is_uuid4("79e9b1c2-0000-1abc-8abc-0123456789ab"));
        assert!(!is_uuid4("79e9b1c2-0000-4abc-7abc-0123456789ab"));
    }

    #[test]
    fn replaces_the_moving_fields_of_a_log_line() {
        let line = "[2026-01-02T03:04:05.230Z] \"GET / HTTP/1.1\" 200 - 0 2 7 6 \"-\" \"a b\" \
                    \"79e9b1c2-0000-4abc-8abc-0123456789ab\" \"h\" \"-\"";
        assert_eq!(
            log_line(line),
            "[<time>] \"GET / HTTP/1.1\" 200 - 0 2 <ms> <ms> \"-\" \"a b\" \"<uuid>\" \"h\" \"-\""
        );
    }
}

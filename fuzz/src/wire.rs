//! What no head that we send may break.

/// Asserts that `head` is one head to any reader: every line ends with CRLF, none is empty before the
/// end, and no byte could be taken for a line end.
pub(crate) fn assert_one_head(head: &[u8]) {
    let body = head.strip_suffix(b"\r\n\r\n").expect("a head ends with an empty line");
    for line in body.split(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(!text.is_empty(), "an empty line inside the head");
        assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r')), "{}", text.escape_ascii());
    }
    let returns = body.iter().filter(|byte| **byte == b'\r').count();
    let feeds = body.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(returns, feeds, "a bare CR or LF");
}

/// How many lines of `head` are fields of that name.
pub(crate) fn count_fields(head: &[u8], name: &[u8]) -> usize {
    let lines = head.split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.split(|byte| *byte == b':').next());
    names.filter(|other| other.eq_ignore_ascii_case(name)).count()
}

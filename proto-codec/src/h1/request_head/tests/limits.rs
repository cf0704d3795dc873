use super::*;

fn with_limits(bytes_max: u32, headers_max: u32) -> RequestOptions {
    RequestOptions { limits: HeadLimits { bytes_max, headers_max }, ..Default::default() }
}

/// Envoy: `max_request_headers_kb` counts the head as received.
#[test]
fn a_head_may_be_as_large_as_allowed() {
    let bytes = with_line("A: bcdef");
    let len = bytes.len() as u32;
    assert!(matches!(parse_with(&bytes, &with_limits(len, 100)), Ok(Some(_))));
    let above = parse_with(&bytes, &with_limits(len - 1, 100));
    assert_eq!(above, Err(RequestError::HeadTooLarge));
    let unfinished = parse_with(b"GET /aaaaaaaaaaaaaaaaaaaaaaa", &with_limits(20, 100));
    assert_eq!(unfinished, Err(RequestError::HeadTooLarge));
    let empty_line_before = [b"\r\n", &bytes[..]].concat();
    assert!(matches!(parse_with(&empty_line_before, &with_limits(len, 100)), Ok(Some(_))));
}

/// Envoy: `max_headers_count` counts `host` too.
#[test]
fn a_head_may_have_as_many_fields_as_allowed() {
    let bytes = with_line("A: 1\r\nB: 2");
    assert!(matches!(parse_with(&bytes, &with_limits(1000, 3)), Ok(Some(_))));
    let above = parse_with(&bytes, &with_limits(1000, 2));
    assert_eq!(above, Err(RequestError::TooManyHeaders));
}

#[test]
fn more_fields_than_fit_on_the_stack_are_taken_where_allowed() {
    let lines = vec!["A: b"; FIELDS_ON_STACK * 3].join("\r\n");
    let bytes = with_line(&lines);
    let options = with_limits(60_000, 1000);
    let read = parse_by(&bytes, [bytes.len()].into_iter(), &options);
    let read = read.expect("within the bounds").expect("complete");
    assert_eq!(read.headers.len(), 3 + FIELDS_ON_STACK * 3);
}

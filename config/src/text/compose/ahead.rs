//! Where a list or mapping begins that is read next, as far as the text leaves no doubt.
//!
//! To ask serde_yaml costs an error with its path in words for each, which was a sixth of a load. This looks at
//! the usual ways to write one and knows nothing else: no anchors, tags, tabs or keys of many words. What it
//! takes for a list or mapping and is none ends in an error, after which all is read again without it.

/// Where the value of a key begins, if it is a list or mapping; the key, with its quotes, takes `start..end`.
pub(super) fn value(text: &str, start: usize, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.get(end) != Some(&b':') {
        return None;
    }
    let at = blanks(bytes, end + 1);
    match bytes.get(at)? {
        b'{' | b'[' if at > end + 1 => return Some(at),
        b'\n' | b'#' => {}
        _ => return None,
    }
    let at = content(bytes, at);
    let (column, of_key) = (column(bytes, at), column(bytes, start));
    let begins = (is_dash(bytes, at) && column >= of_key) || (is_key(bytes, at) && column > of_key);
    begins.then_some(at)
}

/// Where the next item of a list begins, if it is a list or mapping; `from` is behind the last scalar of the
/// item before, or where the list begins.
pub(super) fn item(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = content(bytes, from);
    while matches!(bytes.get(at), Some(b'}' | b']' | b',')) {
        at = content(bytes, at + 1);
    }
    if is_dash(bytes, at) {
        at = blanks(bytes, at + 1);
        let begins = is_bracket(bytes, at) || is_dash(bytes, at) || is_key(bytes, at);
        return begins.then_some(at);
    }
    is_bracket(bytes, at).then_some(at)
}

/// Past blanks, line breaks and comments.
fn content(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = blanks(bytes, at);
        at = match bytes.get(at) {
            Some(b'\n') => at + 1,
            // What follows a word is a part of it.
            Some(b'#') if matches!(bytes[..at].last(), Some(b' ' | b'\n')) => {
                memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length)
            }
            _ => return at,
        };
    }
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| **byte == b' ').count()
}

/// Bytes of the line before `at`.
fn column(bytes: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &bytes[..at]).map_or(at, |line_end| at - line_end - 1)
}

fn is_bracket(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b'{' | b'['))
}

fn is_dash(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&b'-') && matches!(bytes.get(at + 1), Some(b' ' | b'\n'))
}

/// Whether a key of one word stands there, with or without double quotes.
fn is_key(bytes: &[u8], at: usize) -> bool {
    let quotes = usize::from(bytes.get(at) == Some(&b'"'));
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./@".contains(byte);
    let word = bytes[at + quotes..].iter().take_while(|byte| is_of_word(byte)).count();
    let end = at + word + 2 * quotes;
    let is_closed = quotes == 0 || bytes.get(end - 1) == Some(&b'"');
    word > 0
        && is_closed
        && bytes.get(end) == Some(&b':')
        && matches!(bytes.get(end + 1), Some(b' ' | b'\n'))
}

//! `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action`. The query is never
//! touched.

use ringmain_config::http_connection_manager::{
    HttpConnectionManager, PathWithEscapedSlashesAction,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

/// What becomes of a request whose path was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathOutcome {
    /// It goes on, with the path as it is now.
    Continue,
    /// It is refused.
    Reject,
    /// The client is sent to the path as it is now.
    Redirect,
}

/// Gives the request the path that `config` asks for. `scratch` is room to build it in.
pub fn normalize_path(
    config: &HttpConnectionManager,
    headers: &mut HeaderMap,
    scratch: &mut Vec<u8>,
) -> PathOutcome {
    use PathWithEscapedSlashesAction as Action;

    let mut outcome = PathOutcome::Continue;
    let action = config.path_with_escaped_slashes_action;
    if action != Action::KeepUnchanged && rewrite(headers, scratch, unescape_slashes) == Some(true)
    {
        match action {
            Action::RejectRequest => return PathOutcome::Reject,
            Action::UnescapeAndRedirect => outcome = PathOutcome::Redirect,
            Action::UnescapeAndForward | Action::KeepUnchanged => {}
        }
    }
    if config.normalize_path && rewrite(headers, scratch, canonicalize).is_none() {
        return PathOutcome::Reject;
    }
    if config.merge_slashes {
        rewrite(headers, scratch, merge_slashes);
    }
    outcome
}

/// Replaces the path by what `change` writes; says whether that is another one, and nothing where
/// `change` fails.
fn rewrite(
    headers: &mut HeaderMap,
    scratch: &mut Vec<u8>,
    change: fn(&[u8], &mut Vec<u8>) -> Option<()>,
) -> Option<bool> {
    let target = headers.get(KnownHeader::Path).unwrap_or_default();
    let (path, query) = target.split_at(memchr::memchr(b'?', target).unwrap_or(target.len()));
    scratch.clear();
    change(path, scratch)?;
    if scratch == path {
        return Some(false);
    }
    scratch.extend_from_slice(query);
    headers.set(KnownHeader::Path, scratch);
    Some(true)
}

/// `%2F` and `%5C`, in either case, as what they stand for.
fn unescape_slashes(path: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = match decoded(rest) {
            Some(slash @ (b'/' | b'\\')) => {
                out.push(slash);
                &rest[3..]
            }
            _ => {
                out.push(*first);
                after
            }
        };
    }
    Some(())
}

/// The byte that `text` begins with an escape of.
fn decoded(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// Runs of slashes as one. A path of slashes alone keeps two, as in Envoy.
fn merge_slashes(path: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if path.len() > 1 && path.iter().all(|byte| *byte == b'/') {
        out.extend_from_slice(b"//");
        return Some(());
    }
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    Some(())
}

/// The path as Envoy's URL library writes it (RFC 3986 §6.2.2): dot segments applied, `\` as `/`,
/// unreserved characters unescaped, others escaped. `None` where it holds an escaped NUL.
fn canonicalize(path: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        if out.last() == Some(&b'/')
            && let Some((segment, behind)) = dot_segment(rest)
        {
            if segment == Dots::Two {
                remove_last_segment(out);
            }
            rest = behind;
            continue;
        }
        rest = match (first, decoded(rest)) {
            (b'\\', _) => {
                out.push(b'/');
                after
            }
            (b'%', Some(0)) => return None,
            (b'%', Some(byte)) if is_unreserved(byte) => {
                out.push(byte);
                &rest[3..]
            }
            (b'%', Some(_)) => {
                out.extend_from_slice(&rest[..3]);
                &rest[3..]
            }
            (byte, _) => {
                write_byte(byte, out);
                after
            }
        };
    }
    Some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    One,
    Two,
}

/// The dot segment that `text` begins with, and what stands behind it and its slash.
fn dot_segment(text: &[u8]) -> Option<(Dots, &[u8])> {
    let after_one = after_dot(text)?;
    if let Some(behind) = segment_end(after_one, text) {
        return Some((Dots::One, behind));
    }
    let behind = segment_end(after_dot(after_one)?, text)?;
    Some((Dots::Two, behind))
}

fn after_dot(text: &[u8]) -> Option<&[u8]> {
    match text.first() {
        Some(b'.') => Some(&text[1..]),
        _ => (decoded(text) == Some(b'.')).then(|| &text[3..]),
    }
}

/// What stands behind a segment that ends before `rest`, where it does. Path parameters
/// (`..;a=b`) belong to a segment of plain dots.
fn segment_end<'t>(rest: &'t [u8], segment: &[u8]) -> Option<&'t [u8]> {
    match rest.split_first() {
        None => Some(rest),
        Some((b'/' | b'\\', behind)) => Some(behind),
        Some((b';', _)) if !segment[..segment.len() - rest.len()].contains(&b'%') => {
            let slash = memchr::memchr(b'/', rest);
            Some(slash.map_or(&rest[rest.len()..], |slash| &rest[slash + 1..]))
        }
        Some(_) => None,
    }
}

/// Takes the segment before the last slash away, if there is one.
fn remove_last_segment(out: &mut Vec<u8>) {
    let before = out.len().saturating_sub(1);
    if let Some(slash) = memchr::memrchr(b'/', &out[..before]) {
        out.truncate(slash + 1);
    }
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let escaped = matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
        || !byte.is_ascii_graphic();
    if escaped {
        let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        out.extend_from_slice(&[b'%', digits[0], digits[1]]);
    } else {
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: fn(&[u8], &mut Vec<u8>) -> Option<()>, path: &str) -> Option<String> {
        let mut out = Vec::new();
        change(path.as_bytes(), &mut out)?;
        Some(String::from_utf8(out).expect("a path is text"))
    }

    fn assert_changes(change: fn(&[u8], &mut Vec<u8>) -> Option<()>, pairs: &[(&str, &str)]) {
        for (path, expected) in pairs {
            assert_eq!(changed(change, path).as_deref(), Some(*expected), "{path}");
        }
    }

    #[test]
    fn dot_segments_are_applied() {
        assert_changes(
            canonicalize,
            &[
                ("/a/./b", "/a/b"),
                ("/a/../b", "/b"),
                ("/../../x", "/x"),
                ("/a/..", "/"),
                ("/a/.", "/a/"),
                ("/a//../b", "/a/b"),
                ("//../a", "/a"),
                ("/a/%2e%2E/b", "/b"),
                ("/a/.%2e", "/"),
                ("/a%2e%2e/b", "/a../b"),
                ("/a/...", "/a/..."),
                ("/.a/b..c/..d", "/.a/b..c/..d"),
                ("/a\\..\\b", "/b"),
            ],
        );
    }

    #[test]
    fn parameters_of_dot_segments_go_with_them() {
        assert_changes(
            canonicalize,
            &[
                ("/a/..;x=1/b", "/b"),
                ("/a/.;/b", "/a/b"),
                ("/a/..;", "/"),
                ("/x/a/.;\\b", "/x/a/"),
                ("/a/%2e%2e;/b", "/a/..;/b"),
                ("/a/...;/b", "/a/...;/b"),
                ("/a/b;/c", "/a/b;/c"),
                ("/a/..%3b/b", "/a/..%3b/b"),
            ],
        );
    }

    #[test]
    fn escapes_are_those_of_reserved_characters() {
        assert_changes(
            canonicalize,
            &[
                ("/%41%7e%2d", "/A~-"),
                ("/%2f%3f%E9", "/%2f%3f%E9"),
                ("/a%zz%4", "/a%zz%4"),
                ("/\"<>^`{|}", "/%22%3C%3E%5E%60%7B%7C%7D"),
                ("/!$&'()*+,;=:@[]", "/!$&'()*+,;=:@[]"),
            ],
        );
        assert_eq!(changed(canonicalize, "/a%00b"), None);
    }

    #[test]
    fn runs_of_slashes_become_one() {
        assert_changes(
            merge_slashes,
            &[("//a//b", "/a/b"), ("/a///", "/a/"), ("///", "//"), ("/", "/"), ("/a/b", "/a/b")],
        );
    }

    #[test]
    fn escaped_slashes_are_found() {
        assert_changes(
            unescape_slashes,
            &[("/a%2Fb%2fc", "/a/b/c"), ("/a%5c%5Cb", "/a\\\\b"), ("/a%25%2", "/a%25%2")],
        );
    }

    #[test]
    fn the_query_is_not_touched() {
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Path, b"/a//b?c//d");
        assert_eq!(rewrite(&mut headers, &mut Vec::new(), merge_slashes), Some(true));
        assert_eq!(headers.get(KnownHeader::Path), Some(&b"/a/b?c//d"[..]));
    }
}

//! Response flags as operators write them.

use super::evaluator::Kind;
use crate::http::{ResponseFlag, ResponseFlags};

/// `UF,URX`; `-` for none, which is a text like any other in JSON.
pub fn write_short(flags: ResponseFlags, out: &mut Vec<u8>) -> Option<Kind> {
    write(flags, ResponseFlag::short_name, out)
}

/// `UpstreamConnectionFailure`.
pub fn write_long(flags: ResponseFlags, out: &mut Vec<u8>) -> Option<Kind> {
    write(flags, ResponseFlag::long_name, out)
}

fn write(
    flags: ResponseFlags,
    name: impl Fn(ResponseFlag) -> &'static str,
    out: &mut Vec<u8>,
) -> Option<Kind> {
    if flags.is_empty() {
        out.push(b'-');
        return Some(Kind::Text);
    }
    let start = out.len();
    for flag in flags.iter() {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(name(flag).as_bytes());
    }
    Some(Kind::Text)
}

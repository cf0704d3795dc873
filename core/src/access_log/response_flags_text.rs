//! Response flags as operators write them.

use super::evaluator::Kind;
use crate::http::{ResponseFlag, ResponseFlags};

/// In which order flags are written: that of Envoy's setting them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A router gives up before it says why.
    Http,
    /// A TCP proxy gives up after its last attempt has failed.
    Tcp,
}

/// `URX,UF`; `-` for none, which is a text like any other in JSON.
pub fn write_short(flags: ResponseFlags, order: Order, out: &mut Vec<u8>) -> Option<Kind> {
    write(flags, order, ResponseFlag::short_name, out)
}

/// `UpstreamConnectionFailure`.
pub fn write_long(flags: ResponseFlags, order: Order, out: &mut Vec<u8>) -> Option<Kind> {
    write(flags, order, ResponseFlag::long_name, out)
}

fn write(
    flags: ResponseFlags,
    order: Order,
    name: impl Fn(ResponseFlag) -> &'static str,
    out: &mut Vec<u8>,
) -> Option<Kind> {
    if flags.is_empty() {
        out.push(b'-');
        return Some(Kind::Text);
    }
    let start = out.len();
    let is_last = |flag: &ResponseFlag| {
        order == Order::Tcp && *flag == ResponseFlag::UpstreamRetryLimitExceeded
    };
    let last = flags.iter().filter(is_last);
    for flag in flags.iter().filter(|flag| !is_last(flag)).chain(last) {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(name(flag).as_bytes());
    }
    Some(Kind::Text)
}

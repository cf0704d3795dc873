//! The upstream side of one HTTP/1.1 exchange: the response head.

use ringmain_proto_codec::h1::{HeadProgress, ResponseHead};
use ringmain_proto_codec::limits::HeadLimits;

use crate::pool::UpstreamConnection;
use crate::runtime::{Buffer, LARGE_BUFFER_BYTES, SMALL_BUFFER_BYTES};
use crate::server::Worker;

/// Why there is no response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFailure {
    /// The connection ended before the response's first byte.
    ClosedSilent,
    /// The connection ended inside the response's head.
    ClosedPartial,
    /// What came is not HTTP/1 or not allowed.
    Protocol,
}

/// The largest response head; Envoy 1.40 passes 70,000 bytes by default.
const RESPONSE_HEAD_BYTES_MAX: u32 = 120 * 1024;

/// Reads the final response's head into `head`; what follows it stays in `buffer`.
pub async fn read_head(
    worker: &Worker,
    connection: &UpstreamConnection,
    mut buffer: Buffer,
    head: &mut ResponseHead,
    request: RequestKind,
    headers_max: u32,
) -> (Result<(), ResponseFailure>, Buffer) {
    let limits = HeadLimits { bytes_max: RESPONSE_HEAD_BYTES_MAX, headers_max };
    let mut progress = HeadProgress::default();
    let mut begun = false;
    loop {
        if !buffer.is_empty() {
            match head.parse(buffer.bytes(), &mut progress, request.is_head, &limits) {
                Ok(Some(consumed)) if is_interim(head.status) => {
                    // Any number, as in Envoy: the route's timeout bounds them.
                    buffer.consume(consumed);
                    connection.count_interim(head.status);
                    head.clear();
                    progress = HeadProgress::default();
                    continue;
                }
                // Nothing was asked that 101 could answer.
                Ok(Some(_)) if head.status == 101 => {
                    return (Err(ResponseFailure::Protocol), buffer);
                }
                Ok(Some(consumed)) => {
                    buffer.consume(consumed);
                    return (Ok(()), buffer);
                }
                Ok(None) => {}
                Err(_) => return (Err(ResponseFailure::Protocol), buffer),
            }
        }
        buffer = with_room(worker, buffer);
        let (count, returned) = connection.read(buffer).await;
        buffer = returned;
        match count {
            0 if begun => return (Err(ResponseFailure::ClosedPartial), buffer),
            0 => return (Err(ResponseFailure::ClosedSilent), buffer),
            _ => begun = true,
        }
    }
}

/// What the request was, as far as its response's framing depends on it.
#[derive(Debug, Clone, Copy)]
pub struct RequestKind {
    /// Whether the method was HEAD.
    pub is_head: bool,
}

fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// `buffer` with room for more: a head that outgrows a small buffer moves to a large one.
fn with_room(worker: &Worker, mut buffer: Buffer) -> Buffer {
    if buffer.room() > 0 {
        return buffer;
    }
    buffer.compact();
    if buffer.room() > 0 || buffer.capacity() > SMALL_BUFFER_BYTES {
        return buffer;
    }
    const { assert!(RESPONSE_HEAD_BYTES_MAX as usize * 2 < LARGE_BUFFER_BYTES) };
    let mut larger = worker.buffers.large();
    let fits = larger.append(buffer.bytes());
    debug_assert!(fits, "a large buffer holds what a small one held");
    worker.buffers.give_back(buffer);
    larger
}

//! How much of a body the peer has room for, on either side of a connection.

use std::task::{Context, Poll, ready};

use bytes::Buf;
use h2::SendStream;

/// Ready when the peer has room for some of `bytes`, and all that was sent before is on its way: for how many.
/// `None` where the stream is over.
pub(super) fn poll_room<D: Buf>(
    body: &mut SendStream<D>,
    context: &mut Context<'_>,
    bytes: usize,
) -> Poll<Option<Result<usize, h2::Error>>> {
    body.reserve_capacity(bytes);
    loop {
        match body.capacity() {
            0 => match ready!(body.poll_capacity(context)) {
                Some(Ok(_)) => {}
                ended => return Poll::Ready(ended),
            },
            room => return Poll::Ready(Some(Ok(room))),
        }
    }
}

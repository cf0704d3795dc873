//! The ways in which bytes may arrive.

use ringmain_proto_codec::h2::io::MemoryIoHandle;

/// Inputs up to this length are split at every byte, longer ones at this many places.
const SPLITS_MAX: usize = 256;

/// The lengths received so far, read by read: all at once, in two reads split at many places, and
/// byte by byte.
pub(crate) fn arrivals(len: usize) -> impl Iterator<Item = Vec<usize>> {
    let step = len.div_ceil(SPLITS_MAX).max(1);
    let splits = (0..len).step_by(step).map(move |at| vec![at, len]);
    let trickle = (0..=len).step_by(step).chain([len]).collect();
    [vec![len]].into_iter().chain(splits).chain([trickle])
}

/// Hands a connection in memory the next piece, or that there is none; false where nobody asks.
pub(crate) fn give_more<'a>(
    handle: &MemoryIoHandle<Vec<u8>>,
    pieces: &mut impl Iterator<Item = &'a [u8]>,
) -> bool {
    if !handle.wants_input() {
        return false;
    }
    match pieces.next() {
        Some(piece) => drop(handle.feed(piece.to_vec())),
        None => handle.end_input(),
    }
    true
}

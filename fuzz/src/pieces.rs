//! The ways in which bytes may arrive.

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

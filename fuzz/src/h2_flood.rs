//! The flood guard: the same verdict at the same place however frames arrive, and none on what cannot be a flood.

use ringmain_proto_codec::auto::PREFACE;
use ringmain_proto_codec::h2::flood_guard::{Breach, FloodGuard, FloodLimits, Refusal};

use crate::pieces::arrivals;

const LIMITS: FloodLimits = FloodLimits {
    consecutive_empty_frames_max: 1,
    priority_frames_per_stream_max: 2,
    window_updates_per_data_frame_max: 1,
    outbound_control_frames_max: 2,
};

/// Checks `bytes` as the frames behind a client's preface.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, [bytes.len()]);
    for ends in arrivals(bytes.len()) {
        assert_eq!(read(bytes, ends), whole);
    }
    let is_flood = matches!(whole, Err((Breach::Flood(_), _)));
    // No flood is less than two frames.
    assert!(!is_flood || bytes.len() >= 18, "a flood of {} bytes", bytes.len());
}

/// Why `bytes` end their connection and, where a frame of them is none, up to where they are handled.
fn read(
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<(), (Breach, Option<usize>)> {
    let mut guard = FloodGuard::of_client(LIMITS, true);
    assert_eq!(guard.receive(PREFACE), Ok(()));
    let mut start = 0;
    for end in ends {
        guard.receive(&bytes[start..end]).map_err(|Refusal { breach, usable }| {
            assert!(usable <= end - start);
            // Of a flood, all that has come is handled.
            let is_fault = matches!(breach, Breach::Frame(_));
            (breach, is_fault.then_some(start + usable))
        })?;
        start = end;
    }
    Ok(())
}

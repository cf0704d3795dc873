//! The flood guard: the same verdict however frames arrive, and none on what cannot be a flood.

use ringmain_proto_codec::auto::PREFACE;
use ringmain_proto_codec::h2::flood_guard::{Flood, FloodGuard, FloodLimits};

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
    // No flood is less than two frames.
    assert!(whole.is_ok() || bytes.len() >= 18, "a flood of {} bytes", bytes.len());
}

fn read(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Result<(), Flood> {
    let mut guard = FloodGuard::of_client(LIMITS, true);
    guard.receive(PREFACE)?;
    let mut start = 0;
    for end in ends {
        guard.receive(&bytes[start..end])?;
        start = end;
    }
    Ok(())
}

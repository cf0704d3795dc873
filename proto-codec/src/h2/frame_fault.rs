//! Frames whose error the RFC names more finely than the `h2` crate, which ends a connection with PROTOCOL_ERROR
//! over them.

use super::frame_scanner::{FrameHeader, PRIORITY_BYTES, flag, kind};

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// Its length is not one of its type: FRAME_SIZE_ERROR (RFC 9113 §4.2). One that is too long for any type the
    /// crate answers so itself.
    Size,
    /// SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1: FLOW_CONTROL_ERROR (RFC 9113 §6.5.2).
    WindowSize,
}

/// Bytes of an entry of SETTINGS: its identifier and its value (RFC 9113 §6.5.1).
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const WINDOW_SIZE_MAX: u32 = (1 << 31) - 1;

/// Whether a frame is too short for what it must have, or not as long as it must be.
pub(super) fn has_wrong_size(header: FrameHeader) -> bool {
    let has = |flag| header.flags & flag != 0;
    let length = header.length as usize;
    match header.kind {
        kind::DATA => length < usize::from(has(flag::PADDED)),
        kind::HEADERS => {
            let priority = if has(flag::PRIORITY) { PRIORITY_BYTES } else { 0 };
            length < usize::from(has(flag::PADDED)) + priority
        }
        kind::PRIORITY => length != PRIORITY_BYTES,
        kind::RST_STREAM | kind::WINDOW_UPDATE => length != 4,
        kind::SETTINGS if has(flag::ACK) => length != 0,
        kind::SETTINGS => !length.is_multiple_of(SETTING_BYTES),
        kind::PING => length != 8,
        kind::GOAWAY => length < 8,
        _ => false,
    }
}

/// Reads the entries of SETTINGS, however they are cut.
#[derive(Debug, Default)]
pub(super) struct SettingsReader {
    entry: [u8; SETTING_BYTES],
    filled: usize,
    /// Bytes of the payload that are still to come.
    left: usize,
}

impl SettingsReader {
    /// The frame with this header begins.
    pub(super) fn begin(&mut self, header: FrameHeader) {
        self.left = if header.kind == kind::SETTINGS { header.length as usize } else { 0 };
        self.filled = 0;
    }

    /// Reads what of the frame lies at the front of `bytes`. Fails where that holds a window that is too large: with
    /// how many of them lead up to the end of it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let payload = &bytes[..self.left.min(bytes.len())];
        self.left -= payload.len();
        for (at, byte) in payload.iter().enumerate() {
            self.entry[self.filled] = *byte;
            self.filled = (self.filled + 1) % SETTING_BYTES;
            if self.filled == 0 && self.is_too_large() {
                return Err(at + 1);
            }
        }
        Ok(())
    }

    fn is_too_large(&self) -> bool {
        let [i1, i0, value @ ..] = self.entry;
        u16::from_be_bytes([i1, i0]) == INITIAL_WINDOW_SIZE
            && u32::from_be_bytes(value) > WINDOW_SIZE_MAX
    }
}

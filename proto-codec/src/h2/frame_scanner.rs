//! Frame headers in a stream of bytes (RFC 9113 §4.1), however they are cut.

use crate::auto::PREFACE;

/// Bytes of a frame header.
const HEADER_BYTES: usize = 9;

/// Frame types (RFC 9113 §6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0x0;
    pub(in super::super) const HEADERS: u8 = 0x1;
    pub(in super::super) const PRIORITY: u8 = 0x2;
    pub(in super::super) const WINDOW_UPDATE: u8 = 0x8;
    pub(in super::super) const CONTINUATION: u8 = 0x9;
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes of the payload.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
}

/// Where in the stream the bytes so far have led to.
#[derive(Debug, Clone)]
pub(super) struct FrameScanner {
    /// Bytes until the next frame header.
    skip: usize,
    header: [u8; HEADER_BYTES],
    filled: usize,
}

impl FrameScanner {
    /// At the client's preface.
    pub(super) fn at_preface() -> Self {
        Self { skip: PREFACE.len(), ..Self::at_frame() }
    }

    /// At a frame's first byte.
    pub(super) fn at_frame() -> Self {
        Self { skip: 0, header: [0; HEADER_BYTES], filled: 0 }
    }

    /// Whether a frame's payload is still to come, or some of it.
    pub(super) fn is_within_frame(&self) -> bool {
        self.skip > 0
    }

    /// Shows `see` the headers that are complete with `bytes`, until it fails.
    pub(super) fn scan<E>(
        &mut self,
        mut bytes: &[u8],
        mut see: impl FnMut(FrameHeader) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let part = bytes.len().min(HEADER_BYTES - self.filled);
            if part == 0 {
                return Ok(());
            }
            self.header[self.filled..self.filled + part].copy_from_slice(&bytes[..part]);
            self.filled += part;
            bytes = &bytes[part..];
            if self.filled == HEADER_BYTES {
                let [high, middle, low, kind, flags, ..] = self.header;
                let length = u32::from_be_bytes([0, high, middle, low]);
                self.filled = 0;
                self.skip = length as usize;
                see(FrameHeader { length, kind, flags })?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_at_every_split() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend_from_slice(b"\0\0\x02\x01\x04\0\0\0\x01ab");
        bytes.extend_from_slice(b"\0\0\0\x00\x01\0\0\0\x01");
        for split in 0..=bytes.len() {
            let mut scanner = FrameScanner::at_preface();
            let mut seen = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                let all = scanner.scan(part, |header| {
                    seen.push(header);
                    Ok::<(), ()>(())
                });
                assert_eq!(all, Ok(()));
            }
            let headers = FrameHeader { length: 2, kind: kind::HEADERS, flags: 4 };
            let data = FrameHeader { length: 0, kind: kind::DATA, flags: 1 };
            assert_eq!(seen, [headers, data], "split at {split}");
        }
    }
}

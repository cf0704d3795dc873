//! Frame headers in a stream of bytes (RFC 9113 §4.1), however they are cut.

use std::convert::Infallible;

use crate::auto::PREFACE;

/// Bytes of a frame header.
pub(super) const HEADER_BYTES: usize = 9;
/// Bytes of the error code that is all of RST_STREAM (RFC 9113 §6.4).
pub(super) const CODE_BYTES: usize = 4;
/// Bytes of the last stream and of the code that GOAWAY begins with (RFC 9113 §6.8).
const GOAWAY_BYTES: usize = 8;

/// Frame types (RFC 9113 §6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0x0;
    pub(in super::super) const HEADERS: u8 = 0x1;
    pub(in super::super) const PRIORITY: u8 = 0x2;
    pub(in super::super) const RST_STREAM: u8 = 0x3;
    pub(in super::super) const SETTINGS: u8 = 0x4;
    pub(in super::super) const PING: u8 = 0x6;
    pub(in super::super) const GOAWAY: u8 = 0x7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 0x8;
    pub(in super::super) const CONTINUATION: u8 = 0x9;
}

/// Flags (RFC 9113 §6).
pub(super) mod flag {
    /// Of SETTINGS and PING.
    pub(in super::super) const ACK: u8 = 0x1;
    /// Of DATA and HEADERS.
    pub(in super::super) const END_STREAM: u8 = 0x1;
    /// Of HEADERS and CONTINUATION.
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    /// Of DATA and HEADERS: the length of the padding stands in front.
    pub(in super::super) const PADDED: u8 = 0x8;
    /// Of HEADERS: the fields of a PRIORITY frame stand in front.
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// Bytes of the fields of PRIORITY (RFC 9113 §6.3).
pub(super) const PRIORITY_BYTES: usize = 5;

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Bytes of the payload.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 is the connection.
    pub(super) stream: u32,
    /// The last stream that GOAWAY takes on; 0 of other frames.
    pub(super) last_stream: u32,
    /// The error code of RST_STREAM and GOAWAY.
    pub(super) code: Option<u32>,
}

/// Where in the stream the bytes so far have led to.
#[derive(Debug, Clone)]
pub(super) struct FrameScanner {
    /// Bytes until the next frame header.
    skip: usize,
    header: [u8; HEADER_BYTES + GOAWAY_BYTES],
    filled: usize,
}

impl FrameScanner {
    /// At the client's preface.
    pub(super) fn at_preface() -> Self {
        Self { skip: PREFACE.len(), ..Self::at_frame() }
    }

    /// At a frame's first byte.
    pub(super) fn at_frame() -> Self {
        Self { skip: 0, header: [0; HEADER_BYTES + GOAWAY_BYTES], filled: 0 }
    }

    /// Whether a frame's payload is still to come, or some of it.
    pub(super) fn is_within_frame(&self) -> bool {
        self.skip > 0
    }

    /// Shows `see` the headers that are complete with `bytes`, and what of those is behind each.
    pub(super) fn for_each(&mut self, bytes: &[u8], mut see: impl FnMut(FrameHeader, &[u8])) {
        let Ok(()) = self.scan(bytes, |header, rest| {
            see(header, rest);
            Ok::<(), Infallible>(())
        });
    }

    /// How many bytes of the frame that has begun are looked at.
    fn wanted(&self) -> usize {
        if self.filled < HEADER_BYTES {
            return HEADER_BYTES;
        }
        let [high, middle, low, kind, ..] = self.header;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        HEADER_BYTES
            + match kind {
                kind::RST_STREAM if length == CODE_BYTES => CODE_BYTES,
                kind::GOAWAY if length >= GOAWAY_BYTES => GOAWAY_BYTES,
                _ => 0,
            }
    }

    /// What has been gathered. The reserved bits mean nothing.
    fn frame_header(&self) -> FrameHeader {
        let [high, middle, low, kind, flags, s3, s2, s1, s0, payload @ ..] = self.header;
        let [l3, l2, l1, l0, code @ ..] = payload;
        let (last_stream, code) = match self.filled - HEADER_BYTES {
            0 => (0, None),
            CODE_BYTES => (0, Some(u32::from_be_bytes([l3, l2, l1, l0]))),
            _ => (u32::from_be_bytes([l3 & 0x7f, l2, l1, l0]), Some(u32::from_be_bytes(code))),
        };
        FrameHeader {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]),
            last_stream,
            code,
        }
    }

    /// Shows `see` the headers that are complete with `bytes`, and what of those is behind each, until it fails.
    pub(super) fn scan<E>(
        &mut self,
        mut bytes: &[u8],
        mut see: impl FnMut(FrameHeader, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let part = bytes.len().min(self.wanted() - self.filled);
            if part == 0 {
                return Ok(());
            }
            self.header[self.filled..self.filled + part].copy_from_slice(&bytes[..part]);
            self.filled += part;
            bytes = &bytes[part..];
            if self.filled >= HEADER_BYTES && self.filled == self.wanted() {
                let header = self.frame_header();
                self.skip = HEADER_BYTES + header.length as usize - self.filled;
                self.filled = 0;
                see(header, bytes)?;
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
        bytes.extend_from_slice(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07");
        bytes.extend_from_slice(b"\0\0\x09\x07\0\0\0\0\0\0\0\0\x05\0\0\0\x0b!");
        bytes.extend_from_slice(b"\0\0\0\x00\x01\0\0\0\x01");
        for split in 0..=bytes.len() {
            let mut scanner = FrameScanner::at_preface();
            let mut seen = Vec::new();
            for part in [&bytes[..split], &bytes[split..]] {
                let all = scanner.scan(part, |header, _| {
                    seen.push(header);
                    Ok::<(), ()>(())
                });
                assert_eq!(all, Ok(()));
            }
            let header = |length, kind, flags| FrameHeader {
                length,
                kind,
                flags,
                stream: 1,
                last_stream: 0,
                code: None,
            };
            let goaway = header(9, kind::GOAWAY, 0);
            let expected = [
                header(2, kind::HEADERS, 4),
                FrameHeader { code: Some(7), ..header(4, kind::RST_STREAM, 0) },
                FrameHeader { stream: 0, last_stream: 5, code: Some(11), ..goaway },
                header(0, kind::DATA, 1),
            ];
            assert_eq!(seen, expected, "split at {split}");
        }
    }
}

//! Bytes of messages by stream, in their frames: what logs call wire bytes.

use std::collections::HashMap;

use super::frame_scanner::{FrameHeader, FrameScanner, HEADER_BYTES, kind};

/// What has gone over one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamBytes {
    /// In frames from the peer.
    pub received: u64,
    /// In frames to the peer.
    pub sent: u64,
}

/// The streams of one connection that are metered.
#[derive(Debug, Default)]
pub struct StreamMeter {
    streams: HashMap<u32, Metered>,
    /// The newest stream that the peer has opened.
    newest: u32,
}

#[derive(Debug, Default)]
struct Metered {
    bytes: StreamBytes,
    /// Somebody will ask for it.
    is_expected: bool,
}

/// How many streams that nobody expects are kept: those of heads that have come and are not looked at yet.
const UNEXPECTED_MAX: usize = 256;

impl StreamMeter {
    /// The stream is one that [`Self::end`] will be asked of.
    pub fn begin(&mut self, stream: u32) {
        self.streams.entry(stream).or_default().is_expected = true;
    }

    /// What the stream has had so far.
    pub fn bytes(&self, stream: u32) -> StreamBytes {
        self.streams.get(&stream).map(|metered| metered.bytes).unwrap_or_default()
    }

    /// The stream is over: what it has had.
    pub fn end(&mut self, stream: u32) -> StreamBytes {
        self.streams.remove(&stream).unwrap_or_default().bytes
    }

    /// A frame has come. Where the peer is a client, it may open a stream.
    pub(super) fn receive(&mut self, header: FrameHeader, is_client: bool) {
        let opens = is_client && header.kind == kind::HEADERS && header.stream > self.newest;
        if opens {
            self.newest = header.stream;
            if self.streams.len() >= UNEXPECTED_MAX {
                self.streams.retain(|_, metered| metered.is_expected);
            }
            self.streams.insert(header.stream, Metered::default());
        }
        if let Some(metered) = self.streams.get_mut(&header.stream) {
            metered.bytes.received += message_bytes(header);
        }
    }

    /// A frame is sent.
    pub(super) fn send(&mut self, header: FrameHeader) {
        if let Some(metered) = self.streams.get_mut(&header.stream) {
            metered.bytes.sent += message_bytes(header);
        }
    }
}

/// Bytes of a frame that carries a message; others are of the connection's own, says Envoy.
fn message_bytes(header: FrameHeader) -> u64 {
    match header.kind {
        kind::DATA | kind::HEADERS | kind::CONTINUATION => {
            HEADER_BYTES as u64 + u64::from(header.length)
        }
        _ => 0,
    }
}

/// A meter of a connection that we have opened.
#[derive(Debug)]
pub struct ClientMeter {
    received: FrameScanner,
    sent: FrameScanner,
    /// Its streams.
    pub streams: StreamMeter,
}

impl Default for ClientMeter {
    fn default() -> Self {
        Self {
            received: FrameScanner::at_frame(),
            sent: FrameScanner::at_preface(),
            streams: StreamMeter::default(),
        }
    }
}

impl ClientMeter {
    /// Looks at what has come.
    pub fn receive(&mut self, bytes: &[u8]) {
        let Self { received, streams, .. } = self;
        received.for_each(bytes, |header, _| streams.receive(header, false));
    }

    /// Looks at what is sent.
    pub fn send(&mut self, bytes: &[u8]) {
        let Self { sent, streams, .. } = self;
        sent.for_each(bytes, |header, _| streams.send(header));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, stream: u32, length: u32) -> FrameHeader {
        FrameHeader { length, kind, flags: 0, stream, last_stream: 0, code: None }
    }

    #[test]
    fn frames_count_for_the_stream_that_they_are_of() {
        let mut meter = StreamMeter::default();
        meter.receive(header(kind::HEADERS, 1, 10), true);
        meter.receive(header(kind::HEADERS, 3, 20), true);
        meter.begin(1);
        meter.receive(header(kind::DATA, 1, 5), true);
        meter.receive(header(kind::DATA, 5, 5), true);
        meter.send(header(kind::HEADERS, 1, 7));
        meter.send(header(kind::WINDOW_UPDATE, 1, 4));
        assert_eq!(meter.end(1), StreamBytes { received: 33, sent: 16 });
        // It is over: what still comes opens nothing.
        meter.receive(header(kind::HEADERS, 1, 10), true);
        assert_eq!(meter.end(1), StreamBytes::default());
        assert_eq!(meter.bytes(3).received, 29);
    }

    #[test]
    fn streams_that_nobody_expects_are_few() {
        let mut meter = StreamMeter::default();
        for index in 0..10_000 {
            meter.receive(header(kind::HEADERS, 2 * index + 1, 1), true);
            if index == 0 {
                meter.begin(1);
            }
        }
        assert!(meter.streams.len() <= UNEXPECTED_MAX);
        assert_eq!(meter.end(1).received, 10);
    }

    #[test]
    fn a_client_meters_what_it_has_begun() {
        let mut meter = ClientMeter::default();
        meter.streams.begin(1);
        meter.send(&[crate::auto::PREFACE, &b"\0\0\x02\x01\x05\0\0\0\x01ab"[..]].concat());
        meter.receive(b"\0\0\x01\x01\x04\0\0\0\x01a\0\0\x01\x00\x01\0\0\0\x03a");
        assert_eq!(meter.streams.end(1), StreamBytes { received: 10, sent: 11 });
        assert_eq!(meter.streams.end(3), StreamBytes::default());
    }
}

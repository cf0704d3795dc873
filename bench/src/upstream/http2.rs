//! The upstream's HTTP/2. It reads no header block, as that would need HPACK's tables: every request is
//! a GET and is answered with the same 128 bytes, in frames made beforehand.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use crate::answers;
use crate::http2::{Frame, WINDOW_AT_START, flag, kind, literal};

/// Length of every body. It fits into the window of any stream.
const BODY_BYTES: u32 = 128;
/// Where a frame has its stream.
const STREAM_AT: usize = 5;
const FRAME_HEADER_BYTES: usize = 9;

/// The frames of an answer.
pub struct Answer {
    frames: Vec<u8>,
    data_at: usize,
}

impl Answer {
    pub fn new() -> Self {
        let body = answers::body(BODY_BYTES as usize);
        // RFC 7541, appendix A: 8 is `:status: 200`; 31 and 28 name content type and length.
        let mut fields = vec![0x88];
        literal(&mut fields, 31, "text/plain");
        literal(&mut fields, 28, &body.len().to_string());
        let mut frames = Vec::new();
        for (kind, flags, payload) in
            [(kind::HEADERS, flag::END_HEADERS, &fields[..]), (kind::DATA, flag::END_STREAM, &body)]
        {
            Frame { kind, flags, stream: 0, payload }.write_to(&mut frames);
        }
        Self { frames, data_at: FRAME_HEADER_BYTES + fields.len() }
    }

    fn write_to(&self, out: &mut Vec<u8>, stream: u32) {
        let start = out.len();
        out.extend_from_slice(&self.frames);
        for frame_at in [start, start + self.data_at] {
            let at = frame_at + STREAM_AT;
            out[at..at + 4].copy_from_slice(&stream.to_be_bytes());
        }
    }
}

/// One connection after its preface.
pub struct Connection {
    /// The beginning of a frame whose end has yet to come.
    partial: Vec<u8>,
    /// Bytes of bodies that the peer takes now.
    window: u32,
    /// Streams whose answers wait for it.
    waiting: VecDeque<u32>,
}

impl Connection {
    /// Says our settings, which are the protocol's own.
    pub fn new(out: &mut Vec<u8>) -> Self {
        Frame { kind: kind::SETTINGS, flags: 0, stream: 0, payload: &[] }.write_to(out);
        Self { partial: Vec::new(), window: WINDOW_AT_START, waiting: VecDeque::new() }
    }

    /// Takes what has come and appends what is due to `out`.
    pub fn take(&mut self, bytes: &[u8], answer: &Answer, out: &mut Vec<u8>) -> io::Result<()> {
        let mut received = std::mem::take(&mut self.partial);
        received.extend_from_slice(bytes);
        let mut rest = &received[..];
        while let Some((frame, after)) = Frame::split_from(rest)? {
            rest = after;
            self.take_frame(&frame, out)?;
            self.answer_waiting(answer, out);
        }
        let taken = received.len() - rest.len();
        received.drain(..taken);
        self.partial = received;
        Ok(())
    }

    fn take_frame(&mut self, frame: &Frame, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(acknowledgement) = frame.acknowledgement() {
            acknowledgement.write_to(out);
        }
        match (frame.kind, frame.payload) {
            (kind::HEADERS, _) if frame.ends_stream() => self.waiting.push_back(frame.stream),
            (kind::HEADERS | kind::DATA, _) => return Err(ErrorKind::InvalidData.into()),
            (kind::WINDOW_UPDATE, &[w3, w2, w1, w0]) if frame.stream == 0 => {
                self.window = self.window.saturating_add(u32::from_be_bytes([w3, w2, w1, w0]));
            }
            _ => {}
        }
        Ok(())
    }

    fn answer_waiting(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        while self.window >= BODY_BYTES
            && let Some(stream) = self.waiting.pop_front()
        {
            self.window -= BODY_BYTES;
            answer.write_to(out, stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(stream: u32) -> Vec<u8> {
        let flags = flag::END_HEADERS | flag::END_STREAM;
        let mut bytes = Vec::new();
        Frame { kind: kind::HEADERS, flags, stream, payload: &[0x82] }.write_to(&mut bytes);
        bytes
    }

    fn streams_ended(mut frames: &[u8]) -> Vec<u32> {
        let mut streams = Vec::new();
        while let Some((frame, rest)) = Frame::split_from(frames).unwrap() {
            streams.extend(frame.ends_stream().then_some(frame.stream));
            frames = rest;
        }
        streams
    }

    #[test]
    fn answers_each_stream_however_its_frames_come() {
        let answer = Answer::new();
        let mut connection = Connection::new(&mut Vec::new());
        let mut out = Vec::new();
        for byte in [get(1), get(3)].concat() {
            connection.take(&[byte], &answer, &mut out).unwrap();
        }
        assert_eq!(streams_ended(&out), [1, 3]);
    }

    #[test]
    fn an_answer_waits_for_the_connections_window() {
        let answer = Answer::new();
        let mut connection = Connection::new(&mut Vec::new());
        let fitting = WINDOW_AT_START / BODY_BYTES;
        let mut out = Vec::new();
        for number in 0..=fitting {
            connection.take(&get(2 * number + 1), &answer, &mut out).unwrap();
        }
        assert_eq!(streams_ended(&out).len(), fitting as usize);
        out.clear();
        let mut update = Vec::new();
        let payload = &1_u32.to_be_bytes();
        Frame { kind: kind::WINDOW_UPDATE, flags: 0, stream: 0, payload }.write_to(&mut update);
        connection.take(&update, &answer, &mut out).unwrap();
        assert_eq!(streams_ended(&out), [2 * fitting + 1]);
    }

    #[test]
    fn a_request_with_a_body_is_none_of_ours() {
        let mut connection = Connection::new(&mut Vec::new());
        let mut bytes = Vec::new();
        let flags = flag::END_HEADERS;
        Frame { kind: kind::HEADERS, flags, stream: 1, payload: &[] }.write_to(&mut bytes);
        assert!(connection.take(&bytes, &Answer::new(), &mut Vec::new()).is_err());
    }
}

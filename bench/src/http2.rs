//! As much of HTTP/2 (RFC 9113) as the rig's own client and upstream need: frames, and one GET on a
//! connection. Load comes from h2load.

use std::io::{self, ErrorKind, Read, Write};

/// What a client's connection begins with (§3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER_BYTES: usize = 9;
/// SETTINGS_MAX_FRAME_SIZE by default; nobody here allows more.
const PAYLOAD_BYTES_MAX: usize = 16_384;
/// Greatest size of a window (§6.9.1), and what a connection's is at its start.
const WINDOW_MAX: u32 = (1 << 31) - 1;
pub const WINDOW_AT_START: u32 = 65_535;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;
const STREAM: u32 = 1;
const READ_BYTES: usize = 64 << 10;

pub mod kind {
    //! Types of frames (§6).
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
}

pub mod flag {
    //! Flags of frames (§6).
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
}

/// A whole frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame in `bytes` and what follows it; none until it is whole.
    pub fn split_from(bytes: &'a [u8]) -> io::Result<Option<(Self, &'a [u8])>> {
        let Some((&[l2, l1, l0, kind, flags, s3, s2, s1, s0], rest)) =
            bytes.split_first_chunk::<FRAME_HEADER_BYTES>()
        else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let stream = u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]);
        let split = rest.split_at_checked(length);
        Ok(split.map(|(payload, rest)| (Self { kind, flags, stream, payload }, rest)))
    }

    /// Appends it to `out`. The payload is shorter than 2^24 bytes.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let [_, length @ ..] = (self.payload.len() as u32).to_be_bytes();
        out.extend_from_slice(&length);
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(self.payload);
    }

    /// The answer to a SETTINGS or PING frame, if it asks for one.
    pub fn acknowledgement(&self) -> Option<Self> {
        let payload = match self.kind {
            _ if self.flags & flag::ACK != 0 => return None,
            kind::SETTINGS => &[],
            kind::PING => self.payload,
            _ => return None,
        };
        Some(Self { flags: flag::ACK, payload, ..*self })
    }

    /// Is it the last of its stream?
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::DATA) && self.flags & flag::END_STREAM != 0
    }
}

/// A GET on a fresh connection and the body of its answer, which must be a 200.
pub fn exchange(
    stream: &mut (impl Read + Write),
    scheme: &str,
    host: &str,
    path: &str,
) -> io::Result<Vec<u8>> {
    stream.write_all(&opening(scheme, host, path))?;
    let (mut received, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    let mut body = Vec::new();
    loop {
        match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => received.extend_from_slice(&buffer[..length]),
        }
        let (mut rest, mut acknowledgements) = (&received[..], Vec::new());
        let mut is_whole = false;
        while let Some((frame, after)) = Frame::split_from(rest)? {
            rest = after;
            if let Some(answer) = frame.acknowledgement() {
                answer.write_to(&mut acknowledgements);
            }
            is_whole |= take(&frame, &mut body)?;
        }
        stream.write_all(&acknowledgements)?;
        if is_whole {
            return Ok(body);
        }
        let taken = received.len() - rest.len();
        received.drain(..taken);
    }
}

/// Preface, windows that never fill, and the request.
fn opening(scheme: &str, host: &str, path: &str) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    let settings =
        [&SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes()[..], &WINDOW_MAX.to_be_bytes()].concat();
    let window = (WINDOW_MAX - WINDOW_AT_START).to_be_bytes();
    // RFC 7541, appendix A: 2 is `:method: GET`, 6 and 7 are the schemes, 4 and 1 the names that follow.
    let mut fields = vec![0x82, if scheme == "https" { 0x87 } else { 0x86 }];
    literal(&mut fields, 4, path);
    literal(&mut fields, 1, host);
    let request = flag::END_HEADERS | flag::END_STREAM;
    for (kind, flags, stream, payload) in [
        (kind::SETTINGS, 0, 0, &settings[..]),
        (kind::WINDOW_UPDATE, 0, 0, &window),
        (kind::HEADERS, request, STREAM, &fields),
    ] {
        Frame { kind, flags, stream, payload }.write_to(&mut out);
    }
    out
}

/// A field without indexing, its name the `index`th of the static table (RFC 7541 §6.2.2); index and
/// length fit into the first byte of each.
pub fn literal(out: &mut Vec<u8>, index: u8, value: &str) {
    match index.checked_sub(0xf) {
        None => out.push(index),
        Some(more) => out.extend([0xf, more]),
    }
    out.push(value.len() as u8);
    out.extend_from_slice(value.as_bytes());
}

/// Takes what `frame` says of the answer; is that whole now?
fn take(frame: &Frame, body: &mut Vec<u8>) -> io::Result<bool> {
    if matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY) {
        return Err(ErrorKind::ConnectionReset.into());
    }
    if frame.stream != STREAM {
        return Ok(false);
    }
    match frame.kind {
        // The sides send neither padding nor header blocks in several frames.
        kind::HEADERS | kind::DATA if frame.flags & flag::PADDED != 0 => {
            return Err(ErrorKind::InvalidData.into());
        }
        kind::HEADERS if !begins_with_200(frame.payload) => {
            return Err(io::Error::other("did not answer with 200"));
        }
        kind::DATA => body.extend_from_slice(frame.payload),
        _ => {}
    }
    Ok(frame.ends_stream())
}

/// Is the first field `:status: 200`, the 8th of the static table? A change of the table's size may
/// stand before it (RFC 7541 §6.3).
fn begins_with_200(mut block: &[u8]) -> bool {
    while let [first, rest @ ..] = block
        && first & 0xe0 == 0x20
    {
        let more = rest.iter().take_while(|&&byte| byte & 0x80 != 0).count() + 1;
        block = if first & 0x1f == 0x1f { rest.get(more..).unwrap_or_default() } else { rest };
    }
    block.first() == Some(&0x88)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_with_its_last_byte() {
        let ping = Frame { kind: kind::PING, flags: 0, stream: 0, payload: b"12345678" };
        let mut bytes = Vec::new();
        ping.write_to(&mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(Frame::split_from(&bytes[..length]).unwrap(), None, "{length}");
        }
        bytes.push(7);
        assert_eq!(Frame::split_from(&bytes).unwrap(), Some((ping, &[7][..])));
        assert!(Frame::split_from(&[1, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
    }

    #[test]
    fn only_settings_and_pings_are_acknowledged_and_once() {
        let ping = Frame { kind: kind::PING, flags: 0, stream: 0, payload: b"12345678" };
        let answer = ping.acknowledgement().unwrap();
        assert_eq!(answer, Frame { flags: flag::ACK, ..ping });
        assert_eq!(answer.acknowledgement(), None);
        assert_eq!(Frame { kind: kind::DATA, ..ping }.acknowledgement(), None);
    }

    #[test]
    fn finds_the_status_behind_changes_of_the_table() {
        for block in [&[0x88][..], &[0x20, 0x88], &[0x3f, 0xe1, 0x1f, 0x20, 0x88, 0x5f]] {
            assert!(begins_with_200(block), "{block:x?}");
        }
        for block in [&[][..], &[0x8d], &[0x3f, 0xe1], &[0x20]] {
            assert!(!begins_with_200(block), "{block:x?}");
        }
    }
}

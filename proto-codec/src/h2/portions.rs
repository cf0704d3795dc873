//! How much of the input the `h2` crate is given at once.
//!
//! It reads on only once it has handled all whole frames that it has. So a frame of a field section is given to it
//! alone: where it fails then, it has failed over that one.

use std::ops::Range;

use super::field_block::is_wrongly_coded;
use super::frame_scanner::{HEADER_BYTES, PRIORITY_BYTES, flag, kind};
use crate::auto::PREFACE;

/// So many bodies are known that are coming; what is wrong in the trailers of others is told less finely.
const BODIES_MAX: usize = 256;

/// Where a client's connection is.
#[derive(Debug)]
pub(super) struct Portions {
    /// SETTINGS_HEADER_TABLE_SIZE that we have sent.
    table_bytes: u32,
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// Bytes until the next frame.
    left: usize,
    /// The last stream that was opened.
    last_stream: u32,
    /// The streams whose bodies are coming, so that trailers may; the newest ones.
    bodies: Vec<u32>,
    section: Section,
}

/// The field section that comes, or came last.
#[derive(Debug, Default)]
struct Section {
    stream: u32,
    /// It was no error to come: it opens its stream, or is behind a body.
    is_expected: bool,
    /// Its frames follow each other as they must, so far.
    is_sound: bool,
    /// CONTINUATION is to follow.
    goes_on: bool,
    /// The last thing that was given was the end of one of its frames.
    is_last: bool,
    /// Where the block lies in the input, if all of it is there in one piece.
    place: Option<Range<usize>>,
    /// The block as far as it has come, if not.
    gathered: Vec<u8>,
}

impl Portions {
    /// At the preface.
    pub(super) fn new(table_bytes: u32) -> Self {
        Self {
            table_bytes,
            header: [0; HEADER_BYTES],
            filled: 0,
            left: PREFACE.len(),
            last_stream: 0,
            bodies: Vec::new(),
            section: Section::default(),
        }
    }

    /// How much of `input` from `start` on is to be given next, which is then done.
    pub(super) fn next(&mut self, input: &[u8], start: usize) -> usize {
        let mut at = start;
        self.section.is_last = false;
        while at < input.len() {
            if self.left == 0 {
                // The type is the fourth byte.
                let begins_section =
                    self.filled == 0 && input.get(at + 3).is_some_and(|kind| is_of_section(*kind));
                if begins_section && at > start {
                    break;
                }
                let part = (HEADER_BYTES - self.filled).min(input.len() - at);
                self.header[self.filled..self.filled + part].copy_from_slice(&input[at..at + part]);
                (self.filled, at) = (self.filled + part, at + part);
                if self.filled < HEADER_BYTES {
                    break;
                }
                self.filled = 0;
                self.begin_frame();
            }
            let payload = at..input.len().min(at + self.left);
            at = payload.end;
            self.left -= payload.len();
            if is_of_section(self.header[3]) {
                self.note_payload(input, payload);
                if self.left == 0 {
                    break;
                }
            }
        }
        at - start
    }

    /// We have reset `stream`.
    pub(super) fn note_reset(&mut self, stream: u32) {
        self.bodies.retain(|one| *one != stream);
    }

    /// The input becomes another one.
    pub(super) fn forget_input(&mut self) {
        self.section.is_last = false;
    }

    /// A frame's header is whole.
    fn begin_frame(&mut self) {
        let [high, middle, low, kind, flags, s3, s2, s1, s0] = self.header;
        self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
        let stream = u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]);
        match kind {
            kind::HEADERS => {
                let opens = stream > self.last_stream && stream % 2 == 1;
                let is_expected = opens || self.bodies.contains(&stream);
                let is_sound = !self.section.goes_on && stream != 0;
                self.section = Section { stream, is_expected, is_sound, ..Section::default() };
                self.last_stream = self.last_stream.max(stream);
                if opens {
                    // The crate takes no notice of streams behind a GOAWAY, of which there may be any number.
                    if self.bodies.len() == BODIES_MAX {
                        self.bodies.remove(0);
                    }
                    self.bodies.push(stream);
                }
            }
            kind::CONTINUATION => {
                let section = &mut self.section;
                section.is_sound &= section.goes_on && section.stream == stream;
            }
            _ => {}
        }
        if is_of_section(kind) {
            self.section.goes_on = flags & flag::END_HEADERS == 0;
        }
        let ends = matches!(kind, kind::HEADERS | kind::DATA) && flags & flag::END_STREAM != 0;
        if ends || kind == kind::RST_STREAM {
            self.bodies.retain(|one| *one != stream);
        }
    }

    /// Some of the payload of a section's frame has come, or all of it.
    fn note_payload(&mut self, input: &[u8], part: Range<usize>) {
        let [high, middle, low, kind, flags, ..] = self.header;
        let is_whole = part.len() == u32::from_be_bytes([0, high, middle, low]) as usize;
        let (ends, is_first) = (self.left == 0, kind == kind::HEADERS);
        let section = &mut self.section;
        section.is_last = ends;
        if is_whole && is_first && !section.goes_on {
            let block = block_of(&input[part.clone()], flags);
            section.is_sound &= block.is_some();
            section.place = block.map(|block| part.start + block.start..part.start + block.end);
            return;
        }
        section.gathered.extend_from_slice(&input[part]);
        if ends && is_first {
            let block = block_of(&section.gathered, flags);
            section.is_sound &= block.is_some();
            section.gathered = section.gathered[block.unwrap_or_default()].to_vec();
        }
    }

    /// Whether the crate, where it has failed now, can only have done so over the coding of a field block, which
    /// lies in `input` where it was not gathered.
    pub(super) fn has_wrong_coding(&self, input: &[u8]) -> bool {
        let Section { is_expected, is_sound, is_last, place, gathered, .. } = &self.section;
        let block = match place {
            Some(place) => input.get(place.clone()),
            None => Some(&gathered[..]),
        };
        let is_wrong = |block| is_wrongly_coded(block, *is_expected, self.table_bytes);
        *is_sound && *is_last && block.is_some_and(is_wrong)
    }
}

fn is_of_section(kind: u8) -> bool {
    matches!(kind, kind::HEADERS | kind::CONTINUATION)
}

/// Where in the payload of HEADERS the field block lies; `None` where there is more padding than payload.
fn block_of(payload: &[u8], flags: u8) -> Option<Range<usize>> {
    let has_padding = flags & flag::PADDED != 0;
    let padding = if has_padding { usize::from(*payload.first()?) } else { 0 };
    let priority = if flags & flag::PRIORITY != 0 { PRIORITY_BYTES } else { 0 };
    let start = usize::from(has_padding) + priority;
    let end = payload.len().checked_sub(padding)?;
    (start <= end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("a short payload");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// What is given at once of these pieces of input, and what is known behind each.
    fn given(pieces: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut portions = Portions::new(4096);
        let mut given = Vec::new();
        for piece in pieces {
            let mut start = 0;
            while start < piece.len() {
                let count = portions.next(piece, start);
                let portion = piece[start..start + count].to_vec();
                given.push((portion, portions.has_wrong_coding(piece)));
                start += count;
            }
        }
        given
    }

    #[test]
    fn frames_of_sections_are_given_alone() {
        let data = frame(kind::DATA, 0, 1, b"xy");
        let get = frame(kind::HEADERS, 5, 1, b"\x82");
        let wrong = frame(kind::HEADERS, 5, 3, b"\x80");
        let begun = frame(kind::HEADERS, 1, 5, b"\x82");
        let end = frame(kind::CONTINUATION, 4, 5, b"\x80");
        let pings = frame(kind::PING, 0, 0, b"12345678").repeat(2);
        let input =
            [&PREFACE[..], &pings, &get, &data, &data, &wrong, &begun, &end, &pings].concat();
        let expected = [
            ([&PREFACE[..], &pings].concat(), false),
            (get, false),
            (data.repeat(2), false),
            (wrong, true),
            (begun, false),
            (end, true),
            (pings, false),
        ];
        assert_eq!(given(&[&input]), expected);
    }

    #[test]
    fn a_block_is_known_at_every_split() {
        let before = [&PREFACE[..], &frame(kind::PING, 0, 0, b"12345678")].concat();
        // An index of none; padding of two bytes, and a priority.
        let whole = frame(kind::HEADERS, 0x2d, 1, b"\x02\0\0\0\0\0\x82\x80\0\0");
        let begun = frame(kind::HEADERS, 0x29, 1, b"\x02\0\0\0\0\0\x82\0\0");
        let parts = [&begun[..], &frame(kind::CONTINUATION, 4, 1, b"\x80")].concat();
        for section in [whole, parts] {
            let input = [&before[..], &section].concat();
            for split in 0..=input.len() {
                let given = given(&[&input[..split], &input[split..]]);
                let (last, rest) = given.split_last().expect("something is given");
                assert!(last.1, "split at {split}");
                assert!(rest.iter().all(|(_, is_wrong)| !is_wrong), "split at {split}");
                let all: Vec<u8> = given.iter().flat_map(|(portion, _)| portion.clone()).collect();
                assert_eq!(all, input);
            }
        }
    }

    #[test]
    fn trailers_are_expected_behind_a_body_of_a_stream_that_we_have_not_reset() {
        let begins = frame(kind::HEADERS, 4, 1, b"\x82");
        let begun = [&PREFACE[..], &begins, &frame(kind::DATA, 0, 1, b"x")].concat();
        let trailers = frame(kind::HEADERS, 5, 1, b"\xbe");
        for we_reset in [false, true] {
            let mut portions = Portions::new(4096);
            let mut start = 0;
            while start < begun.len() {
                start += portions.next(&begun, start);
            }
            if we_reset {
                portions.note_reset(1);
            }
            assert_eq!(portions.next(&trailers, 0), trailers.len());
            assert_eq!(portions.has_wrong_coding(&trailers), !we_reset);
        }
    }

    #[test]
    fn what_is_wrong_with_frames_is_no_error_of_coding() {
        let wrong = frame(kind::HEADERS, 5, 1, b"\x80");
        let begun = frame(kind::HEADERS, 1, 1, b"\x82");
        let goes_on = |stream| frame(kind::CONTINUATION, 4, stream, b"\x80");
        let begins = frame(kind::HEADERS, 4, 1, b"\x82");
        let trailers = frame(kind::HEADERS, 5, 1, b"\xbe");
        for frames in [
            frame(kind::HEADERS, 5, 0, b"\x80"),
            frame(kind::HEADERS, 0xd, 1, b"\x03\x80"),
            goes_on(1),
            [&begun[..], &goes_on(3)].concat(),
            [&begun[..], &wrong].concat(),
            [&wrong[..], &frame(kind::PING, 0, 0, b"12345678")].concat(),
            // Its stream has ended.
            [&frame(kind::HEADERS, 5, 1, b"\x82")[..], &trailers].concat(),
            [&begins[..], &frame(kind::DATA, flag::END_STREAM, 1, b"x"), &trailers].concat(),
            [&begins[..], &frame(kind::RST_STREAM, 0, 1, b"\0\0\0\x08"), &trailers].concat(),
            frame(kind::HEADERS, 5, 2, b"\xbe"),
        ] {
            let (last, is_wrong) =
                given(&[&PREFACE[..], &frames]).pop().expect("something is given");
            assert!(!is_wrong, "{}", last.escape_ascii());
        }
    }
}

//! Limits on frames that cost a peer nothing to send and us something to read, and faults of frames.
//!
//! The `h2` crate exposes no counts of frames, so the task that owns the socket shows the guard all
//! bytes in both directions. The limits and what they count are Envoy's.

use super::frame_fault::{FrameFault, SettingsReader, has_wrong_size};
use super::frame_scanner::{CODE_BYTES, FrameHeader, FrameScanner, flag, kind};
use super::stream_meter::StreamMeter;

/// Envoy's limits, from `http2_protocol_options`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// `max_consecutive_inbound_frames_with_empty_payload`: DATA, HEADERS and CONTINUATION without
    /// payload that do not end their stream.
    pub consecutive_empty_frames_max: u32,
    /// `max_inbound_priority_frames_per_stream`, counted over the connection.
    pub priority_frames_per_stream_max: u32,
    /// `max_inbound_window_update_frames_per_data_frame_sent`, counted over the connection.
    pub window_updates_per_data_frame_max: u32,
    /// `max_outbound_control_frames`: answers to PING and SETTINGS that the client has not taken yet.
    pub outbound_control_frames_max: u32,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Frames without payload.
    EmptyFrames,
    /// PRIORITY.
    PriorityFrames,
    /// WINDOW_UPDATE.
    WindowUpdates,
    /// Answers that wait to be sent.
    ControlFrames,
}

/// Why a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// There was too much of something.
    Flood(Flood),
    /// A frame is none.
    Frame(FrameFault),
}

/// What came is not to be handled, or no more behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub breach: Breach,
    /// How many of the bytes that were looked at are to be handled all the same: all where there was too much
    /// of something, those before the end of its frame where that is none.
    pub usable: usize,
}

/// What of frames that are sent is worth a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentFrames {
    /// RST_STREAM.
    pub resets: u64,
    /// Of these, such with REFUSED_STREAM.
    pub refusals: u64,
    /// GOAWAY that ends a drain: neither the notice before it nor the one of an error.
    pub last_goaways: u64,
    /// How many bytes before the end of what was looked at the code of a GOAWAY with PROTOCOL_ERROR begins.
    pub protocol_error: Option<usize>,
}

/// What is on its way to one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A field section.
    Fields(u32),
    /// RST_STREAM.
    Reset(u32),
}

/// What has gone over one connection of a client.
#[derive(Debug)]
pub struct FloodGuard {
    limits: FloodLimits,
    received: FrameScanner,
    settings: SettingsReader,
    sent: FrameScanner,
    counts: Counts,
    /// Bytes by stream, where logs ask for them.
    meter: Option<StreamMeter>,
}

#[derive(Debug, Default)]
struct Counts {
    streams: u64,
    empty_in_a_row: u32,
    priorities: u64,
    window_updates: u64,
    data_sent: u64,
    /// Frames that have come to be answered and whose answer has not left.
    unanswered: u64,
    /// Of these, such whose answer is to be sent.
    answered: u64,
    /// The last frame is one of a field section.
    in_fields: bool,
    /// The field section goes on in another frame.
    fields_go_on: bool,
}

/// Codes of RFC 9113 §7.
const NO_ERROR: u32 = 0x0;
const PROTOCOL_ERROR: u32 = 0x1;
const REFUSED_STREAM: u32 = 0x7;
/// The last stream of a GOAWAY that only gives notice (RFC 9113 §6.8).
const STREAM_MAX: u32 = (1 << 31) - 1;

impl FloodGuard {
    /// A guard of a connection that begins with the client's preface. Where it `meters`, it counts bytes by
    /// stream.
    pub fn of_client(limits: FloodLimits, meters: bool) -> Self {
        Self {
            limits,
            received: FrameScanner::at_preface(),
            settings: SettingsReader::default(),
            sent: FrameScanner::at_frame(),
            counts: Counts::default(),
            meter: meters.then(StreamMeter::default),
        }
    }

    /// The bytes by stream, where they are counted.
    pub fn meter(&mut self) -> Option<&mut StreamMeter> {
        self.meter.as_mut()
    }

    /// Looks at what has come. Not to be called again once it has failed.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Self { limits, received, settings, counts, meter, .. } = self;
        settings.read(bytes).map_err(|at| FrameFault::WindowSize.behind(at))?;
        received.scan(bytes, |header, rest| {
            let at = bytes.len() - rest.len();
            if has_wrong_size(header) {
                return Err(FrameFault::Size.behind(at));
            }
            settings.begin(header);
            settings.read(rest).map_err(|more| FrameFault::WindowSize.behind(at + more))?;
            if let Some(meter) = meter {
                meter.receive(header, true);
            }
            let counted = counts.receive(header, limits);
            counted.map_err(|it| Refusal { breach: Breach::Flood(it), usable: bytes.len() })
        })
    }

    /// Whether a field section has begun and not come to its end (RFC 9113 §4.3).
    pub fn is_within_fields(&self) -> bool {
        self.counts.in_fields && (self.counts.fields_go_on || self.received.is_within_frame())
    }

    /// Looks at what is to be sent. Tells `note` what happens to streams.
    pub fn send(&mut self, bytes: &[u8], mut note: impl FnMut(Sent)) -> SentFrames {
        let Self { sent, counts, meter, .. } = self;
        let mut frames = SentFrames::default();
        sent.for_each(bytes, |header, rest| {
            if let Some(meter) = meter {
                meter.send(header);
            }
            match header.kind {
                kind::DATA => counts.data_sent += 1,
                kind::HEADERS => note(Sent::Fields(header.stream)),
                kind::RST_STREAM => {
                    note(Sent::Reset(header.stream));
                    frames.resets += 1;
                    frames.refusals += u64::from(header.code == Some(REFUSED_STREAM));
                }
                kind::GOAWAY => {
                    frames.last_goaways += u64::from(ends_drain(header));
                    if header.code == Some(PROTOCOL_ERROR) {
                        frames.protocol_error = Some(rest.len() + CODE_BYTES);
                    }
                }
                _ => counts.answered += u64::from(is_answer(header)),
            }
        });
        frames
    }

    /// All that was to be sent has left: answers among it wait no longer.
    pub fn note_sent(&mut self) {
        let Counts { unanswered, answered, .. } = &mut self.counts;
        *unanswered = unanswered.saturating_sub(std::mem::take(answered));
    }
}

impl FrameFault {
    /// It was found in the first `at` bytes. Without the last of them their frame is not whole, and not handled.
    fn behind(self, at: usize) -> Refusal {
        Refusal { breach: Breach::Frame(self), usable: at - 1 }
    }
}

impl Counts {
    fn receive(&mut self, header: FrameHeader, limits: &FloodLimits) -> Result<(), Flood> {
        self.in_fields = matches!(header.kind, kind::HEADERS | kind::CONTINUATION);
        self.fields_go_on = self.in_fields && header.flags & flag::END_HEADERS == 0;
        match header.kind {
            kind::DATA | kind::HEADERS | kind::CONTINUATION => {
                self.streams += u64::from(header.kind == kind::HEADERS);
                self.note_payload(header, limits)
            }
            kind::PRIORITY => {
                self.priorities += 1;
                let per_stream = u64::from(limits.priority_frames_per_stream_max);
                within(self.priorities, per_stream * (1 + self.streams), Flood::PriorityFrames)
            }
            kind::WINDOW_UPDATE => {
                self.window_updates += 1;
                let per_data = u64::from(limits.window_updates_per_data_frame_max);
                // Envoy's: a few for the connection, two for each stream.
                let max = 5 + 2 * (self.streams + per_data * self.data_sent);
                within(self.window_updates, max, Flood::WindowUpdates)
            }
            kind::SETTINGS | kind::PING if !is_answer(header) => {
                self.unanswered += 1;
                let max = u64::from(limits.outbound_control_frames_max);
                within(self.unanswered, max, Flood::ControlFrames)
            }
            _ => Ok(()),
        }
    }

    fn note_payload(&mut self, header: FrameHeader, limits: &FloodLimits) -> Result<(), Flood> {
        // A frame of nothing but padding is as good as an empty one; its padding is not looked at,
        // as Envoy's limit is for frames of no length.
        let ends = header.kind != kind::CONTINUATION && header.flags & flag::END_STREAM != 0;
        let is_empty = header.length == u32::from(header.flags & flag::PADDED != 0);
        if !is_empty || ends {
            self.empty_in_a_row = 0;
            return Ok(());
        }
        self.empty_in_a_row += 1;
        let max = u64::from(limits.consecutive_empty_frames_max);
        within(self.empty_in_a_row.into(), max, Flood::EmptyFrames)
    }
}

/// Whether a frame answers SETTINGS or PING.
fn is_answer(header: FrameHeader) -> bool {
    matches!(header.kind, kind::SETTINGS | kind::PING) && header.flags & flag::ACK != 0
}

/// Whether a GOAWAY says which streams were the last of a connection that ends in peace.
fn ends_drain(header: FrameHeader) -> bool {
    header.code == Some(NO_ERROR) && header.last_stream != STREAM_MAX
}

fn within(count: u64, max: u64, flood: Flood) -> Result<(), Flood> {
    if count > max { Err(flood) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FloodLimits = FloodLimits {
        consecutive_empty_frames_max: 1,
        priority_frames_per_stream_max: 2,
        window_updates_per_data_frame_max: 1,
        outbound_control_frames_max: 2,
    };

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("a short payload");
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn flood(flood: Flood, usable: usize) -> Result<(), Refusal> {
        Err(Refusal { breach: Breach::Flood(flood), usable })
    }

    fn guard() -> FloodGuard {
        let mut guard = FloodGuard::of_client(LIMITS, false);
        assert_eq!(guard.receive(crate::auto::PREFACE), Ok(()));
        guard
    }

    #[test]
    fn empty_frames_may_come_once_in_a_row() {
        let empty = frame(kind::DATA, 0, b"");
        let mut guard = guard();
        assert_eq!(guard.receive(&empty), Ok(()));
        assert_eq!(guard.receive(&frame(kind::DATA, 0, b"x")), Ok(()));
        assert_eq!(guard.receive(&empty), Ok(()));
        assert_eq!(guard.receive(&frame(kind::CONTINUATION, 4, b"")), flood(Flood::EmptyFrames, 9));
    }

    #[test]
    fn an_empty_frame_that_ends_its_stream_is_none() {
        let mut guard = guard();
        for _ in 0..10 {
            assert_eq!(guard.receive(&frame(kind::DATA, flag::END_STREAM, b"")), Ok(()));
        }
    }

    #[test]
    fn a_field_section_lasts_until_the_end_of_its_last_frame() {
        let mut guard = guard();
        let parts: [(&[u8], bool); 5] = [
            (b"\0\0\x02\x01\0\0\0\0\x01a", true),
            (b"b", true),
            (b"\0\0\x02\x09\x04\0\0\0\x01", true),
            (b"c", true),
            (b"d", false),
        ];
        for (part, within) in parts {
            assert_eq!(guard.receive(part), Ok(()));
            assert_eq!(guard.is_within_fields(), within, "{}", part.escape_ascii());
        }
        assert_eq!(guard.receive(&frame(kind::DATA, 0, b"x")[..9]), Ok(()));
        assert!(!guard.is_within_fields());
    }

    #[test]
    fn what_is_before_a_frame_that_is_none_is_usable() {
        let before = frame(kind::HEADERS, 5, b"x");
        let settings = |flags, payload: &[u8]| frame(kind::SETTINGS, flags, payload);
        let window = settings(0, b"\0\x03\0\0\0\x01\0\x04\x80\0\0\0\0\x05\0\0\x40\0");
        let faults = [
            (frame(kind::DATA, flag::PADDED, b""), FrameFault::Size, 8),
            (
                frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, b"\0\0\0\0\0"),
                FrameFault::Size,
                8,
            ),
            (frame(kind::PRIORITY, 0, b"\0\0\0\0"), FrameFault::Size, 8),
            (frame(kind::RST_STREAM, 0, b"\0\0\0"), FrameFault::Size, 8),
            (settings(flag::ACK, b"\0\x04\0\0\0\0"), FrameFault::Size, 8),
            (settings(0, b"\0\x04\0\0\0"), FrameFault::Size, 8),
            (frame(kind::PING, 0, b"1234567"), FrameFault::Size, 8),
            (frame(kind::GOAWAY, 0, b"1234567"), FrameFault::Size, 8),
            (frame(kind::WINDOW_UPDATE, 0, b"12345"), FrameFault::Size, 8),
            (window, FrameFault::WindowSize, 9 + 11),
        ];
        for (faulty, fault, usable) in faults {
            let bytes = [&before[..], &faulty, &before].concat();
            let usable = before.len() + usable;
            for split in 0..=usable {
                let mut guard = guard();
                assert_eq!(guard.receive(&bytes[..split]), Ok(()), "{fault:?} at {split}");
                let refusal = Refusal { breach: Breach::Frame(fault), usable: usable - split };
                assert_eq!(guard.receive(&bytes[split..]), Err(refusal), "{bytes:?} at {split}");
            }
        }
    }

    #[test]
    fn frames_of_the_least_and_right_sizes_are_good() {
        let largest = b"\0\x04\x7f\xff\xff\xff\0\x05\xff\xff\xff\xff";
        let good = [
            frame(kind::DATA, flag::PADDED, b"\0"),
            frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, b"\0\0\0\0\0\0"),
            frame(kind::GOAWAY, 0, b"12345678"),
            frame(kind::SETTINGS, 0, largest),
            frame(0x20, 0, b"\0\x04\xff\xff\xff\xff"),
        ];
        assert_eq!(guard().receive(&good.concat()), Ok(()));
    }

    #[test]
    fn priorities_are_counted_against_streams() {
        let priority = frame(kind::PRIORITY, 0, b"\0\0\0\0\0");
        let mut guard = guard();
        assert_eq!(guard.receive(&frame(kind::HEADERS, 5, b"x")), Ok(()));
        for _ in 0..4 {
            assert_eq!(guard.receive(&priority), Ok(()));
        }
        assert_eq!(guard.receive(&priority), flood(Flood::PriorityFrames, priority.len()));
    }

    #[test]
    fn answers_are_counted_until_they_have_left() {
        let mut guard = guard();
        let (ping, settings) = (frame(kind::PING, 0, b"12345678"), frame(kind::SETTINGS, 0, b""));
        let answers =
            [frame(kind::PING, flag::ACK, b"12345678"), frame(kind::SETTINGS, flag::ACK, b"")]
                .concat();
        let send = |guard: &mut FloodGuard, bytes: &[u8]| {
            assert_eq!(guard.send(bytes, |_| unreachable!()), SentFrames::default());
        };
        for _ in 0..3 {
            assert_eq!(guard.receive(&[&ping[..], &settings].concat()), Ok(()));
            // A body is on its way before and behind them.
            let data = frame(kind::DATA, 0, b"y");
            send(&mut guard, &[&data[..], &answers, &data[..4]].concat());
            guard.note_sent();
            send(&mut guard, &data[4..]);
            guard.note_sent();
        }
        assert_eq!(guard.receive(&answers.repeat(9)), Ok(()));
        // What we ask ourselves is no answer.
        send(&mut guard, &ping.repeat(2));
        guard.note_sent();
        assert_eq!(guard.receive(&ping.repeat(2)), Ok(()));
        // Nor has an answer left that is to be sent.
        send(&mut guard, &answers);
        assert_eq!(guard.receive(&ping), flood(Flood::ControlFrames, ping.len()));
    }

    #[test]
    fn what_is_sent_is_counted() {
        let reset = |code| frame(kind::RST_STREAM, 0, &[0, 0, 0, code]);
        let goaway =
            |last: [u8; 4], code| frame(kind::GOAWAY, 0, &[&last[..], &[0, 0, 0, code]].concat());
        let notice = goaway([0x7f, 0xff, 0xff, 0xff], 0);
        let sent = [reset(7), reset(8), notice, goaway([0, 0, 0, 5], 0), reset(7)].concat();
        let mut guard = guard();
        let mut resets = 0;
        let seen = guard.send(&sent, |sent| resets += u64::from(sent == Sent::Reset(1)));
        assert_eq!(resets, 3);
        let expected = SentFrames { resets: 3, refusals: 2, last_goaways: 1, protocol_error: None };
        assert_eq!(seen, expected);
        let failed = [&goaway([0; 4], 1)[..], &reset(8)].concat();
        let seen = guard.send(&failed, |_| {});
        let place = seen.protocol_error.expect("its place");
        assert_eq!(failed[failed.len() - place..][..4], [0, 0, 0, 1]);
    }

    #[test]
    fn window_updates_are_counted_against_data_sent() {
        let update = frame(kind::WINDOW_UPDATE, 0, b"\0\0\0\x01");
        let mut guard = guard();
        let sent = [frame(kind::DATA, 0, b"x"), frame(kind::HEADERS, 4, b"y")].concat();
        let mut noted = Vec::new();
        guard.send(&sent, |sent| noted.push(sent));
        assert_eq!(noted, [Sent::Fields(1)]);
        for _ in 0..7 {
            assert_eq!(guard.receive(&update), Ok(()));
        }
        assert_eq!(guard.receive(&update), flood(Flood::WindowUpdates, update.len()));
    }
}

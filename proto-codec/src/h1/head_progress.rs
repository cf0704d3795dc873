//! Finds the end of a head that arrives in pieces, looking at every byte once. Lines end with CRLF:
//! a recipient MAY take a bare LF (RFC 9112 §2.2), but one that does and one that does not see
//! different messages.

use std::ops::Range;

use memchr::memchr;

use crate::limits::{FIELDS_MAX, HeadLimits};

/// How far a head was looked at. One for each head: make a new one for the next.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadProgress {
    scanned: usize,
    line_start: usize,
    head_start: usize,
    lines: u32,
}

/// Why a head cannot become a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadFault {
    Malformed,
    TooLarge,
    TooManyFields,
}

impl HeadProgress {
    /// Where the head stands in `bytes`, once it is complete. `bytes` begins where it began at the
    /// last call and may have grown.
    pub(super) fn find_head(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<Range<usize>>, HeadFault> {
        while let Some(at) = memchr(b'\n', &bytes[self.scanned..]) {
            let line = self.line_start..self.scanned + at;
            self.scanned = line.end + 1;
            self.line_start = self.scanned;
            self.check_size(limits)?;
            let text = bytes[line].strip_suffix(b"\r").ok_or(HeadFault::Malformed)?;
            if !text.is_empty() {
                self.count_line(limits)?;
            } else if self.lines > 0 {
                return Ok(Some(self.head_start..self.scanned));
            } else {
                self.skip_empty_line()?;
            }
        }
        self.scanned = bytes.len();
        self.check_size(limits)?;
        Ok(None)
    }

    /// How many bytes were looked at: once the head is complete, those up to its end.
    pub fn head_end(&self) -> usize {
        self.scanned
    }

    /// `bytes` behind an empty line before the start line.
    pub(super) fn without_empty_line<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.head_start..]
    }

    /// Whether an empty line came before the start line.
    pub(super) fn skipped_empty_line(&self) -> bool {
        self.head_start > 0
    }

    /// Field lines seen.
    pub(super) fn fields(&self) -> usize {
        self.lines.saturating_sub(1) as usize
    }

    fn check_size(&self, limits: &HeadLimits) -> Result<(), HeadFault> {
        let size = self.scanned - self.head_start;
        if size > limits.bytes_max as usize { Err(HeadFault::TooLarge) } else { Ok(()) }
    }

    fn count_line(&mut self, limits: &HeadLimits) -> Result<(), HeadFault> {
        self.lines += 1;
        let fields = self.lines - 1;
        if fields > limits.headers_max.min(FIELDS_MAX) {
            return Err(HeadFault::TooManyFields);
        }
        Ok(())
    }

    /// RFC 9112 §2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore
    /// at least one empty line (CRLF) received prior to the request-line". One, not more.
    fn skip_empty_line(&mut self) -> Result<(), HeadFault> {
        if self.head_start > 0 {
            return Err(HeadFault::Malformed);
        }
        self.head_start = self.scanned;
        Ok(())
    }
}

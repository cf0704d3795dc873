//! The upstream's HTTP/1: `/bytes/N` is answered with N bytes, `/connections` with the number of
//! connections accepted so far.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use memchr::memmem;

use super::Canned;
use crate::answers;

/// Longest request head; the proxies send less than 1 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Where a connection is in its request.
#[derive(Default)]
pub struct Connection {
    /// What has come of a request head; keeps its room from one request to the next.
    head: Vec<u8>,
    /// Bytes of the current request's body that are still to come.
    body_bytes_left: usize,
    /// The answer to the current request, once its head is read.
    after_body: Option<Rc<[u8]>>,
}

impl Connection {
    /// Takes bytes of one request; with the last one comes the answer.
    pub fn take(&mut self, bytes: &[u8], canned: &mut Canned) -> io::Result<Option<Rc<[u8]>>> {
        if self.after_body.is_some() {
            return self.take_body(bytes.len());
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
            return if self.head.len() <= HEAD_BYTES_MAX {
                Ok(None)
            } else {
                Err(ErrorKind::InvalidData.into())
            };
        };
        let (head, body) = self.head.split_at(end + 4);
        let body_bytes_here = body.len();
        self.body_bytes_left = body_bytes(head)?;
        self.after_body = Some(answer(head, canned).ok_or(ErrorKind::InvalidData)?);
        self.head.clear();
        self.take_body(body_bytes_here)
    }

    /// Counts body bytes; after the last one the answer is due. None of the sides pipelines, so more
    /// bytes than that are an error.
    fn take_body(&mut self, length: usize) -> io::Result<Option<Rc<[u8]>>> {
        self.body_bytes_left =
            self.body_bytes_left.checked_sub(length).ok_or(ErrorKind::InvalidData)?;
        Ok(self.after_body.take_if(|_| self.body_bytes_left == 0))
    }
}

fn answer(head: &[u8], canned: &mut Canned) -> Option<Rc<[u8]>> {
    let target = head.split(|&byte| byte == b' ').nth(1)?;
    if target == b"/connections" {
        return Some(answers::whole(canned.accepted.to_string().as_bytes()));
    }
    canned.http1.to(target)
}

/// The `content-length` of a POST; no other method of the load has a body. Chunked bodies do not
/// occur: every side forwards the length that the load sends.
fn body_bytes(head: &[u8]) -> io::Result<usize> {
    if !head.starts_with(b"POST ") {
        return Ok(0);
    }
    let text = std::str::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(|| ErrorKind::InvalidData.into())
}

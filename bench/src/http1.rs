//! HTTP/1.1 as the rig's own clients speak it: one request at a time, an answer with its length.

use std::io::{self, ErrorKind, Read, Write};

use memchr::memmem;

const READ_BYTES: usize = 64 << 10;
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A request and the body of its answer, which must be a 200: a GET, or a POST of `body_bytes` if there
/// are any.
pub fn exchange(
    stream: &mut (impl Read + Write),
    host: &str,
    path: &str,
    body_bytes: usize,
) -> io::Result<Vec<u8>> {
    let start = if body_bytes == 0 { "GET" } else { "POST" };
    let length =
        if body_bytes == 0 { String::new() } else { format!("Content-Length: {body_bytes}\r\n") };
    let head = format!("{start} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n");
    stream.write_all(&[head.as_bytes(), &vec![b'x'; body_bytes]].concat())?;
    let (mut received, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        if let Some(body) = body_of_whole(&received)? {
            return Ok(body.to_vec());
        }
        match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => received.extend_from_slice(&buffer[..length]),
        }
    }
}

/// The body of the answer in `received` if its last byte is there. Another answer than a 200 is an
/// error, and so are bytes after it.
pub fn body_of_whole(received: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some(head_end) = memmem::find(received, b"\r\n\r\n") else {
        let is_head = received.len() <= HEAD_BYTES_MAX;
        return if is_head { Ok(None) } else { Err(ErrorKind::InvalidData.into()) };
    };
    let head = std::str::from_utf8(&received[..head_end]).map_err(io::Error::other)?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("answered `{status}`")));
    }
    let length = content_length(head).ok_or(ErrorKind::InvalidData)?;
    let body = &received[head_end + 4..];
    if body.len() > length {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok((body.len() == length).then_some(body))
}

/// The length that `head` announces.
fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        for length in 0..answer.len() {
            assert_eq!(body_of_whole(&answer[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(body_of_whole(answer).unwrap(), Some(&b"ab"[..]));
        assert!(body_of_whole(&[&answer[..], b"c"].concat()).is_err());
    }

    #[test]
    fn an_answer_that_is_no_200_is_told() {
        let error = body_of_whole(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        assert_eq!(error.to_string(), "answered `HTTP/1.1 503 No`");
    }
}

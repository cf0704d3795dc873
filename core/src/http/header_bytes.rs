//! Bytes of header lines as Envoy counts them (`%DOWNSTREAM_HEADER_BYTES_RECEIVED%` and its like).

use ringmain_proto_codec::HeaderMap;

/// Of a head as it came: names, values and three bytes for each line; the space behind the colon
/// does not count, nor does the first line.
pub fn received(head: &[u8]) -> u64 {
    let lines = head.split(|byte| *byte == b'\n').skip_while(|line| line.trim_ascii().is_empty());
    lines.skip(1).filter_map(line_bytes).sum()
}

fn line_bytes(line: &[u8]) -> Option<u64> {
    let colon = memchr::memchr(b':', line)?;
    let value = line[colon + 1..].trim_ascii();
    Some((colon + value.len()) as u64 + 3)
}

/// The same of a head that has been read.
pub fn received_fields(headers: &HeaderMap) -> u64 {
    headers.fields().map(|field| (field.name.len() + field.value.len()) as u64 + 3).sum()
}

/// Of a message that begins with a head, as it is sent: all its field lines.
pub fn sent(message: &[u8]) -> u64 {
    let first = memchr::memchr(b'\n', message).map_or(0, |end| end + 1);
    let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(first, |end| end + 2);
    end.saturating_sub(first) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_without_the_first_and_the_last() {
        let head = b"GET / HTTP/1.1\r\nhost:   h.example\r\nuser-agent: me\r\n\r\n";
        assert_eq!(received(head), 16 + 15);
        assert_eq!(sent(b"HTTP/1.1 200 OK\r\na: b\r\nc: d\r\n\r\nbody\r\n\r\n"), 12);
        assert_eq!(sent(b"HTTP/1.1 200 OK\r\n\r\n"), 0);
    }
}

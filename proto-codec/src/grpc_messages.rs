//! How many messages a body of gRPC has, however it is cut: each begins with a flag and its length in
//! four bytes (`Length-Prefixed-Message` of gRPC over HTTP/2).

/// Bytes in front of each message.
const PREFIX_BYTES: usize = 5;

/// Where in a body the bytes so far have led to. What is no gRPC is counted as if it were.
#[derive(Debug, Default)]
pub struct MessageCounter {
    prefix: [u8; PREFIX_BYTES],
    filled: usize,
    /// Bytes of the message that are still to come.
    left: usize,
    count: u64,
}

impl MessageCounter {
    /// Messages that have begun.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Looks at more of the body: how many messages begin in it.
    pub fn push(&mut self, mut bytes: &[u8]) -> u64 {
        let before = self.count;
        loop {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let Some((first, rest)) = bytes.split_first() else { return self.count - before };
            self.count += u64::from(self.filled == 0);
            self.prefix[self.filled] = *first;
            self.filled += 1;
            bytes = rest;
            if self.filled == PREFIX_BYTES {
                let [_flag, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
                self.filled = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_at_every_split() {
        let body = b"\0\0\0\0\x02ab\x01\0\0\0\0\0\0\0\0\x01c\0";
        for split in 0..=body.len() {
            let mut counter = MessageCounter::default();
            let begun = counter.push(&body[..split]) + counter.push(&body[split..]);
            assert_eq!((begun, counter.count()), (4, 4), "split at {split}");
        }
    }

    #[test]
    fn a_message_is_counted_when_it_begins() {
        let mut counter = MessageCounter::default();
        let counts = [&b"\0"[..], b"\0\0\0\x01", b"", b"a", b"\0"].map(|part| counter.push(part));
        assert_eq!(counts, [1, 0, 0, 0, 1]);
    }
}

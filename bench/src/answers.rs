//! The upstream's answers: `/bytes/N` is N bytes of a pattern in which no two places nearby look
//! alike, so that a proxy that mixes up or drops a part is found out.

use std::collections::HashMap;
use std::rc::Rc;

/// Longest body that is served; keeps a typing error from eating the memory.
const BODY_BYTES_MAX: usize = 64 << 20;

/// The body of `/bytes/length`.
pub fn body(length: usize) -> Vec<u8> {
    // 94 printable characters, of which each line of 96 starts three further on: it repeats after
    // 94 * 96 bytes only.
    (0..length).map(|at| b'!' + ((at + at / 96) % 94) as u8).collect()
}

/// Whole responses, each made once.
#[derive(Debug, Default)]
pub struct Answers {
    by_length: HashMap<usize, Rc<[u8]>>,
}

impl Answers {
    /// The response to a request for `target`; none if it is not one of ours.
    pub fn to(&mut self, target: &[u8]) -> Option<Rc<[u8]>> {
        let digits = std::str::from_utf8(target.strip_prefix(b"/bytes/")?).ok()?;
        let length = digits.parse().ok().filter(|&length| length <= BODY_BYTES_MAX)?;
        Some(Rc::clone(self.by_length.entry(length).or_insert_with(|| whole(&body(length)))))
    }
}

/// A 200 around `body`.
pub fn whole(body: &[u8]) -> Rc<[u8]> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_the_length_asked_for() {
        let answer = Answers::default().to(b"/bytes/3").unwrap();
        assert_eq!(
            std::str::from_utf8(&answer).unwrap(),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\n!\"#"
        );
    }

    #[test]
    fn knows_no_other_target() {
        let mut answers = Answers::default();
        for target in ["/", "/bytes/", "/bytes/x", "/bytes/-1", "/bytes/99999999999"] {
            assert!(answers.to(target.as_bytes()).is_none(), "{target}");
        }
    }

    #[test]
    fn a_body_differs_from_itself_moved_by_a_line_or_a_page() {
        let body = body(16 << 10);
        for shift in [1, 94, 95, 1460, 4096] {
            assert_ne!(body[..4096], body[shift..shift + 4096], "{shift}");
        }
    }
}

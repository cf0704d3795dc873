//! The Huffman code of HPACK (RFC 7541 §5.2), to look at strings that somebody else has decoded.

/// Symbols: the octets, and one that ends a string and must not come.
const SYMBOLS: usize = 257;
const LENGTH_MAX: usize = 30;

/// How long the code of each symbol is (RFC 7541, appendix B). The code is canonical: with those of one length
/// in the symbols' order, each is one more than the one before.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The symbols in the order of their codes.
const ORDER: [u16; SYMBOLS] = {
    let mut order = [0; SYMBOLS];
    let (mut at, mut length) = (0, 0);
    while length <= LENGTH_MAX {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                order[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
};

/// How many symbols have a code of each length.
const COUNTS: [u16; LENGTH_MAX + 1] = {
    let mut counts = [0; LENGTH_MAX + 1];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        counts[LENGTHS[symbol] as usize] += 1;
        symbol += 1;
    }
    counts
};

/// What `coded` stands for; `None` where it is no code of a string.
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut string = Vec::new();
    let mut code = Code::default();
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        match code.push(bit) {
            Step::More => {}
            Step::Symbol(symbol) => {
                string.push(u8::try_from(symbol).ok()?);
                code = Code::default();
            }
        }
    }
    // The rest of the last octet is filled with the beginning of the symbol that ends a string, which is all ones.
    (code.length < 8 && code.is_all_ones).then_some(string)
}

enum Step {
    More,
    Symbol(u16),
}

/// The bits of a symbol that have come.
struct Code {
    bits: u32,
    length: usize,
    is_all_ones: bool,
    /// The first code of this length, and the place of its symbol in [`ORDER`].
    first: u32,
    place: u32,
}

impl Default for Code {
    fn default() -> Self {
        Self { bits: 0, length: 0, is_all_ones: true, first: 0, place: 0 }
    }
}

impl Code {
    fn push(&mut self, bit: u8) -> Step {
        let shorter = u32::from(COUNTS[self.length]);
        self.first = (self.first + shorter) << 1;
        self.place += shorter;
        self.length += 1;
        self.bits = self.bits << 1 | u32::from(bit);
        self.is_all_ones &= bit == 1;
        let at = self.bits - self.first;
        match at < u32::from(COUNTS[self.length]) {
            true => Step::Symbol(ORDER[(self.place + at) as usize]),
            false => Step::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_the_rfc() {
        // RFC 7541 §C.4.1, C.6.1.
        let strings: [(&[u8], &[u8]); 3] = [
            (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", b"www.example.com"),
            (b"\x64\x02", b"302"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                b"Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ];
        for (coded, string) in strings {
            assert_eq!(decode(coded).as_deref(), Some(string));
        }
        assert_eq!(decode(b"").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        assert_eq!(decode(b"\x1f").as_deref(), Some(&b"a"[..]));
        assert_eq!(decode(b"\x1f\xff"), None);
        assert_eq!(decode(b"\x18"), None);
        // The symbol that ends a string.
        assert_eq!(decode(b"\xff\xff\xff\xff"), None);
    }

    #[test]
    fn each_octet_has_a_code() {
        let mut code = 0_u32;
        let mut length = LENGTHS[usize::from(ORDER[0])];
        for symbol in ORDER {
            let its = LENGTHS[usize::from(symbol)];
            code <<= its - length;
            length = its;
            let padded = (u64::from(code) << (64 - u32::from(length))) | (u64::MAX >> length);
            let octets = &padded.to_be_bytes()[..usize::from(length).div_ceil(8)];
            assert_eq!(decode(octets), u8::try_from(symbol).ok().map(|octet| vec![octet]));
            code += 1;
        }
        assert_eq!(code, 1 << LENGTH_MAX);
    }
}

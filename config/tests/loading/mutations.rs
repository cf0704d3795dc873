//! Whatever a file holds, it is read or refused: never a panic.

use crate::good_files;
use crate::skeleton::{file, load_text};

/// A linear congruential generator: the same bytes in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Bits of YAML that change what stands around them.
const PIECES: [&str; 20] = [
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "\n",
    "  ",
    "&a ",
    "*a",
    "!t ",
    "~",
    "#",
    "%",
    "-1",
    "\u{0}",
    "\t",
    "\u{1F600}",
];

fn mutated(text: &str, numbers: &mut Numbers) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(characters.len());
        let end = (at + numbers.below(12)).min(characters.len());
        match numbers.below(4) {
            0 => drop(characters.drain(at..end)),
            1 => {
                let again: Vec<char> = characters[at..end].to_vec();
                characters.splice(at..at, again);
            }
            2 => {
                let piece = PIECES[numbers.below(PIECES.len())];
                characters.splice(at..at, piece.chars());
            }
            _ => {
                let (a, b) = (at, numbers.below(characters.len()));
                characters.swap(a, b);
            }
        }
        if characters.is_empty() {
            characters.push('x');
        }
    }
    characters.into_iter().collect()
}

#[test]
fn no_text_panics() {
    let mut numbers = Numbers(1);
    let files = [file("root", ""), good_files::FRONT_PROXY.to_owned()];
    for round in 0..200 {
        let text = mutated(&files[round % files.len()], &mut numbers);
        if let Err(error) = load_text(&text) {
            assert!(!error.diagnostics.is_empty(), "{text}");
            assert!(error.diagnostics.iter().all(|told| !told.message.is_empty()), "{text}");
        }
    }
}

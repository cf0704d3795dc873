//! Random numbers for choices among equals.

use std::cell::RefCell;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};

/// A worker's generator, seeded by the operating system. Not for secrets.
#[derive(Debug)]
pub struct Random {
    generator: RefCell<SmallRng>,
}

impl Default for Random {
    fn default() -> Self {
        Self { generator: RefCell::new(SmallRng::from_os_rng()) }
    }
}

impl Random {
    /// A number; all are equally likely.
    pub fn next(&self) -> u64 {
        self.generator.borrow_mut().next_u64()
    }
}

//! Counters by response status (`upstream_rq_<code>`, `upstream_rq_<n>xx`).

use std::sync::OnceLock;

use super::Counter;

/// Responses counted by status. Envoy makes these counters when a status is first seen, so a class
/// takes memory only from then on. One thread writes, any thread reads.
#[derive(Debug, Default)]
pub struct ResponseCodes {
    classes: [OnceLock<Box<[Counter; 100]>>; 5],
}

impl ResponseCodes {
    /// Counts a response of `status`, 100 to 599; others are not counted, as in Envoy.
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        if let Some(class) = class.checked_sub(1).and_then(|index| self.classes.get(index)) {
            let codes = class.get_or_init(|| Box::new(std::array::from_fn(|_| Counter::default())));
            codes[usize::from(status % 100)].inc();
        }
    }

    /// Adds the counts to `totals`, indexed by status.
    pub fn add_to(&self, totals: &mut [u64; 600]) {
        for (index, class) in self.classes.iter().enumerate() {
            let Some(codes) = class.get() else { continue };
            for (code, counter) in codes.iter().enumerate() {
                totals[(index + 1) * 100 + code] += counter.value();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_status_and_ignores_what_is_none() {
        let codes = ResponseCodes::default();
        for status in [200, 200, 404, 599, 0, 99, 600, 999] {
            codes.count(status);
        }
        let mut totals = [0; 600];
        codes.add_to(&mut totals);
        assert_eq!((totals[200], totals[404], totals[599]), (2, 1, 1));
        assert_eq!(totals.iter().sum::<u64>(), 4);
    }
}

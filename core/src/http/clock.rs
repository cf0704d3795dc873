//! The `date` header of a worker.

use std::cell::{Cell, Ref, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

/// Formats the `date` header once a second. It is as late as its last refresh.
#[derive(Debug)]
pub struct Clock {
    second: Cell<u64>,
    date: RefCell<Vec<u8>>,
}

impl Default for Clock {
    fn default() -> Self {
        let clock = Self { second: Cell::new(0), date: RefCell::default() };
        clock.refresh();
        clock
    }
}

impl Clock {
    /// Looks at the system's clock. To be called many times a second.
    pub fn refresh(&self) {
        self.advance(SystemTime::now());
    }

    fn advance(&self, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second.replace(second) != second {
            *self.date.borrow_mut() = httpdate::fmt_http_date(now).into_bytes();
        }
    }

    /// The value of `date` (RFC 9110 §5.6.7).
    pub fn date(&self) -> Ref<'_, [u8]> {
        Ref::map(self.date.borrow(), Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_date_follows_the_second() {
        let clock = Clock::default();
        let moment = UNIX_EPOCH + Duration::from_secs(784_111_777);
        clock.advance(moment);
        assert_eq!(&*clock.date(), b"Sun, 06 Nov 1994 08:49:37 GMT");
        clock.advance(moment + Duration::from_millis(1500));
        assert_eq!(&*clock.date(), b"Sun, 06 Nov 1994 08:49:38 GMT");
    }
}

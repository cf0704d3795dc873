//! The case that names had when they were received, where they are to be written so.

use crate::h1::KeyFormat;

/// Names as received, for a field section that is written with them. Envoy: `preserve_case`.
#[derive(Debug, Default)]
pub(crate) struct ReceivedNames {
    /// Each name with a `:` behind it.
    text: Vec<u8>,
    /// How other names are written; none where no case is kept.
    others: Option<KeyFormat>,
}

impl ReceivedNames {
    /// Of no field section yet.
    pub(crate) const fn new() -> Self {
        Self { text: Vec::new(), others: None }
    }

    /// Forgets the names and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.others = None;
    }

    /// Names that come from now on keep their case; `others` is that of names which did not come.
    pub(crate) fn keep(&mut self, others: KeyFormat) {
        self.others = Some(others);
    }

    /// How names are written that did not come; none where no case is kept.
    pub(crate) fn others(&self) -> Option<KeyFormat> {
        self.others
    }

    /// A name has come.
    pub(crate) fn note(&mut self, name: &[u8]) {
        if self.others.is_some() {
            self.text.extend_from_slice(name);
            self.text.push(b':');
        }
    }

    /// `name` in the case in which it first came.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&[u8]> {
        self.text.split(|byte| *byte == b':').find(|received| received.eq_ignore_ascii_case(name))
    }
}

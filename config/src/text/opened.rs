//! What messages of type Any hold, as it was read: so that nobody has to decode again what was just encoded.

use std::borrow::Cow;
use std::collections::HashMap;

use prost::DecodeError;
use prost::bytes::Bytes;
use prost_reflect::DynamicMessage;

use crate::wire;

/// The contents, by where in memory their encoded form lies, which is held so that nothing else comes to
/// lie there.
#[derive(Default)]
pub(crate) struct Opened(HashMap<*const u8, (Bytes, DynamicMessage)>);

impl Opened {
    /// Keeps `content` for the Any whose value is `encoded`.
    pub(super) fn keep(&mut self, encoded: Bytes, content: DynamicMessage) {
        // What is empty lies nowhere.
        if !encoded.is_empty() {
            self.0.insert(encoded.as_ptr(), (encoded, content));
        }
    }

    /// Adds what `other` keeps.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Opens an Any, as [`wire::open_any`] does.
    pub(crate) fn open(
        &self,
        any: &DynamicMessage,
    ) -> Option<Result<Cow<'_, DynamicMessage>, DecodeError>> {
        let value = any.get_field_by_name("value")?;
        let known = value.as_bytes().and_then(|encoded| self.0.get(&encoded.as_ptr()));
        match known {
            Some((_, content)) => Some(Ok(Cow::Borrowed(content))),
            None => Some(wire::open_any(any)?.map(Cow::Owned)),
        }
    }
}

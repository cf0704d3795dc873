//! The field section of a message. All text stands in one buffer, each field as the line that
//! HTTP/1 sends (`name: value CRLF`), so that writing a field out is one copy; removing one leaves its
//! text behind until [`HeaderMap::clear`]. Cleared and filled again, a map allocates nothing.

use std::fmt;

use crate::KnownHeader;
use crate::h1::KeyFormat;
use crate::received_names::ReceivedNames;

/// Fields in the order received or added, pseudo-headers (RFC 9113 §8.3) among them. Names are lower
/// case, however they came and will be written. Values are bytes without CR, LF and NUL: parsers refuse those, whoever adds a value sees to
/// it.
pub struct HeaderMap {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// By known name: the place of its first live entry plus one; 0 where there is none.
    first: [u16; KnownHeader::COUNT],
    live: usize,
    received_names: ReceivedNames,
}

/// A line in the text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    line_start: u32,
    value_start: u32,
    value_end: u32,
    known: Option<KnownHeader>,
    live: bool,
}

/// A field as the map shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, where it is a known one.
    pub known: Option<KnownHeader>,
    /// The name in lower case.
    pub name: &'a [u8],
    /// The value without surrounding white space.
    pub value: &'a [u8],
}

const _: () = assert!(size_of::<Entry>() == 16);

impl HeaderMap {
    /// An empty map, which holds no memory yet.
    pub const fn new() -> Self {
        Self {
            text: Vec::new(),
            entries: Vec::new(),
            first: [0; KnownHeader::COUNT],
            live: 0,
            received_names: ReceivedNames::new(),
        }
    }

    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.first.fill(0);
        self.live = 0;
        self.received_names.clear();
    }

    /// Fields that are received from now on are written with their names in the case in which these
    /// came, others with theirs as `others` says. Copies of the map do not know it.
    pub(crate) fn preserve_case(&mut self, others: KeyFormat) {
        self.received_names.keep(others);
    }

    /// The names as received.
    pub(crate) fn received_names(&self) -> &ReceivedNames {
        &self.received_names
    }

    /// A field of this name has come, whether or not it is added.
    pub(crate) fn note_received(&mut self, name: &[u8]) {
        self.received_names.note(name);
    }

    /// How many fields there are, pseudo-headers included.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes of all names and values.
    pub fn byte_size(&self) -> usize {
        self.iter().map(|header| header.name.len() + header.value.len()).sum()
    }

    /// Adds a field behind the others. `name` is a token (RFC 9110 §5.1) in any case, or a
    /// pseudo-header.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.append_named_with(name, |text| text.extend_from_slice(value));
    }

    /// Adds a field of a known name behind the others.
    pub fn append_known(&mut self, name: KnownHeader, value: &[u8]) {
        self.append_with(name, |text| text.extend_from_slice(value));
    }

    /// Adds a field of a known name; `write` appends its value to the text and touches nothing else.
    pub fn append_with(&mut self, name: KnownHeader, write: impl FnOnce(&mut Vec<u8>)) {
        let entry = self.write_known_line(name, write);
        self.push(entry);
    }

    /// Adds a field of a known name with a number in decimal digits behind the others.
    pub fn append_number(&mut self, name: KnownHeader, number: u64) {
        self.append_known(name, itoa::Buffer::new().format(number).as_bytes());
    }

    /// Adds a field; `write` appends its value to the text and touches nothing else.
    pub fn append_named_with(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let entry = self.write_line(name, write);
        self.push(entry);
    }

    /// Adds a field as received, and says which known name it has.
    pub(crate) fn append_received(&mut self, name: &[u8], value: &[u8]) -> Option<KnownHeader> {
        self.text.reserve(name.len() + value.len() + 4);
        let entry = self.write_line(name, |text| text.extend_from_slice(value));
        self.push(entry);
        entry.known
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: KnownHeader) -> Option<&[u8]> {
        let at = self.first_of(name)?;
        Some(self.header(&self.entries[at]).value)
    }

    /// The value of the first field of that name, in any case.
    pub fn get_by_name(&self, name: &[u8]) -> Option<&[u8]> {
        self.get_all_by_name(name).next()
    }

    /// The values of all fields of that name, in order.
    pub fn get_all(&self, name: KnownHeader) -> impl Iterator<Item = &[u8]> {
        let from = self.first_of(name).unwrap_or(self.entries.len());
        self.live_from(from)
            .filter(move |entry| entry.known == Some(name))
            .map(|entry| self.header(entry).value)
    }

    /// The values of all fields of that name, in any case, in order.
    pub fn get_all_by_name<'a, 'n>(
        &'a self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let from = match KnownHeader::from_bytes(name) {
            Some(known) => self.first_of(known).unwrap_or(self.entries.len()),
            None => 0,
        };
        self.live_from(from)
            .map(|entry| self.header(entry))
            .filter(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: KnownHeader) -> bool {
        self.first_of(name).is_some()
    }

    /// Gives the first field of that name this value and removes the others; adds one where there is
    /// none.
    pub fn set(&mut self, name: KnownHeader, value: &[u8]) {
        let entry = self.write_known_line(name, |text| text.extend_from_slice(value));
        match self.first_of(name) {
            Some(at) => self.replace(at, entry),
            None => self.push(entry),
        }
    }

    /// The same with a number in decimal digits.
    pub fn set_number(&mut self, name: KnownHeader, number: u64) {
        self.set(name, itoa::Buffer::new().format(number).as_bytes());
    }

    /// Gives `to` the value of `from`; nothing happens where there is no `from`.
    pub fn copy(&mut self, from: KnownHeader, to: KnownHeader) {
        let Some(at) = self.first_of(from) else { return };
        let Entry { value_start, value_end, .. } = self.entries[at];
        let entry = self.write_known_line(to, |text| {
            text.extend_from_within(value_start as usize..value_end as usize);
        });
        match self.first_of(to) {
            Some(at) => self.replace(at, entry),
            None => self.push(entry),
        }
    }

    /// As [`HeaderMap::set`], for a name in any case.
    pub fn set_by_name(&mut self, name: &[u8], value: &[u8]) {
        let entry = self.write_line(name, |text| text.extend_from_slice(value));
        let at = match entry.known {
            Some(known) => self.first_of(known),
            None => self.entries.iter().position(|other| self.is_live_and_named(other, name)),
        };
        match at {
            Some(at) => self.replace(at, entry),
            None => self.push(entry),
        }
    }

    /// Removes all fields of that name; false where there was none.
    pub fn remove(&mut self, name: KnownHeader) -> bool {
        let Some(at) = self.first_of(name) else { return false };
        for entry in &mut self.entries[at..] {
            if entry.live && entry.known == Some(name) {
                entry.live = false;
                self.live -= 1;
            }
        }
        self.first[name as usize] = 0;
        true
    }

    /// Removes all fields of that name, in any case; false where there was none.
    pub fn remove_by_name(&mut self, name: &[u8]) -> bool {
        let before = self.live;
        self.retain(|header| !header.name.eq_ignore_ascii_case(name));
        self.live < before
    }

    /// Removes the fields that `keep` is false for.
    pub fn retain(&mut self, mut keep: impl FnMut(&Header<'_>) -> bool) {
        for at in 0..self.entries.len() {
            let entry = self.entries[at];
            if entry.live && !keep(&self.header(&entry)) {
                self.entries[at].live = false;
                self.live -= 1;
                self.find_first_again(entry.known, at);
            }
        }
    }

    /// All fields in order, pseudo-headers included.
    pub fn iter(&self) -> impl Iterator<Item = Header<'_>> {
        self.live_from(0).map(|entry| self.header(entry))
    }

    /// The fields in order, without pseudo-headers.
    pub fn fields(&self) -> impl Iterator<Item = Header<'_>> {
        self.iter().filter(|header| !header.known.is_some_and(KnownHeader::is_pseudo))
    }

    /// The fields in order, without pseudo-headers, each as `name: value CRLF`.
    pub(crate) fn field_lines(&self) -> impl Iterator<Item = &[u8]> {
        self.live_from(0)
            .filter(|entry| !entry.known.is_some_and(KnownHeader::is_pseudo))
            .map(|entry| &self.text[entry.line_start as usize..entry.value_end as usize + 2])
    }

    fn live_from(&self, from: usize) -> impl Iterator<Item = &Entry> {
        self.entries[from..].iter().filter(|entry| entry.live)
    }

    fn header(&self, entry: &Entry) -> Header<'_> {
        let value_start = entry.value_start as usize;
        Header {
            known: entry.known,
            name: &self.text[entry.line_start as usize..value_start - 2],
            value: &self.text[value_start..entry.value_end as usize],
        }
    }

    fn first_of(&self, name: KnownHeader) -> Option<usize> {
        usize::from(self.first[name as usize]).checked_sub(1)
    }

    fn is_live_and_named(&self, entry: &Entry, name: &[u8]) -> bool {
        entry.live && self.header(entry).name.eq_ignore_ascii_case(name)
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.live += 1;
        if let Some(known) = entry.known
            && self.first[known as usize] == 0
        {
            self.first[known as usize] = index_of(self.entries.len());
        }
    }

    /// Puts `entry` at `at`, the first of its name, and removes the others of that name.
    fn replace(&mut self, at: usize, entry: Entry) {
        for other in at + 1..self.entries.len() {
            if self.is_live_and_named(&self.entries[other], self.header(&entry).name) {
                self.entries[other].live = false;
                self.live -= 1;
            }
        }
        self.entries[at] = entry;
    }

    /// The entry at `at` has gone: the first of its name is now the next one, if it was the first.
    fn find_first_again(&mut self, known: Option<KnownHeader>, at: usize) {
        let Some(known) = known.filter(|known| self.first_of(*known) == Some(at)) else { return };
        let same_name = |entry: &Entry| entry.live && entry.known == Some(known);
        let next = self.entries[at + 1..].iter().position(same_name);
        self.first[known as usize] = next.map_or(0, |next| index_of(at + next + 2));
    }

    fn write_known_line(&mut self, name: KnownHeader, write: impl FnOnce(&mut Vec<u8>)) -> Entry {
        let line_start = self.text.len();
        self.text.extend_from_slice(name.as_str().as_bytes());
        self.finish_line(line_start, Some(name), write)
    }

    fn write_line(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Entry {
        let line_start = self.text.len();
        self.text.extend_from_slice(name);
        self.text[line_start..].make_ascii_lowercase();
        let known = KnownHeader::from_bytes(&self.text[line_start..]);
        debug_assert!(known.is_some() || is_token(name), "a header name is a token");
        self.finish_line(line_start, known, write)
    }

    fn finish_line(
        &mut self,
        line_start: usize,
        known: Option<KnownHeader>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Entry {
        self.text.extend_from_slice(b": ");
        let value_start = self.text.len();
        write(&mut self.text);
        let value_end = self.text.len();
        debug_assert!(is_field_value(&self.text[value_start..]), "CR, LF or NUL in a value");
        self.text.extend_from_slice(b"\r\n");
        Entry {
            line_start: offset_of(line_start),
            value_start: offset_of(value_start),
            value_end: offset_of(value_end),
            known,
            live: true,
        }
    }
}

/// An offset in the text, which stays far below 4 GiB: heads are bounded, and what the proxy adds is
/// bounded by its configuration.
fn offset_of(at: usize) -> u32 {
    u32::try_from(at).expect("a field section is smaller than 4 GiB")
}

/// A place in the table of first entries: heads are bounded to half of what it holds.
fn index_of(count: usize) -> u16 {
    u16::try_from(count).expect("a field section has fewer than 65536 lines")
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

/// RFC 9110 §5.5: what could end the line early is no value.
fn is_field_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

impl Default for HeaderMap {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for HeaderMap {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.text.clone_from(&source.text);
        self.entries.clone_from(&source.entries);
        self.first = source.first;
        self.live = source.live;
        self.received_names.clear();
    }
}

/// Equal are maps with the same fields in the same order.
impl PartialEq for HeaderMap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for HeaderMap {}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        f.debug_list()
            .entries(self.iter().map(|header| (text(header.name), text(header.value))))
            .finish()
    }
}

#[cfg(test)]
mod tests;

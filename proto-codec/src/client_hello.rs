//! The first message of a TLS client (RFC 8446 §4.1.2), read without any decryption: which name it asks
//! for and which protocols it offers.
//!
//! [`ClientHelloReader::read`] is given all bytes received so far, as often as more have come; each of
//! them is looked at once, in however many records the message arrives. What follows the message is
//! left alone, and so are all bytes: TLS itself reads them again.

mod examined;
mod offer;

pub use self::examined::{Examined, Flaw, Server};
pub use self::offer::{Ja4, Offer};

/// Handshake records (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// `ClientHello` (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER_BYTES: usize = 5;
const MESSAGE_HEADER_BYTES: usize = 4;
/// RFC 8446 §5.1.
const RECORD_BYTES_MAX: usize = 1 << 14;
/// What BoringSSL takes, which reads ClientHellos for Envoy: a longer one is none.
const MESSAGE_BYTES_MAX: usize = 1 << 14;
/// A record may be empty, which could go on for ever.
const EMPTY_RECORDS_MAX: u32 = 32;

const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
const ALPN: u16 = 16;

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// `server_name` (RFC 6066 §3), in lower case.
    pub server_name: Option<Box<str>>,
    /// `application_layer_protocol_negotiation` (RFC 7301 §3.1), in the client's order. Names that are
    /// not text are left out: nobody can ask for them.
    pub application_protocols: Vec<Box<str>>,
    /// All of it, where that was asked for.
    pub offer: Option<Box<Offer>>,
}

/// What the bytes received so far are, and what is read of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<T = ClientHello> {
    /// The beginning of a ClientHello, or nothing yet.
    Incomplete,
    /// Something else, whatever follows.
    NotTls,
    /// A ClientHello.
    Complete(T),
}

/// Reads one connection's ClientHello.
#[derive(Debug, Default)]
pub struct ClientHelloReader {
    /// Where the next record begins.
    next_record: usize,
    /// The message as far as its records have come; empty while the first one holds all of it.
    message: Vec<u8>,
    empty_records: u32,
    takes_offer: bool,
}

impl ClientHelloReader {
    /// A reader that tells all that is offered, too.
    pub fn taking_offer() -> Self {
        Self { takes_offer: true, ..Self::default() }
    }

    /// Goes on with `bytes`, which begin with those of the last call.
    pub fn read(&mut self, bytes: &[u8]) -> Progress {
        let takes_offer = self.takes_offer;
        self.read_with(bytes, |body| parse(body, takes_offer))
    }

    /// Does so, and has `read` read the message's body; `None` where that is broken.
    fn read_with<T>(&mut self, bytes: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Progress<T> {
        self.read_records(bytes, read).unwrap_or(Progress::NotTls)
    }

    /// How many bytes have been looked at.
    pub fn looked_at(&self) -> usize {
        self.next_record
    }

    /// `None` where this is no ClientHello.
    fn read_records<T>(
        &mut self,
        bytes: &[u8],
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<Progress<T>> {
        loop {
            let rest = bytes.get(self.next_record..).unwrap_or_default();
            let Some((header, rest)) = rest.split_first_chunk::<RECORD_HEADER_BYTES>() else {
                return Some(Progress::Incomplete);
            };
            let length = match record_length(*header) {
                Some(length) => length,
                None => {
                    self.next_record += RECORD_HEADER_BYTES;
                    return None;
                }
            };
            let Some(fragment) = rest.get(..length) else { return Some(Progress::Incomplete) };
            self.next_record += RECORD_HEADER_BYTES + length;
            if fragment.is_empty() {
                self.empty_records += 1;
                if self.empty_records > EMPTY_RECORDS_MAX {
                    return None;
                }
            }
            if let Some(hello) = self.take_fragment(fragment, &read)? {
                return Some(Progress::Complete(hello));
            }
        }
    }

    /// The message, once it is whole.
    fn take_fragment<T>(
        &mut self,
        fragment: &[u8],
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.message.is_empty()
            && let Some(body) = message_body(fragment)?
        {
            return read(body).map(Some);
        }
        self.message.extend_from_slice(fragment);
        match message_body(&self.message)? {
            Some(body) => read(body).map(Some),
            None => Some(None),
        }
    }
}

fn record_length([kind, major, _minor, high, low]: [u8; RECORD_HEADER_BYTES]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes([high, low]));
    (kind == HANDSHAKE && major == 3 && length <= RECORD_BYTES_MAX).then_some(length)
}

/// What stands behind the message's header; `Some(None)` while it is not whole.
fn message_body(message: &[u8]) -> Option<Option<&[u8]>> {
    let Some(kind) = message.first() else { return Some(None) };
    if *kind != CLIENT_HELLO {
        return None;
    }
    let Some((header, rest)) = message.split_first_chunk::<MESSAGE_HEADER_BYTES>() else {
        return Some(None);
    };
    let [_, length @ ..] = *header;
    let [high, middle, low] = length.map(usize::from);
    let length = (high << 16) | (middle << 8) | low;
    (length <= MESSAGE_BYTES_MAX).then(|| rest.get(..length))
}

/// `None` where the message breaks off its form.
fn parse(body: &[u8], takes_offer: bool) -> Option<ClientHello> {
    let head = Head::read(body)?;
    let offer = takes_offer.then(|| Box::new(Offer::new(head.version, head.cipher_suites)));
    let mut hello = ClientHello { offer, ..ClientHello::default() };
    let mut extensions = head.extensions;
    while let Some((kind, content)) = extensions.take_extension()? {
        if let Some(offer) = &mut hello.offer {
            offer.add_extension(kind, content.0);
        }
        match kind {
            SERVER_NAME => hello.server_name = server_name(content)?,
            ALPN => hello.application_protocols = application_protocols(content)?,
            _ => {}
        }
    }
    Some(hello)
}

/// A ClientHello down to its extensions.
struct Head<'a> {
    /// `legacy_version`.
    version: u16,
    cipher_suites: &'a [u8],
    extensions: Fields<'a>,
}

impl<'a> Head<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let version = fields.take_u16()?;
        let _random = fields.take(32)?;
        let session_id = fields.take_vector8()?;
        let cipher_suites = fields.take_vector16()?;
        let compression_methods = fields.take_vector8()?;
        let suites_are_none =
            cipher_suites.0.is_empty() || !cipher_suites.0.len().is_multiple_of(2);
        if session_id.0.len() > 32 || suites_are_none || compression_methods.0.is_empty() {
            return None;
        }
        let mut extensions = Fields(&[]);
        if !fields.0.is_empty() {
            extensions = fields.take_vector16()?;
        }
        fields.0.is_empty().then_some(Self { version, cipher_suites: cipher_suites.0, extensions })
    }
}

/// The list holds one name of the only kind there is.
fn server_name(mut content: Fields<'_>) -> Option<Option<Box<str>>> {
    let mut list = content.take_vector16()?;
    let kind = list.take(1)?;
    let name = list.take_vector16()?;
    if kind != [HOST_NAME] || name.0.is_empty() || !list.0.is_empty() || !content.0.is_empty() {
        return None;
    }
    let name = std::str::from_utf8(name.0).ok().filter(|name| !name.contains('\0'))?;
    Some(Some(name.to_ascii_lowercase().into()))
}

fn application_protocols(mut content: Fields<'_>) -> Option<Vec<Box<str>>> {
    let mut list = content.take_vector16()?;
    let mut protocols = Vec::new();
    if list.0.is_empty() || !content.0.is_empty() {
        return None;
    }
    while !list.0.is_empty() {
        let name = list.take_vector8()?;
        if name.0.is_empty() {
            return None;
        }
        protocols.extend(std::str::from_utf8(name.0).ok().map(Box::from));
    }
    Some(protocols)
}

/// Bytes still to be read.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// What stands behind its length of one byte.
    fn take_vector8(&mut self) -> Option<Self> {
        let length = self.take(1)?[0];
        self.take(length.into()).map(Self)
    }

    /// What stands behind its length of two bytes.
    fn take_vector16(&mut self) -> Option<Self> {
        let length = self.take_u16()?;
        self.take(length.into()).map(Self)
    }

    /// The next extension's type and content; `Some(None)` behind the last.
    fn take_extension(&mut self) -> Option<Option<(u16, Self)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        Some(Some((self.take_u16()?, self.take_vector16()?)))
    }
}

#[cfg(test)]
mod tests;

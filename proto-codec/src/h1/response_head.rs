//! Response heads (RFC 9112 §4, §5): whatever an upstream sends, either one message or an error.

use std::mem::MaybeUninit;

use super::body_length::{BodyLength, Framing};
use super::connection_options::ConnectionOptions;
use super::head_progress::{HeadFault, HeadProgress};
use super::{FIELDS_ON_STACK, KeyFormat, Version};
use crate::limits::HeadLimits;
use crate::{HeaderMap, KnownHeader, ResponseError};

/// A response without its body. Made once and parsed into again and again, it allocates nothing.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// Three digits, 100 to 999.
    pub status: u16,
    /// The fields in order.
    pub headers: HeaderMap,
    /// The version.
    pub version: Version,
    /// Where the body ends.
    pub body: BodyLength,
    /// Whether the upstream takes another request on this connection.
    pub keep_alive: bool,
}

/// How response heads are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseOptions {
    /// Bounds on the head.
    pub limits: HeadLimits,
    /// As [`RequestOptions::preserve_case`](super::RequestOptions::preserve_case).
    pub preserve_case: Option<KeyFormat>,
}

/// What was asked, as far as the response's meaning depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestKind {
    /// HEAD: the response has no body.
    Head,
    /// CONNECT: a response of the class 2xx begins a tunnel (RFC 9110 §9.3.6).
    Connect,
    /// A request with `upgrade`: a 101 begins another protocol (RFC 9110 §7.8).
    Upgrade,
    /// Any other.
    #[default]
    Other,
}

type Field<'a> = httparse::Header<'a>;

impl ResponseHead {
    /// Forgets the response and keeps the memory.
    pub fn clear(&mut self) {
        self.status = 0;
        self.headers.clear();
        self.version = Version::default();
        self.body = BodyLength::default();
        self.keep_alive = false;
    }

    /// Reads the head at the front of `bytes`: how many bytes it takes, or none while it is
    /// incomplete. `bytes` then begins at the same place in the next call, and `progress` is the
    /// same. An interim response (1xx) is a head of its own, behind which the next one follows. A 101
    /// whose body lasts [until the end](BodyLength::UntilClose) is final: HTTP ends with it.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        progress: &mut HeadProgress,
        request: RequestKind,
        options: &ResponseOptions,
    ) -> Result<Option<usize>, ResponseError> {
        let head = progress.find_head(bytes, &options.limits)?;
        if progress.skipped_empty_line() {
            return Err(ResponseError::Malformed);
        }
        check_version(progress.without_empty_line(bytes))?;
        let Some(head) = head else { return Ok(None) };
        self.clear();
        if let Some(others) = options.preserve_case {
            self.headers.preserve_case(others);
        }
        let end = head.end;
        if progress.fields() <= FIELDS_ON_STACK {
            let mut fields = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
            self.read(&bytes[head], &mut fields, request)?;
        } else {
            let mut fields = vec![MaybeUninit::uninit(); progress.fields()];
            self.read(&bytes[head], &mut fields, request)?;
        }
        Ok(Some(end))
    }

    fn read<'a>(
        &mut self,
        head: &'a [u8],
        fields: &mut [MaybeUninit<Field<'a>>],
        request: RequestKind,
    ) -> Result<(), ResponseError> {
        let mut response = httparse::Response::new(&mut []);
        httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            fields,
        )?;
        let (Some(status), Some(minor)) = (response.code, response.version) else {
            return Err(ResponseError::Malformed);
        };
        if status < 100 {
            return Err(ResponseError::InvalidStatus);
        }
        self.status = status;
        self.version = Version::from_minor(minor);
        let (framing, connection) = self.read_fields(response.headers)?;
        self.body = match self.leaves_http(request, connection) {
            true => self.rest_of_connection(),
            false => self.body_of(framing, request)?,
        };
        self.keep_alive =
            connection.keeps_alive(self.version) && self.body != BodyLength::UntilClose;
        Ok(())
    }

    fn read_fields(
        &mut self,
        fields: &[Field<'_>],
    ) -> Result<(Framing, ConnectionOptions), ResponseError> {
        let mut framing = Framing::default();
        let mut connection = ConnectionOptions::default();
        for field in fields {
            let name = field.name.as_bytes();
            self.headers.note_received(name);
            match self.headers.append_received(name, field.value) {
                Some(KnownHeader::ContentLength) => framing.content_length(field.value)?,
                Some(KnownHeader::TransferEncoding) => {
                    framing.transfer_encoding(field.value, self.version)?;
                }
                Some(KnownHeader::Connection) => connection.connection(field.value),
                Some(KnownHeader::ProxyConnection) => connection.proxy_connection(field.value),
                _ => {}
            }
        }
        Ok((framing, connection))
    }

    /// Whether what follows the head is not HTTP any more.
    fn leaves_http(&self, request: RequestKind, connection: ConnectionOptions) -> bool {
        match request {
            RequestKind::Connect => (200..300).contains(&self.status),
            RequestKind::Upgrade => {
                let names_protocol = self.headers.contains(KnownHeader::Upgrade);
                self.status == 101 && names_protocol && connection.upgrades()
            }
            RequestKind::Head | RequestKind::Other => false,
        }
    }

    /// RFC 9110 §9.3.6: what the fields say of a body's length is to be ignored; they go, so that
    /// nobody further down takes them for more.
    fn rest_of_connection(&mut self) -> BodyLength {
        self.headers.remove(KnownHeader::ContentLength);
        self.headers.remove(KnownHeader::TransferEncoding);
        BodyLength::UntilClose
    }

    /// RFC 9112 §6.3 items 1, 3, 6 and 8.
    fn body_of(
        &mut self,
        framing: Framing,
        request: RequestKind,
    ) -> Result<BodyLength, ResponseError> {
        match self.status {
            100..=199 | 204 if framing.announces_body() => Err(ResponseError::BodyDisallowed),
            100..=199 | 204 => {
                // RFC 9110 §8.6 forbids even `content-length: 0`; it says nothing, so it goes.
                self.headers.remove(KnownHeader::ContentLength);
                Ok(BodyLength::None)
            }
            304 => Ok(BodyLength::None),
            _ if request == RequestKind::Head => Ok(BodyLength::None),
            _ => Ok(framing.body_length(BodyLength::UntilClose)),
        }
    }
}

impl From<HeadFault> for ResponseError {
    fn from(fault: HeadFault) -> Self {
        match fault {
            HeadFault::Malformed => Self::Malformed,
            HeadFault::TooLarge => Self::HeadTooLarge,
            HeadFault::TooManyFields => Self::TooManyHeaders,
        }
    }
}

impl From<httparse::Error> for ResponseError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::Status => Self::InvalidStatus,
            httparse::Error::Version => Self::UnsupportedVersion,
            _ => Self::Malformed,
        }
    }
}

/// Refuses what cannot become a status line by its first bytes, complete or not, so that a peer that
/// speaks another protocol is not waited for.
fn check_version(line: &[u8]) -> Result<(), ResponseError> {
    let version = b"HTTP/1.";
    let len = line.len().min(version.len());
    if line[..len] == version[..len] { Ok(()) } else { Err(ResponseError::Malformed) }
}

#[cfg(test)]
mod tests;

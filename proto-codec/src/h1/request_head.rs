//! Request heads (RFC 9112 §3, §5): read as strictly as smuggling demands (§11), answered for as
//! Envoy answers.

use std::mem::MaybeUninit;

use super::body_length::{BodyLength, Framing};
use super::connection_options::ConnectionOptions;
use super::head_progress::{HeadFault, HeadProgress};
use super::request_target::{RequestTarget, is_authority};
use super::{FIELDS_ON_STACK, KeyFormat, Version};
use crate::limits::HeadLimits;
use crate::{FramingError, HeaderMap, KnownHeader, RequestError};

/// A request without its body. Made once and parsed into again and again, it allocates nothing.
#[derive(Debug, Default)]
pub struct RequestHead {
    /// `:method`, `:path` (not for CONNECT) and `:authority` first, then the fields in order; `host`
    /// is not among them, nor is an `expect` that [`RequestHead::expect_continue`] stands for.
    pub headers: HeaderMap,
    /// The version.
    pub version: Version,
    /// Where the body ends.
    pub body: BodyLength,
    /// Whether the client can send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// Whether the client asks for another protocol (RFC 9110 §7.8). Never for `h2c`, which is
    /// passed over as Envoy does. All that follows the head is then that protocol's, whatever the
    /// fields say of a body.
    pub upgrade: bool,
}

/// How request heads are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOptions {
    /// Bounds on the head.
    pub limits: HeadLimits,
    /// Envoy: `accept_http_10`, default false.
    pub accept_http_10: bool,
    /// The authority of an HTTP/1.0 request without `host`. Envoy: `default_host_for_http_10`.
    pub default_host_for_http_10: Option<String>,
    /// Whether `http://authority/path` is taken apart. Envoy: `allow_absolute_url`, default true.
    pub allow_absolute_url: bool,
    /// Envoy: `headers_with_underscores_action`, default ALLOW.
    pub headers_with_underscores: UnderscoreAction,
    /// The names keep their case when they are written; those of fields that are added are written
    /// so. Envoy: `preserve_case`, default off.
    pub preserve_case: Option<KeyFormat>,
    /// `proxy_100_continue`: `expect: 100-continue` is the upstream's to meet.
    pub proxies_continue: bool,
}

/// What is done about `_` in a header name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnderscoreAction {
    /// Nothing.
    #[default]
    Allow,
    /// The request is refused.
    Reject,
    /// The header is left out.
    Drop,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            limits: HeadLimits::default(),
            accept_http_10: false,
            default_host_for_http_10: None,
            allow_absolute_url: true,
            headers_with_underscores: UnderscoreAction::Allow,
            preserve_case: None,
            proxies_continue: false,
        }
    }
}

type Field<'a> = httparse::Header<'a>;

impl RequestHead {
    /// Forgets the request and keeps the memory.
    pub fn clear(&mut self) {
        self.headers.clear();
        self.version = Version::default();
        self.body = BodyLength::default();
        self.keep_alive = false;
        self.expect_continue = false;
        self.upgrade = false;
    }

    /// Reads the head at the front of `bytes`: how many bytes it takes, or none while it is
    /// incomplete. `bytes` then begins at the same place in the next call, and `progress` is the
    /// same. After an error that [is no codec error](RequestError::is_codec_error) the head is filled;
    /// after others its content means nothing.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        progress: &mut HeadProgress,
        options: &RequestOptions,
    ) -> Result<Option<usize>, RequestError> {
        let head = progress.find_head(bytes, &options.limits)?;
        check_method(progress.without_empty_line(bytes))?;
        let Some(head) = head else { return Ok(None) };
        self.clear();
        if let Some(others) = options.preserve_case {
            self.headers.preserve_case(others);
        }
        let end = head.end;
        if progress.fields() <= FIELDS_ON_STACK {
            let mut fields = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
            self.read(&bytes[head], &mut fields, options)?;
        } else {
            let mut fields = vec![MaybeUninit::uninit(); progress.fields()];
            self.read(&bytes[head], &mut fields, options)?;
        }
        Ok(Some(end))
    }

    fn read<'a>(
        &mut self,
        head: &'a [u8],
        fields: &mut [MaybeUninit<Field<'a>>],
        options: &RequestOptions,
    ) -> Result<(), RequestError> {
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(head, fields);
        parsed.map_err(|error| classify(error, head))?;
        let (Some(method), Some(target), Some(minor)) =
            (request.method, request.path, request.version)
        else {
            return Err(RequestError::Malformed);
        };
        self.version = Version::from_minor(minor);
        if self.version == Version::Http10 && !options.accept_http_10 {
            return Err(RequestError::UnsupportedVersion);
        }
        if !is_known_method(method) {
            return Err(RequestError::UnknownMethod);
        }
        let target = RequestTarget::parse(method, target, options.allow_absolute_url)?;
        let host = host_of(request.headers, &target)?;
        self.headers.append_known(KnownHeader::Method, method.as_bytes());
        self.read_target(&target, host, options);
        self.read_fields(request.headers, method == "CONNECT", options)?;
        // Envoy looks at these two behind its codec; the rest of the head is known by then.
        if target.path.is_some_and(|path| path.contains(&b'#')) {
            return Err(RequestError::FragmentInTarget);
        }
        if host.is_none() && self.needs_host() {
            return Err(RequestError::MissingHost);
        }
        Ok(())
    }

    fn read_target(
        &mut self,
        target: &RequestTarget<'_>,
        host: Option<&[u8]>,
        options: &RequestOptions,
    ) {
        if let Some(path) = target.path {
            self.headers.append_known(KnownHeader::Path, path);
        }
        let default_host = match self.version {
            Version::Http10 => options.default_host_for_http_10.as_deref().map(str::as_bytes),
            Version::Http11 | Version::Http2 => None,
        };
        if let Some(authority) = target.authority.or(host).or(default_host) {
            self.headers.append_known(KnownHeader::Authority, authority);
        }
    }

    /// RFC 9112 §3.2: HTTP/1.1 has `host` whatever the target says; HTTP/1.0 did not know it.
    fn needs_host(&self) -> bool {
        self.version == Version::Http11 || !self.headers.contains(KnownHeader::Authority)
    }

    fn read_fields(
        &mut self,
        fields: &[Field<'_>],
        is_connect: bool,
        options: &RequestOptions,
    ) -> Result<(), RequestError> {
        let mut framing = Framing::default();
        let mut connection = ConnectionOptions::default();
        for field in fields {
            let name = field.name.as_bytes();
            self.headers.note_received(name);
            if is_host(name) || drops_underscored(name, options.headers_with_underscores)? {
                continue;
            }
            match self.headers.append_received(name, field.value) {
                Some(KnownHeader::ContentLength) => framing.content_length(field.value)?,
                Some(KnownHeader::TransferEncoding) => {
                    framing.transfer_encoding(field.value, self.version)?;
                }
                Some(KnownHeader::Connection) => connection.connection(field.value),
                Some(KnownHeader::ProxyConnection) => connection.proxy_connection(field.value),
                Some(KnownHeader::Expect) => {
                    self.expect_continue |= field.value.eq_ignore_ascii_case(b"100-continue");
                }
                _ => {}
            }
        }
        self.keep_alive = connection.keeps_alive(self.version);
        self.settle_expectation(options.proxies_continue);
        self.settle_upgrade(connection);
        self.body = body_of(framing, is_connect, self.upgrade)?;
        Ok(())
    }

    /// RFC 9110 §10.1.1: the expectation is met or refused by the first hop that can, and "MUST" be
    /// ignored in HTTP/1.0. One that the upstream is to meet stays among the headers.
    fn settle_expectation(&mut self, proxies_continue: bool) {
        if proxies_continue {
            self.expect_continue = false;
        } else if self.expect_continue {
            self.headers.remove(KnownHeader::Expect);
            self.expect_continue = self.version == Version::Http11;
        }
    }

    /// A request may be answered without its upgrade. Envoy does so for `h2c` and takes away what
    /// asked for it, so that no upstream can switch the protocol behind our back.
    fn settle_upgrade(&mut self, connection: ConnectionOptions) {
        let Some(protocol) = self.headers.get(KnownHeader::Upgrade) else { return };
        if protocol.eq_ignore_ascii_case(b"h2c") {
            self.headers.remove(KnownHeader::Upgrade);
            self.headers.remove(KnownHeader::Http2Settings);
        } else {
            self.upgrade = connection.upgrades() && !protocol.is_empty();
        }
    }
}

impl From<HeadFault> for RequestError {
    fn from(fault: HeadFault) -> Self {
        match fault {
            HeadFault::Malformed => Self::Malformed,
            HeadFault::TooLarge => Self::HeadTooLarge,
            HeadFault::TooManyFields => Self::TooManyHeaders,
        }
    }
}

/// RFC 9112 §3.2: one `host`, well-formed, the same as in the target. An empty one is none.
fn host_of<'a>(
    fields: &[Field<'a>],
    target: &RequestTarget<'_>,
) -> Result<Option<&'a [u8]>, RequestError> {
    let mut hosts = fields.iter().filter(|field| is_host(field.name.as_bytes()));
    let Some(host) = hosts.next().map(|field| field.value) else { return Ok(None) };
    if hosts.next().is_some() {
        return Err(RequestError::DuplicateHost);
    }
    if host.is_empty() {
        return Ok(None);
    }
    if !is_authority(host) {
        return Err(RequestError::InvalidHost);
    }
    if !target.agrees_with(host) {
        return Err(RequestError::HostMismatch);
    }
    Ok(Some(host))
}

fn is_host(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"host")
}

fn drops_underscored(name: &[u8], action: UnderscoreAction) -> Result<bool, RequestError> {
    match action {
        UnderscoreAction::Allow => Ok(false),
        _ if !name.contains(&b'_') => Ok(false),
        UnderscoreAction::Drop => Ok(true),
        UnderscoreAction::Reject => Err(RequestError::UnexpectedUnderscore),
    }
}

/// Bytes behind a CONNECT head are the tunnel's (RFC 9110 §9.3.6), so nothing may call them a body.
fn body_of(framing: Framing, is_connect: bool, upgrade: bool) -> Result<BodyLength, RequestError> {
    match is_connect {
        false if upgrade => Ok(BodyLength::UntilClose),
        false => Ok(framing.body_length(BodyLength::None)),
        true if framing.is_chunked() => Err(FramingError::UnsupportedTransferEncoding.into()),
        true if framing.announces_body() => Err(RequestError::BodyDisallowed),
        true => Ok(BodyLength::UntilClose),
    }
}

/// The methods that Envoy 1.40 takes over HTTP/1, unless told to take any.
fn is_known_method(method: &str) -> bool {
    matches!(
        method,
        "GET"
            | "POST"
            | "HEAD"
            | "PUT"
            | "DELETE"
            | "OPTIONS"
            | "PATCH"
            | "CONNECT"
            | "TRACE"
            | "ACL"
            | "BIND"
            | "CHECKOUT"
            | "COPY"
            | "LINK"
            | "LOCK"
            | "MERGE"
            | "MKACTIVITY"
            | "MKCALENDAR"
            | "MKCOL"
            | "MOVE"
            | "MSEARCH"
            | "NOTIFY"
            | "PROPFIND"
            | "PROPPATCH"
            | "PURGE"
            | "REBIND"
            | "REPORT"
            | "SEARCH"
            | "SOURCE"
            | "SUBSCRIBE"
            | "UNBIND"
            | "UNLINK"
            | "UNLOCK"
            | "UNSUBSCRIBE"
    )
}

/// Bytes by which a known method has ended.
const METHOD_BYTES_MAX: usize = 16;

/// Refuses what cannot become a request line by its first bytes, complete or not, so that a client
/// that speaks another protocol is told at once instead of being waited for.
fn check_method(line: &[u8]) -> Result<(), RequestError> {
    let start = &line[..line.len().min(METHOD_BYTES_MAX + 1)];
    let method_len = start.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    match line.get(method_len) {
        _ if method_len > METHOD_BYTES_MAX => Err(RequestError::UnknownMethod),
        None => Ok(()),
        Some(b' ') if method_len > 0 => Ok(()),
        // The start of an empty line before the request line.
        Some(b'\r') if line.len() == 1 => Ok(()),
        Some(byte) if byte.is_ascii_graphic() => Err(RequestError::UnknownMethod),
        Some(_) => Err(RequestError::Malformed),
    }
}

/// Envoy's name for what `httparse` refused.
fn classify(error: httparse::Error, head: &[u8]) -> RequestError {
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n');
    if head.iter().any(is_control) {
        RequestError::InvalidCharacters
    } else if error == httparse::Error::Version && has_other_version(head) {
        match has_known_method(head) {
            true => RequestError::UnsupportedVersion,
            // The preface of HTTP/2 is such a line.
            false => RequestError::UnknownMethod,
        }
    } else {
        RequestError::Malformed
    }
}

fn has_known_method(head: &[u8]) -> bool {
    let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(method).is_ok_and(is_known_method)
}

/// Whether the request line ends in `HTTP/<digit>.<digit>`, as RFC 9112 §2.3 spells it.
fn has_other_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.splitn(3, |byte| *byte == b' ').nth(2);
    matches!(
        version.and_then(|version| version.strip_prefix(b"HTTP/")),
        Some([b'0'..=b'9', b'.', b'0'..=b'9'])
    )
}

#[cfg(test)]
mod tests;

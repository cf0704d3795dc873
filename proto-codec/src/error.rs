//! Why bytes were refused. Errors are values without allocation; each enum says whose fault it is by
//! its kind: [`RequestError`] is the client's, [`ResponseError`] the upstream's, [`ChunkError`] that
//! of whoever sends the body.

/// A message whose length cannot be told beyond doubt (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// `content-length` is no plain decimal number of at most 64 bits.
    #[error("content-length is not a number")]
    InvalidContentLength,
    /// More than one `content-length`.
    #[error("content-length occurs twice")]
    DuplicateContentLength,
    /// `transfer-encoding` is other than one `chunked`.
    #[error("transfer-encoding is other than chunked")]
    UnsupportedTransferEncoding,
    /// `transfer-encoding` beside `content-length` (RFC 9112 §11.2).
    #[error("transfer-encoding beside content-length")]
    TransferEncodingWithContentLength,
    /// `transfer-encoding` in HTTP/1.0, which has none (RFC 9112 §6.1).
    #[error("transfer-encoding in HTTP/1.0")]
    TransferEncodingInHttp10,
}

impl FramingError {
    /// Envoy's name for it in `%RESPONSE_CODE_DETAILS%`.
    pub const fn details(self) -> &'static str {
        match self {
            Self::UnsupportedTransferEncoding => "http1.invalid_transfer_encoding",
            Self::TransferEncodingWithContentLength => {
                "http1.content_length_and_chunked_not_allowed"
            }
            _ => CODEC_ERROR,
        }
    }
}

/// Why a request head was refused: what the client sent is wrong, or is not allowed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not the grammar of RFC 9112 §2 to §5, a bare LF or a folded line among it.
    #[error("malformed request head")]
    Malformed,
    /// A control character in the target or a field value.
    #[error("control character in the request head")]
    InvalidCharacters,
    /// A method that Envoy's HTTP/1 parser does not know.
    #[error("unknown method")]
    UnknownMethod,
    /// A target that does not fit its method, or an authority in it that is none.
    #[error("malformed request target")]
    InvalidTarget,
    /// An absolute target whose scheme is neither `http` nor `https`.
    #[error("request target of another scheme")]
    InvalidScheme,
    /// A fragment, which no target has (RFC 9112 §3.2).
    #[error("fragment in the request target")]
    FragmentInTarget,
    /// No `host`, or an empty one (RFC 9112 §3.2).
    #[error("no host")]
    MissingHost,
    /// More than one `host`.
    #[error("host occurs twice")]
    DuplicateHost,
    /// A `host` that is no `uri-host [":" port]` (RFC 9110 §7.2).
    #[error("malformed host")]
    InvalidHost,
    /// A `host` other than the authority in the target.
    #[error("host disagrees with the request target")]
    HostMismatch,
    /// A version other than HTTP/1.1, or HTTP/1.0 where that is accepted.
    #[error("unsupported HTTP version")]
    UnsupportedVersion,
    /// The body's length is in doubt.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// CONNECT with a body.
    #[error("a body where none may be")]
    BodyDisallowed,
    /// A header name with `_`, refused by `headers_with_underscores_action: REJECT_REQUEST`.
    #[error("underscore in a header name")]
    UnexpectedUnderscore,
    /// More bytes than [`crate::limits::HeadLimits::bytes_max`].
    #[error("request head too large")]
    HeadTooLarge,
    /// More fields than [`crate::limits::HeadLimits::headers_max`].
    #[error("too many request headers")]
    TooManyHeaders,
}

impl RequestError {
    /// The status that Envoy answers with.
    pub const fn status(self) -> u16 {
        match self {
            Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::Framing(FramingError::UnsupportedTransferEncoding) => 501,
            _ => 400,
        }
    }

    /// `%RESPONSE_CODE_DETAILS%`: Envoy's where it has a case of its own, else that of a codec error.
    pub const fn details(self) -> &'static str {
        match self {
            Self::InvalidCharacters => "http1.invalid_characters",
            Self::InvalidTarget => "http1.invalid_url",
            Self::InvalidScheme => "http1.invalid_scheme",
            Self::FragmentInTarget => "path_normalization_failed",
            Self::MissingHost => "missing_host_header",
            Self::InvalidHost | Self::DuplicateHost | Self::HostMismatch => {
                "http.invalid_authority"
            }
            Self::UnsupportedVersion => "low_version",
            Self::Framing(error) => error.details(),
            Self::BodyDisallowed => "http1.body_disallowed",
            Self::UnexpectedUnderscore => "http1.unexpected_underscore",
            Self::HeadTooLarge => HEADERS_TOO_LARGE,
            Self::TooManyHeaders => TOO_MANY_HEADERS,
            Self::Malformed | Self::UnknownMethod => CODEC_ERROR,
        }
    }

    /// The text/plain body of the answer; empty for the two that Envoy finds after its codec.
    pub const fn body(self) -> &'static str {
        if self.is_codec_error() { body_of(self.status()) } else { "" }
    }

    /// Whether Envoy counts it as a downstream protocol error: flag `DPE`, and nothing of the request
    /// in the log. The others are answered like a request, whose head is then complete.
    pub const fn is_codec_error(self) -> bool {
        !matches!(self, Self::MissingHost | Self::FragmentInTarget)
    }
}

/// Why a response head was refused; the upstream's fault, for the client a 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not the grammar of RFC 9112 §2, §4 and §5, a bare LF or a folded line among it.
    #[error("malformed response head")]
    Malformed,
    /// A status that is not three digits from 100 up (RFC 9110 §15).
    #[error("invalid status code")]
    InvalidStatus,
    /// A version other than HTTP/1.1 and HTTP/1.0.
    #[error("unsupported HTTP version")]
    UnsupportedVersion,
    /// The body's length is in doubt.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A 1xx or 204 that announces a body (RFC 9110 §8.6, RFC 9112 §6.1).
    #[error("a body where none may be")]
    BodyDisallowed,
    /// More bytes than [`crate::limits::HeadLimits::bytes_max`].
    #[error("response head too large")]
    HeadTooLarge,
    /// More fields than [`crate::limits::HeadLimits::headers_max`].
    #[error("too many response headers")]
    TooManyHeaders,
}

impl ResponseError {
    /// Envoy's name for it among its codec's details.
    pub const fn details(self) -> &'static str {
        match self {
            Self::Framing(error) => error.details(),
            Self::BodyDisallowed => "http1.body_disallowed",
            Self::HeadTooLarge => HEADERS_TOO_LARGE,
            Self::TooManyHeaders => TOO_MANY_HEADERS,
            Self::Malformed | Self::InvalidStatus | Self::UnsupportedVersion => CODEC_ERROR,
        }
    }
}

/// Why chunked content was refused; the fault of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A chunk size that is no plain hexadecimal number of at most 64 bits, or not followed by CRLF.
    #[error("malformed chunk size")]
    InvalidSize,
    /// A control or non-ASCII character in a chunk extension.
    #[error("malformed chunk extension")]
    InvalidExtension,
    /// More than [`crate::limits::CHUNK_EXTENSION_BYTES_MAX`].
    #[error("chunk extensions too large")]
    ExtensionsTooLarge,
    /// Chunk data not followed by CRLF.
    #[error("no line end behind chunk data")]
    MissingLineEnd,
    /// A trailer section that is no list of fields.
    #[error("malformed trailers")]
    InvalidTrailers,
    /// More than [`crate::limits::TRAILER_BYTES_MAX`].
    #[error("trailers too large")]
    TrailersTooLarge,
    /// More than [`crate::limits::TRAILERS_MAX`].
    #[error("too many trailers")]
    TooManyTrailers,
}

impl ChunkError {
    /// The status that Envoy answers a request with.
    pub const fn status(self) -> u16 {
        match self {
            Self::TrailersTooLarge | Self::TooManyTrailers => 431,
            _ => 400,
        }
    }

    /// `%RESPONSE_CODE_DETAILS%`.
    pub const fn details(self) -> &'static str {
        match self {
            Self::TrailersTooLarge => HEADERS_TOO_LARGE,
            Self::TooManyTrailers => TOO_MANY_HEADERS,
            _ => CODEC_ERROR,
        }
    }

    /// The text/plain body of the answer to a request.
    pub const fn body(self) -> &'static str {
        body_of(self.status())
    }
}

const CODEC_ERROR: &str = "http1.codec_error";
const HEADERS_TOO_LARGE: &str = "http1.headers_too_large";
const TOO_MANY_HEADERS: &str = "http1.too_many_headers";

/// Envoy's codec answers with the reason phrase as body.
const fn body_of(status: u16) -> &'static str {
    crate::h1::reason_phrase(status)
}

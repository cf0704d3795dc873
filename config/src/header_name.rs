//! Names of header fields (RFC 9110 §5.1).

use crate::report::Note;

/// What to say of a `name` that no header can have.
pub(crate) fn no_header_name(name: &str) -> Note {
    Note::from(format!("'{}' is no valid header name", name.escape_debug()))
        .help("a name has letters, digits and any of !#$%&'*+-.^_`|~")
}

/// Whether a byte may stand in a header name (RFC 9110 §5.6.2, `tchar`).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

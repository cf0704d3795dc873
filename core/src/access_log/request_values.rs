//! What operators say of heads: headers, path, query, host.

use ringmain_config::substitution_format::{
    HeaderOperand, HeaderSource, HostName, PathForm, PathSource, ServerName,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::evaluator::{Evaluator, Kind};

impl<'a> Evaluator<'a> {
    pub(super) fn header(
        &self,
        source: HeaderSource,
        operand: &HeaderOperand,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let headers = match source {
            HeaderSource::Request | HeaderSource::RequestWithoutQuery => self.request()?,
            HeaderSource::Response => &self.exchange.response.headers,
            HeaderSource::ResponseTrailer => self.exchange.response_trailers.as_deref()?,
        };
        let value = match source {
            HeaderSource::Response if operand.name == ":status" => return self.status(out),
            HeaderSource::RequestWithoutQuery => before_query(find(headers, operand)?),
            _ => find(headers, operand)?,
        };
        text(value, out)
    }

    /// The request's headers, if its head could be read.
    pub(super) fn request(&self) -> Option<&'a HeaderMap> {
        self.exchange.info.request_parsed.then_some(&self.exchange.request.headers)
    }

    pub(super) fn path(
        &self,
        form: PathForm,
        source: PathSource,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let headers = self.request()?;
        let original = headers.get(KnownHeader::XEnvoyOriginalPath);
        let path = match source {
            PathSource::Original => original?,
            PathSource::Path => headers.get(KnownHeader::Path)?,
            PathSource::OriginalOrPath => original.or_else(|| headers.get(KnownHeader::Path))?,
        };
        text(if form == PathForm::WithQuery { path } else { before_query(path) }, out)
    }

    /// The query of the request as it came.
    fn received_query(&self) -> Option<&'a [u8]> {
        let headers = self.request()?;
        let original = headers.get(KnownHeader::XEnvoyOriginalPath);
        let path = original.or_else(|| headers.get(KnownHeader::Path))?;
        let start = memchr::memchr(b'?', path)?;
        Some(&path[start + 1..])
    }

    pub(super) fn query(&self, out: &mut Vec<u8>) -> Option<Kind> {
        text(self.received_query()?, out)
    }

    pub(super) fn query_parameter(&self, name: &str, out: &mut Vec<u8>) -> Option<Kind> {
        let value = parameter(self.received_query()?, name.as_bytes())?;
        percent_decode(value, out);
        Some(Kind::Text)
    }

    pub(super) fn server_name(&self, name: ServerName, out: &mut Vec<u8>) -> Option<Kind> {
        let sni = || self.exchange.info.requested_server_name.as_deref().map(str::as_bytes);
        let value = match name {
            ServerName::SniOnly => sni(),
            ServerName::SniFirst(host) => sni().or_else(|| self.host_name(host)),
            ServerName::HostFirst(host) => self.host_name(host).or_else(sni),
        };
        text(value?, out)
    }

    fn host_name(&self, name: HostName) -> Option<&[u8]> {
        let headers = self.request()?;
        let original = || headers.get(KnownHeader::XEnvoyOriginalHost);
        let host = || headers.get(KnownHeader::Authority);
        match name {
            HostName::Original => original(),
            HostName::Host => host(),
            HostName::OriginalOrHost => original().or_else(host),
        }
    }
}

pub(super) fn text(value: &[u8], out: &mut Vec<u8>) -> Option<Kind> {
    out.extend_from_slice(value);
    Some(Kind::Text)
}

fn find<'h>(headers: &'h HeaderMap, operand: &HeaderOperand) -> Option<&'h [u8]> {
    let find = |name: &str| match KnownHeader::from_bytes(name.as_bytes()) {
        Some(KnownHeader::Host) => headers.get(KnownHeader::Authority),
        Some(known) => headers.get(known),
        None => headers.get_by_name(name.as_bytes()),
    };
    find(&operand.name).or_else(|| operand.alternative.as_deref().and_then(find))
}

fn before_query(path: &[u8]) -> &[u8] {
    &path[..memchr::memchr(b'?', path).unwrap_or(path.len())]
}

/// The value of the first parameter of that name; empty without a `=`.
fn parameter<'q>(query: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        (&pair[..end] == name).then(|| pair.get(end + 1..).unwrap_or_default())
    })
}

/// What is no escape stays.
fn percent_decode(text: &[u8], out: &mut Vec<u8>) {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let (b'%', [high, low, after @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push((high * 16 + low) as u8);
            rest = after;
            continue;
        }
        out.push(*first);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let query = b"ab=1&a=2&a=3&b&c=";
        assert_eq!(parameter(query, b"a"), Some(&b"2"[..]));
        assert_eq!(parameter(query, b"b"), Some(&b""[..]));
        assert_eq!(parameter(query, b"c"), Some(&b""[..]));
        assert_eq!(parameter(query, b"d"), None);
    }

    #[test]
    fn escapes_are_decoded_and_the_rest_stays() {
        let mut out = Vec::new();
        percent_decode(b"%20x+y%3d%zz%4", &mut out);
        assert_eq!(out, b" x+y=%zz%4");
    }
}

//! Field sections between our map and the `http` crate's, which `h2` speaks.

use bytes::BytesMut;
use h2::ext::Protocol;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use crate::h1::Framing;
use crate::{FramingError, HeaderMap, KnownHeader};

/// Fields that belong to one HTTP/1 connection (RFC 9113 §8.2.2). Requests have no `host`, which stands in
/// `:authority`; in a response it is a field as any other.
const CONNECTION_FIELDS: [KnownHeader; 5] = [
    KnownHeader::Connection,
    KnownHeader::KeepAlive,
    KnownHeader::ProxyConnection,
    KnownHeader::TransferEncoding,
    KnownHeader::Upgrade,
];

/// The request that `headers` describe, or `None` where its target is none that HTTP/2 can carry. One
/// with `upgrade` becomes an extended CONNECT (RFC 8441 §4).
pub(super) fn request(headers: &HeaderMap) -> Option<Request<()>> {
    let pseudo = |name| headers.get(name).unwrap_or_default();
    let protocol = headers.get(KnownHeader::Upgrade);
    let method = Method::from_bytes(pseudo(KnownHeader::Method)).ok()?;
    let mut target =
        Uri::builder().authority(Authority::try_from(pseudo(KnownHeader::Authority)).ok()?);
    if method != Method::CONNECT {
        let scheme = headers.get(KnownHeader::Scheme).unwrap_or(b"http");
        target = target
            .scheme(Scheme::try_from(scheme).ok()?)
            .path_and_query(PathAndQuery::try_from(pseudo(KnownHeader::Path)).ok()?);
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    if let Some(protocol) = protocol {
        *request.method_mut() = Method::CONNECT;
        let protocol = std::str::from_utf8(protocol).ok()?;
        request.extensions_mut().insert(Protocol::from(protocol));
    }
    *request.uri_mut() = target.build().ok()?;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = fields(headers);
    Some(request)
}

/// The fields without what belongs to one connection. All values share one allocation.
pub(super) fn fields(headers: &HeaderMap) -> http::HeaderMap {
    let bytes = headers.fields().map(|field| field.value.len()).sum();
    let mut values = BytesMut::with_capacity(bytes);
    let mut fields = http::HeaderMap::with_capacity(headers.len());
    for field in headers.fields() {
        let name = match field.known {
            Some(known) if belongs_to_connection(known, field.value) => continue,
            Some(known) => known.http_name(),
            None => HeaderName::from_bytes(field.name).ok(),
        };
        values.extend_from_slice(field.value);
        let value = HeaderValue::from_maybe_shared(values.split().freeze());
        // What is neither a name nor a value was refused when it came in.
        if let (Some(name), Ok(mut value)) = (name, value) {
            // No two are the same: in HPACK's table they would push out what comes again, and the `h2` crate looks at
            // all values that it has for a name.
            value.set_sensitive(field.known == Some(KnownHeader::XRequestId));
            fields.append(name, value);
        }
    }
    fields
}

fn belongs_to_connection(known: KnownHeader, value: &[u8]) -> bool {
    CONNECTION_FIELDS.contains(&known)
        // RFC 9113 §8.2.2: the one value that is allowed.
        || known == KnownHeader::Te && !value.eq_ignore_ascii_case(b"trailers")
}

/// Adds `fields` to `headers`.
pub(super) fn append(fields: &http::HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in fields {
        headers.append(name.as_str().as_bytes(), value.as_bytes());
    }
}

/// What a head's `fields` say of its body's length, by the rules of HTTP/1, which the next hop may
/// speak. The `h2` crate lets an empty length pass, and equal ones.
pub(super) fn framing(fields: &http::HeaderMap) -> Result<Framing, FramingError> {
    let mut framing = Framing::default();
    for length in fields.get_all(http::header::CONTENT_LENGTH) {
        framing.content_length(length.as_bytes())?;
    }
    Ok(framing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::BodyLength;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    #[test]
    fn a_request_keeps_its_pseudo_headers_and_its_order() {
        let headers = headers(&[
            (":method", "POST"),
            (":authority", "a.example:80"),
            (":path", "/b?c"),
            (":scheme", "https"),
            ("x-one", "1"),
            ("accept", "*/*"),
            ("x-one", "2"),
        ]);
        let request = request(&headers).expect("a request");
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://a.example:80/b?c");
        let fields: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        assert_eq!(fields, [("x-one", &b"1"[..]), ("x-one", b"2"), ("accept", b"*/*")]);
    }

    #[test]
    fn a_length_is_plain_and_single() {
        let framing_of = |lengths: &[&str]| {
            let mut fields = http::HeaderMap::new();
            for length in lengths {
                let value = HeaderValue::from_str(length).expect("a value");
                fields.append(http::header::CONTENT_LENGTH, value);
            }
            framing(&fields).map(|it| it.body_length(BodyLength::Chunked))
        };
        assert_eq!(framing_of(&[]), Ok(BodyLength::Chunked));
        assert_eq!(framing_of(&["5"]), Ok(BodyLength::Length(5)));
        for lengths in [&[""][..], &["x"], &["+5"], &["5, 5"]] {
            assert_eq!(framing_of(lengths), Err(FramingError::InvalidContentLength));
        }
        assert_eq!(framing_of(&["5", "5"]), Err(FramingError::DuplicateContentLength));
    }

    #[test]
    fn an_upgrade_becomes_an_extended_connect() {
        let headers = headers(&[
            (":method", "GET"),
            (":authority", "a"),
            (":path", "/chat"),
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("a", "b"),
        ]);
        let request = request(&headers).expect("a request");
        assert_eq!((request.method(), request.uri().path()), (&Method::CONNECT, "/chat"));
        assert_eq!(request.extensions().get::<Protocol>(), Some(&Protocol::from("websocket")));
        assert_eq!(request.headers().len(), 1);
    }

    #[test]
    fn what_belongs_to_a_connection_stays_behind() {
        let headers = headers(&[
            ("connection", "close"),
            ("te", "gzip"),
            ("te", "Trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("a", "b"),
        ]);
        let fields = fields(&headers);
        assert_eq!(fields.len(), 2);
        assert_eq!(fields["te"], "Trailers");
        assert_eq!(fields["a"], "b");
    }

    #[test]
    fn request_ids_stay_out_of_the_table() {
        let fields = fields(&headers(&[("x-request-id", "1"), ("a", "2")]));
        assert!(fields["x-request-id"].is_sensitive() && !fields["a"].is_sensitive());
    }

    #[test]
    fn fields_come_back_as_they_went() {
        let headers = headers(&[("a", "1"), ("grpc-status", "0"), ("a", "\u{e9}")]);
        let mut back = HeaderMap::new();
        append(&fields(&headers), &mut back);
        let texts: Vec<_> = back.iter().map(|field| (field.name, field.value)).collect();
        assert_eq!(
            texts,
            [(&b"a"[..], &b"1"[..]), (b"a", "\u{e9}".as_bytes()), (b"grpc-status", b"0")]
        );
    }

    #[test]
    fn a_target_that_is_none_is_refused() {
        let bad = headers(&[(":method", "GET"), (":authority", "a b"), (":path", "/")]);
        assert!(request(&bad).is_none());
    }
}

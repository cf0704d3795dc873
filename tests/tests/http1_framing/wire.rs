//! A reader of what the proxy sends, written apart from the proxy's own codec. It knows one way to
//! say a thing and takes no other: whatever could be read in two ways is a fault of the proxy.

use std::fmt::Write;

/// One request as it stood on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Every byte of it.
    pub raw: Vec<u8>,
    /// Request line and fields, each with its CRLF, and the empty line.
    pub head: String,
    /// The method.
    pub method: String,
    /// The target.
    pub target: String,
    /// Names and values, in order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, out of its chunks.
    pub body: Vec<u8>,
    /// Trailer lines.
    pub trailers: String,
    /// Whether the body came in chunks.
    pub chunked: bool,
}

impl Request {
    /// The request with its chunks joined: the same however they were cut.
    pub fn joined(&self) -> String {
        let mut text = self.head.clone();
        let _ = write!(text, "{}{}", self.body.escape_ascii(), self.trailers);
        text
    }
}

/// Fields that concern one connection, which no proxy passes on (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 4] = ["connection", "keep-alive", "proxy-connection", "upgrade"];

/// Fields that decide where a message ends or goes: none may come after its content.
const NOT_IN_TRAILERS: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// The first request in `bytes` and its length, `None` where it is incomplete, or what is wrong.
pub fn read_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end + 4];
    let mut lines = lines_of(&bytes[..end + 2])?.into_iter();
    let (method, target) = request_line(lines.next().unwrap_or_default())?;
    let fields = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    judge_fields(&fields)?;
    let framing = framing_of(&fields)?;
    let Some(body) = body_of(&bytes[end + 4..], framing)? else { return Ok(None) };
    let length = head.len() + body.length;
    let request = Request {
        raw: bytes[..length].to_vec(),
        head: text(head),
        method,
        target,
        fields,
        body: body.data,
        trailers: body.trailers,
        chunked: framing == Framing::Chunked,
    };
    Ok(Some((request, length)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Nothing,
    Length(usize),
    Chunked,
}

#[derive(Debug, Default)]
struct Body {
    data: Vec<u8>,
    trailers: String,
    length: usize,
}

/// The lines of a head, whose ends are the only CR and LF in it.
fn lines_of(head: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut lines = Vec::new();
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").ok_or("a bare LF in a head")?;
        if let Some(byte) = line.iter().find(|byte| is_control(**byte)) {
            return Err(format!("byte {byte:#04x} in a head: {}", line.escape_ascii()));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

fn request_line(line: &[u8]) -> Result<(String, String), String> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = parts[..] else {
        return Err(format!("request line: {}", line.escape_ascii()));
    };
    let good = is_token(method)
        && target.first().is_some_and(|byte| matches!(byte, b'/' | b'*'))
        && target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    if good {
        Ok((text(method), text(target)))
    } else {
        Err(format!("request line: {}", line.escape_ascii()))
    }
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let at = find(line, b": ").ok_or_else(|| format!("field line: {}", line.escape_ascii()))?;
    let (name, value) = (&line[..at], &line[at + 2..]);
    let good = is_token(name) && !name.iter().any(u8::is_ascii_uppercase);
    if good && value.trim_ascii() == value {
        Ok((text(name), value.to_vec()))
    } else {
        Err(format!("field line: {}", line.escape_ascii()))
    }
}

fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

fn judge_fields(fields: &[(String, Vec<u8>)]) -> Result<(), String> {
    let hosts: Vec<&[u8]> = values(fields, "host").collect();
    if !matches!(hosts[..], [host] if !host.is_empty() && host.iter().all(u8::is_ascii_graphic)) {
        return Err(format!("{} hosts, or one that is none", hosts.len()));
    }
    for (name, value) in fields {
        let answered_here = name == "expect" && value.eq_ignore_ascii_case(b"100-continue");
        let of_coding = name == "te" && value != b"trailers";
        if HOP_BY_HOP.contains(&name.as_str()) || answered_here || of_coding {
            return Err(format!("{name} is of one connection: {}", value.escape_ascii()));
        }
    }
    Ok(())
}

fn framing_of(fields: &[(String, Vec<u8>)]) -> Result<Framing, String> {
    let lengths: Vec<&[u8]> = values(fields, "content-length").collect();
    let codings: Vec<&[u8]> = values(fields, "transfer-encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Nothing),
        ([], [coding]) if *coding == b"chunked" => Ok(Framing::Chunked),
        ([length], []) if length.iter().all(u8::is_ascii_digit) => {
            let length = text(length).parse().map_err(|_| "a length that is no number")?;
            Ok(Framing::Length(length))
        }
        _ => Err(format!("two framings or an odd one: {lengths:?} {codings:?}")),
    }
}

fn values<'a>(fields: &'a [(String, Vec<u8>)], name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.0 == name).map(|field| &field.1[..])
}

fn body_of(bytes: &[u8], framing: Framing) -> Result<Option<Body>, String> {
    match framing {
        Framing::Nothing => Ok(Some(Body::default())),
        Framing::Length(length) => Ok(bytes.get(..length).map(|data| Body {
            data: data.to_vec(),
            length,
            ..Body::default()
        })),
        Framing::Chunked => chunks(bytes),
    }
}

/// A response with its chunks joined: the same however they were cut. `None` where its end has not
/// come, which is before the connection's end where nothing else tells.
pub fn joined_response(text: &str) -> Option<String> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let bytes: Vec<u8> = body.chars().map(|byte| byte as u8).collect();
    if head.contains("\r\ntransfer-encoding: chunked") {
        let body = chunks(&bytes).ok()??;
        let rest = self::text(&bytes[body.length..]);
        return Some(format!("{head}\r\n\r\n{}{}{rest}", self::text(&body.data), body.trailers));
    }
    let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
    (bytes.len() >= length).then(|| text.to_owned())
}

fn chunks(bytes: &[u8]) -> Result<Option<Body>, String> {
    let mut body = Body::default();
    loop {
        let Some(size) = line_at(bytes, &mut body.length) else { return Ok(None) };
        let plain = !size.is_empty()
            && size.len() <= 16
            && size.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !plain {
            return Err(format!("chunk size: {}", size.escape_ascii()));
        }
        let size = usize::from_str_radix(&text(size), 16).map_err(|error| error.to_string())?;
        if size == 0 {
            break;
        }
        let Some(data) = bytes.get(body.length..body.length + size) else { return Ok(None) };
        body.data.extend_from_slice(data);
        body.length += size;
        match line_at(bytes, &mut body.length) {
            None => return Ok(None),
            Some(b"") => {}
            Some(junk) => return Err(format!("behind a chunk: {}", junk.escape_ascii())),
        }
    }
    loop {
        let Some(line) = line_at(bytes, &mut body.length) else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some(body));
        }
        lines_of(&[line, b"\r\n"].concat())?;
        let (name, _) = field(line)?;
        if NOT_IN_TRAILERS.contains(&name.as_str()) {
            return Err(format!("{name} in the trailers"));
        }
        let _ = write!(body.trailers, "{}\r\n", text(line));
    }
}

/// The line at `*at`, which moves behind it.
fn line_at<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*at..)?;
    let end = find(rest, b"\r\n")?;
    *at += end + 2;
    Some(&rest[..end])
}

/// Names that the `connection` fields of a head, however badly written, may mean.
pub fn nominated(head: &str) -> Vec<String> {
    head.split(['\r', '\n'])
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(','))
        .map(|token| token.trim().to_ascii_lowercase())
        .collect()
}

/// Bytes as text, whatever they are.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Where `needle` stands in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[test]
fn the_reader_takes_one_way_only() {
    let good = b"POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: 1\r\n\r\nGET";
    let (request, length) = read_request(good).expect("well-formed").expect("complete");
    assert_eq!((request.body.as_slice(), length), (&b"hi"[..], good.len() - 3));
    for end in 0..length {
        assert_eq!(read_request(&good[..end]), Ok(None), "{end} bytes");
    }
    for bad in [
        "GET / HTTP/1.0\r\nhost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: \r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\nx: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \r1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: 1\0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n x: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nte: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nhost: b\r\n\r\n",
    ] {
        assert!(read_request(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

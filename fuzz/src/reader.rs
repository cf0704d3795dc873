//! A reader of requests that shares no code with ours: RFC 9112 in its plainest form. It takes nothing that
//! another reader could take for something else.

/// A whole request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ReadRequest {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub host: Vec<u8>,
    pub body: Vec<u8>,
}

/// The whole requests at the front of some bytes. It ends before one that is incomplete, and at a fault.
#[derive(Debug)]
pub(crate) struct Requests<'a> {
    rest: &'a [u8],
    fault: Option<&'static str>,
}

/// Why there is no request.
enum Stop {
    Incomplete,
    Fault(&'static str),
}

impl<'a> Requests<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, fault: None }
    }

    /// What a strict reader refuses; `None` where the bytes merely end.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.fault
    }
}

impl Iterator for Requests<'_> {
    type Item = ReadRequest;

    fn next(&mut self) -> Option<ReadRequest> {
        let mut rest = self.rest;
        match read_request(&mut rest) {
            Ok(request) => {
                self.rest = rest;
                Some(request)
            }
            Err(Stop::Incomplete) => None,
            Err(Stop::Fault(fault)) => {
                self.fault = Some(fault);
                None
            }
        }
    }
}

fn read_request(rest: &mut &[u8]) -> Result<ReadRequest, Stop> {
    let line = read_line(rest)?;
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = words[..] else { return Err(Stop::Fault("request line")) };
    let fields = read_fields(rest)?;
    let [host] = values(&fields, "host")[..] else { return Err(Stop::Fault("not one host")) };
    let body =
        match (&values(&fields, "content-length")[..], &values(&fields, "transfer-encoding")[..]) {
            ([], []) => Vec::new(),
            ([length], []) => read_bytes(rest, decimal(length)?)?,
            ([], [b"chunked"]) => read_chunks(rest)?,
            _ => return Err(Stop::Fault("framing")),
        };
    for name in ["connection", "keep-alive", "proxy-connection", "upgrade"] {
        if !values(&fields, name).is_empty() {
            return Err(Stop::Fault("a field of one connection"));
        }
    }
    Ok(ReadRequest { method: method.into(), target: target.into(), host: host.into(), body })
}

/// Name and value of each field up to the empty line.
fn read_fields<'a>(rest: &mut &'a [u8]) -> Result<Vec<(String, &'a [u8])>, Stop> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(rest)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Stop::Fault("no colon"))?;
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if colon == 0 || !line[..colon].iter().all(is_token) {
            return Err(Stop::Fault("name"));
        }
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        fields.push((name, line[colon + 1..].trim_ascii()));
    }
}

fn values<'a>(fields: &[(String, &'a [u8])], name: &str) -> Vec<&'a [u8]> {
    fields.iter().filter(|field| field.0 == name).map(|field| field.1).collect()
}

/// A line without its CRLF. A CR, LF or NUL in it is a fault.
fn read_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Stop> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::Incomplete)?;
    let line = &rest[..end];
    if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Stop::Fault("a control character in a line"));
    }
    *rest = &rest[end + 2..];
    Ok(line)
}

fn read_chunks(rest: &mut &[u8]) -> Result<Vec<u8>, Stop> {
    let mut body = Vec::new();
    loop {
        let line = read_line(rest)?;
        let text = std::str::from_utf8(line).map_err(|_| Stop::Fault("chunk size"))?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Stop::Fault("chunk size"));
        }
        let size = usize::from_str_radix(text, 16).map_err(|_| Stop::Fault("chunk size"))?;
        if size == 0 {
            read_fields(rest)?;
            return Ok(body);
        }
        body.extend(read_bytes(rest, size)?);
        if !read_line(rest)?.is_empty() {
            return Err(Stop::Fault("no line end behind a chunk"));
        }
    }
}

fn read_bytes(rest: &mut &[u8], count: usize) -> Result<Vec<u8>, Stop> {
    let (bytes, behind) = rest.split_at_checked(count).ok_or(Stop::Incomplete)?;
    *rest = behind;
    Ok(bytes.to_vec())
}

fn decimal(text: &[u8]) -> Result<usize, Stop> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Stop::Fault("content-length"));
    }
    // One that overflows has no end that could come.
    Ok(String::from_utf8_lossy(text).parse().unwrap_or(usize::MAX))
}

//! A client's whole connection of HTTP/1: what is forwarded of it are the same requests to a reader that
//! shares no code with ours, however the bytes arrive.

use ringmain::http::request_headers::remove_hop_by_hop;
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::{
    BodyLength, ChunkedDecoder, HeadProgress, KeyFormat, RequestHead, RequestOptions,
    encode_request, encode_trailers, write_chunk_size,
};

use crate::reader::{ReadRequest, Requests};

/// Checks `bytes` as all that a client sends.
pub fn check(bytes: &[u8]) {
    let whole = forward([bytes]);
    check_upstream(&whole);
    for piece in [1, 7] {
        let piecewise = forward(bytes.chunks(piece));
        assert_eq!(piecewise.requests, whole.requests);
        check_upstream(&piecewise);
    }
}

/// What came of a connection.
#[derive(Debug, Default)]
struct Forwarded {
    /// The bytes that went upstream.
    bytes: Vec<u8>,
    /// The requests that are complete, as our codec reads them.
    requests: Vec<ReadRequest>,
}

/// The upstream finds what we meant, and nothing behind the last whole request but the beginning of one.
fn check_upstream(forwarded: &Forwarded) {
    let mut reader = Requests::new(&forwarded.bytes);
    let read: Vec<_> = reader.by_ref().collect();
    assert_eq!(read, forwarded.requests, "{}", forwarded.bytes.escape_ascii());
    assert!(reader.fault().is_none(), "{:?}", reader.fault());
}

fn forward<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Forwarded {
    let mut connection = Connection::default();
    for piece in pieces {
        connection.input.extend_from_slice(piece);
        while connection.step() {}
    }
    connection.forwarded
}

/// The codec as the connection manager uses it, without the sockets.
#[derive(Default)]
struct Connection {
    input: Vec<u8>,
    head: RequestHead,
    progress: HeadProgress,
    decoder: ChunkedDecoder,
    state: State,
    request: ReadRequest,
    forwarded: Forwarded,
}

#[derive(Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    Chunked,
    Closed,
}

impl Connection {
    /// Does the next thing; false where it takes more bytes.
    fn step(&mut self) -> bool {
        match self.state {
            State::Head => self.read_head(),
            State::Length(left) => self.read_bytes(left),
            State::Chunked => self.read_chunks(),
            State::Closed => false,
        }
    }

    fn read_head(&mut self) -> bool {
        let options = RequestOptions::default();
        let parsed = self.head.parse(&self.input, &mut self.progress, &options);
        let consumed = match parsed {
            Ok(Some(consumed)) => consumed,
            Ok(None) => return false,
            Err(_) => return self.close(),
        };
        self.input.drain(..consumed);
        self.progress = HeadProgress::default();
        let headers = &mut self.head.headers;
        let get = |name| headers.get(name).unwrap_or_default().to_vec();
        let (method, path) = (get(KnownHeader::Method), get(KnownHeader::Path));
        // No route takes another target, and behind an upgrade comes what is not HTTP.
        if self.head.upgrade || !path.starts_with(b"/") {
            return self.close();
        }
        remove_hop_by_hop(headers, false);
        let host = headers.get(KnownHeader::Authority).unwrap_or_default().to_vec();
        let chunked = self.head.body == BodyLength::Chunked;
        encode_request(headers, chunked, KeyFormat::LowerCase, &mut self.forwarded.bytes);
        self.request = ReadRequest { method, target: path, host, body: Vec::new() };
        match self.head.body {
            BodyLength::Length(length) => self.state = State::Length(length),
            BodyLength::Chunked => {
                self.decoder.clear();
                self.state = State::Chunked;
            }
            BodyLength::None => self.end_request(),
            BodyLength::UntilClose => panic!("a request has an end"),
        }
        true
    }

    fn read_bytes(&mut self, left: u64) -> bool {
        let part = self.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.request.body.extend_from_slice(&self.input[..part]);
        self.forwarded.bytes.extend(self.input.drain(..part));
        self.state = State::Length(left - part as u64);
        if left == part as u64 {
            self.end_request();
            return true;
        }
        false
    }

    fn read_chunks(&mut self) -> bool {
        if self.input.is_empty() {
            return false;
        }
        let Ok(decoded) = self.decoder.decode(&mut self.input) else { return self.close() };
        let data = &self.input[..decoded.data_len];
        if !data.is_empty() {
            let out = &mut self.forwarded.bytes;
            out.extend_from_slice(write_chunk_size(data.len(), &mut [0; 18]));
            out.extend_from_slice(data);
            out.extend_from_slice(b"\r\n");
            self.request.body.extend_from_slice(data);
        }
        self.input.drain(..decoded.consumed);
        if decoded.complete {
            let trailers = &self.decoder.trailers;
            encode_trailers(trailers, KeyFormat::LowerCase, &mut self.forwarded.bytes);
            self.end_request();
        }
        decoded.complete
    }

    fn end_request(&mut self) {
        self.forwarded.requests.push(std::mem::take(&mut self.request));
        self.state = if self.head.keep_alive { State::Head } else { State::Closed };
    }

    fn close(&mut self) -> bool {
        self.state = State::Closed;
        false
    }
}

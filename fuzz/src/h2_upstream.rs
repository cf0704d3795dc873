//! A connection of HTTP/2 to a host: whatever the host sends, the connection ends or goes on, each head and
//! section of trailers that comes of it is one to a reader of HTTP/1, no body comes where none belongs, and
//! the host cannot make us write much more than it sends.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ringmain_proto_codec::h1::{KeyFormat, ResponseHead, encode_response, encode_trailers};
use ringmain_proto_codec::h2::client::{
    self, ClientHandle, ClientOptions, ClientStream, ReceivedHead, RequestHead,
};
use ringmain_proto_codec::h2::io::{HeapBuffers, memory_io};
use ringmain_proto_codec::limits::HeadLimits;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::pieces::give_more;
use crate::wire::assert_one_head;

const OPTIONS: ClientOptions = ClientOptions {
    max_concurrent_streams: 4,
    initial_stream_window_size: 1 << 16,
    initial_connection_window_size: 1 << 16,
    hpack_table_size: 4096,
    header_list_bytes_max: 1 << 14,
};
const LIMITS: HeadLimits = HeadLimits { bytes_max: 1 << 14, headers_max: 100 };

/// What we write for each byte that comes, at most: RST_STREAM has 13 bytes, and the smallest frame that asks
/// for one has 9.
const WRITTEN_PER_BYTE_MAX: usize = 2;
/// The preface, SETTINGS, the requests and what their body takes.
const WRITTEN_FIRST_MAX: usize = 1024;

/// What bodies are sent in.
type Body = &'static [u8];

/// Checks `bytes` as all that a host sends, in one piece and in small ones.
pub fn check(bytes: &[u8]) {
    for piece in [bytes.len().max(1), 7] {
        let written = drive(&mut bytes.chunks(piece));
        let most = WRITTEN_FIRST_MAX + WRITTEN_PER_BYTE_MAX * bytes.len();
        assert!(written <= most, "{written} bytes written for {}", bytes.len());
    }
}

/// How many bytes were written.
fn drive<'a>(pieces: &mut impl Iterator<Item = &'a [u8]>) -> usize {
    let (io, handle) = memory_io(Rc::new(HeapBuffers));
    let mut context = Context::from_waker(Waker::noop());
    let mut connecting = pin!(client::connect::<Vec<u8>, Body>(io, &OPTIONS));
    let Poll::Ready(Ok((mut requests, mut connection))) = connecting.as_mut().poll(&mut context)
    else {
        panic!("a client begins at once")
    };
    let mut exchanges =
        [b"GET" as &[u8], b"HEAD", b"POST"].map(|method| Exchange::begin(&mut requests, method));
    let mut written = 0;
    loop {
        let ended = connection.poll(&mut context).is_ready();
        exchanges.iter_mut().for_each(|exchange| exchange.go_on(&mut context));
        written += handle.take_output().len();
        if ended || !give_more(&handle, pieces) {
            return written;
        }
    }
}

/// A request, and how far its response has come.
struct Exchange {
    stream: ClientStream<Body>,
    head: ResponseHead,
    is_head: bool,
    awaited: Awaited,
}

enum Awaited {
    Head,
    Body,
    Trailers,
    Nothing,
}

impl Exchange {
    /// The body of a POST has begun, and does not end.
    fn begin(requests: &mut ClientHandle<Body>, method: &[u8]) -> Self {
        let mut headers = HeaderMap::default();
        for (name, value) in [
            (KnownHeader::Method, method),
            (KnownHeader::Scheme, b"http"),
            (KnownHeader::Authority, b"a.example"),
            (KnownHeader::Path, b"/"),
        ] {
            headers.append_known(name, value);
        }
        let head = RequestHead::new(&headers).expect("a head");
        let mut stream = requests.request(head, method != b"POST").expect("few are open");
        if method == b"POST" {
            let _sent = stream.send_data(b"body", false);
        }
        let head = ResponseHead::default();
        Self { stream, head, is_head: method == b"HEAD", awaited: Awaited::Head }
    }

    /// Takes what has come.
    fn go_on(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(next) = self.poll_next(context) {
            self.awaited = next;
            if matches!(self.awaited, Awaited::Nothing) {
                return;
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Awaited> {
        match self.awaited {
            Awaited::Head => self.stream.poll_head(context, &mut self.head, &LIMITS).map(|came| {
                let Ok(came) = came else { return Awaited::Nothing };
                self.check_head();
                if came == ReceivedHead::Interim { Awaited::Head } else { Awaited::Body }
            }),
            Awaited::Body => self.stream.poll_data(context).map(|came| match came {
                Some(Ok(data)) => {
                    let has_no_body = self.is_head || matches!(self.head.status, 204 | 304);
                    assert!(data.is_empty() || !has_no_body, "a body to {}", self.head.status);
                    self.stream.release(data.len());
                    Awaited::Body
                }
                Some(Err(_)) => Awaited::Nothing,
                None => Awaited::Trailers,
            }),
            Awaited::Trailers => self.stream.poll_trailers(context).map(|came| {
                if let Ok(Some(trailers)) = came {
                    check_trailers(&trailers);
                }
                Awaited::Nothing
            }),
            Awaited::Nothing => Poll::Pending,
        }
    }

    fn check_head(&self) {
        let (mut encoded, head) = (Vec::new(), &self.head);
        encode_response(head.status, &head.headers, false, KeyFormat::LowerCase, &mut encoded);
        assert_one_head(&encoded);
    }
}

fn check_trailers(trailers: &HeaderMap) {
    let mut encoded = Vec::new();
    encode_trailers(trailers, KeyFormat::LowerCase, &mut encoded);
    assert_one_head(&encoded);
}

//! Between the versions of HTTP: a request that came in HTTP/1 reaches an HTTP/2 server as the same request,
//! and its response comes back as the same response.
//!
//! The input is the head of a request, then the head of its response, as HTTP/1 has them.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ringmain::http::request_headers::remove_hop_by_hop;
use ringmain_proto_codec::h1::{
    HeadProgress, KeyFormat, RequestHead, RequestKind, RequestOptions, ResponseHead,
    ResponseOptions, encode_request, encode_response,
};
use ringmain_proto_codec::h2::client::{
    self, ClientConnection, ClientHandle, ClientOptions, ReceivedHead, RequestHead as Converted,
};
use ringmain_proto_codec::h2::io::{HeapBuffers, MemoryIoHandle, memory_io};
use ringmain_proto_codec::h2::server::{self, Incoming, ServerConnection, ServerOptions};
use ringmain_proto_codec::limits::HeadLimits;
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use crate::wire::{assert_one_head, count_fields};

const SERVER: ServerOptions = ServerOptions {
    max_concurrent_streams: 4,
    initial_stream_window_size: 1 << 16,
    initial_connection_window_size: 1 << 16,
    hpack_table_size: 4096,
    header_list_bytes_max: 1 << 20,
    allow_connect: true,
};
const CLIENT: ClientOptions = ClientOptions {
    max_concurrent_streams: 4,
    initial_stream_window_size: 1 << 16,
    initial_connection_window_size: 1 << 16,
    hpack_table_size: 4096,
    header_list_bytes_max: 1 << 20,
};
const LIMITS: HeadLimits = HeadLimits { bytes_max: 1 << 20, headers_max: 1000 };
/// Turns that an exchange takes at most.
const TURNS_MAX: usize = 64;

type Body = &'static [u8];

/// Checks `bytes`.
pub fn check(bytes: &[u8]) {
    let mut request = RequestHead::default();
    let options = RequestOptions { limits: LIMITS, ..Default::default() };
    let parsed = request.parse(bytes, &mut HeadProgress::default(), &options);
    let Ok(Some(end)) = parsed else { return };
    remove_hop_by_hop(&mut request.headers, request.upgrade);
    request.headers.set(KnownHeader::Scheme, b"http");
    let Some(converted) = Converted::new(&request.headers) else { return };
    let Some((mut pair, incoming)) = Pair::with_request(converted) else { return };
    check_request(&request, &incoming);
    let mut response = ResponseHead::default();
    let options = ResponseOptions { limits: LIMITS, preserve_case: None };
    let kind = if request.upgrade { RequestKind::Upgrade } else { RequestKind::Other };
    let parsed = response.parse(&bytes[end..], &mut HeadProgress::default(), kind, &options);
    if !matches!(parsed, Ok(Some(_))) || response.status < 200 {
        return;
    }
    remove_hop_by_hop(&mut response.headers, false);
    if let Some(received) = pair.answer(incoming, &response) {
        check_response(&response, &received);
    }
}

/// Pseudo-headers are the same, and so are the fields that may pass, those of one name in their order.
fn check_request(sent: &RequestHead, incoming: &Incoming<Body>) {
    let mut head = RequestHead::default();
    incoming.head.write_to(&mut head, false);
    assert_eq!(head.upgrade, sent.upgrade);
    for name in [KnownHeader::Method, KnownHeader::Authority, KnownHeader::Scheme] {
        // An upgrade is a CONNECT on the way and GET again behind it.
        if !(sent.upgrade && name == KnownHeader::Method) {
            assert_eq!(head.headers.get(name), sent.headers.get(name), "{name:?}");
        }
    }
    assert_eq!(by_name(&head.headers), by_name(&sent.headers));
    let mut encoded = Vec::new();
    encode_request(&head.headers, false, KeyFormat::LowerCase, &mut encoded);
    assert_one_head(&encoded);
    assert!(count_fields(&encoded, b"host") <= 1);
}

fn check_response(sent: &ResponseHead, received: &ResponseHead) {
    assert_eq!(received.status, sent.status);
    assert_eq!(by_name(&received.headers), by_name(&sent.headers));
    let mut encoded = Vec::new();
    encode_response(received.status, &received.headers, false, KeyFormat::LowerCase, &mut encoded);
    assert_one_head(&encoded);
}

/// The fields that cross over, sorted by name. Crumbs of `cookie` are joined on the way.
fn by_name(headers: &HeaderMap) -> Vec<(Vec<u8>, Vec<u8>)> {
    let passes = |name: &[u8]| !matches!(name, b"cookie" | b"connection" | b"upgrade" | b"te");
    let fields = headers.fields().filter(|field| passes(field.name));
    let mut list: Vec<_> =
        fields.map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let crumbs: Vec<&[u8]> = headers.get_all(KnownHeader::Cookie).collect();
    if !crumbs.is_empty() {
        list.push((b"cookie".to_vec(), crumbs.join(&b"; "[..])));
    }
    list
}

/// A client and a server on one connection in memory.
struct Pair {
    client: ClientConnection<Vec<u8>, Body>,
    /// The connection ends with it.
    _requests: ClientHandle<Body>,
    stream: client::ClientStream<Body>,
    server: ServerConnection<Vec<u8>, Body>,
    ends: [MemoryIoHandle<Vec<u8>>; 2],
}

impl Pair {
    /// A connection on which `head` has come to the server; `None` where one side refused it.
    fn with_request(head: Converted) -> Option<(Self, Incoming<Body>)> {
        let mut context = Context::from_waker(Waker::noop());
        let (client_io, client_end) = memory_io(Rc::new(HeapBuffers));
        let (server_io, server_end) = memory_io(Rc::new(HeapBuffers));
        let ends = [client_end, server_end];
        let mut connecting = pin!(client::connect(client_io, &CLIENT));
        let Poll::Ready(Ok((mut requests, mut client))) = connecting.as_mut().poll(&mut context)
        else {
            panic!("a client begins at once")
        };
        let stream = requests.request(head, true).ok()?;
        let mut accepting = pin!(server::accept::<Vec<u8>, Body>(server_io, &SERVER));
        let mut server = (0..TURNS_MAX).find_map(|_| {
            let _ended = client.poll(&mut context);
            carry(&ends);
            match accepting.as_mut().poll(&mut context) {
                Poll::Ready(accepted) => Some(accepted.expect("a good preface")),
                Poll::Pending => None,
            }
        })?;
        let incoming = (0..TURNS_MAX).find_map(|_| {
            let _ended = client.poll(&mut context);
            carry(&ends);
            match server.poll_request(&mut context) {
                Poll::Ready(incoming) => Some(incoming.and_then(Result::ok)),
                Poll::Pending => None,
            }
        })??;
        Some((Self { client, _requests: requests, stream, server, ends }, incoming))
    }

    /// Sends `head` as the response and reads it at the client.
    fn answer(
        &mut self,
        mut incoming: Incoming<Body>,
        head: &ResponseHead,
    ) -> Option<ResponseHead> {
        let mut context = Context::from_waker(Waker::noop());
        incoming.stream.send_head(head, true).ok()?;
        let mut received = ResponseHead::default();
        for _ in 0..TURNS_MAX {
            let _request: Poll<_> = self.server.poll_request(&mut context);
            carry(&self.ends);
            let _ended = self.client.poll(&mut context);
            match self.stream.poll_head(&mut context, &mut received, &LIMITS) {
                Poll::Ready(Ok(ReceivedHead::Final)) => return Some(received),
                Poll::Ready(Ok(ReceivedHead::Interim)) => panic!("none was sent"),
                Poll::Ready(Err(_)) => return None,
                Poll::Pending => {}
            }
        }
        panic!("the response does not come")
    }
}

/// Carries what each end has written to the other.
fn carry(ends: &[MemoryIoHandle<Vec<u8>>; 2]) {
    for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
        if from.has_output() && to.wants_input() {
            to.feed(from.take_output());
        }
    }
}

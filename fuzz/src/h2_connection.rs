//! A client's connection of HTTP/2: whatever comes, it ends or goes on, and each request that it brings
//! is one head of HTTP/1 to any reader.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ringmain_proto_codec::auto::PREFACE;
use ringmain_proto_codec::h1::{KeyFormat, RequestHead, encode_request};
use ringmain_proto_codec::h2::io::{HeapBuffers, memory_io};
use ringmain_proto_codec::h2::server::{self, Ended, Incoming, ServerOptions};

use crate::pieces::give_more;
use crate::wire::{assert_one_head, count_fields};

const OPTIONS: ServerOptions = ServerOptions {
    max_concurrent_streams: 4,
    initial_stream_window_size: 1 << 16,
    initial_connection_window_size: 1 << 16,
    hpack_table_size: 4096,
    header_list_bytes_max: 1 << 14,
    allow_connect: true,
};

/// What bodies of responses are made of; none is sent.
type Body = &'static [u8];

/// Checks `bytes` as what follows a client's preface, in one piece and in small ones.
pub fn check(bytes: &[u8]) {
    let bytes = [PREFACE, bytes].concat();
    for piece in [bytes.len(), 7] {
        drive(&mut bytes.chunks(piece));
    }
}

fn drive<'a>(pieces: &mut impl Iterator<Item = &'a [u8]>) {
    let (io, handle) = memory_io(Rc::new(HeapBuffers));
    handle.portion(OPTIONS.hpack_table_size);
    let mut context = Context::from_waker(Waker::noop());
    let mut accepted = pin!(server::accept::<Vec<u8>, Body>(io, &OPTIONS));
    let mut frames = loop {
        match accepted.as_mut().poll(&mut context) {
            Poll::Ready(Ok(frames)) => break frames,
            Poll::Ready(Err(_)) => return,
            Poll::Pending if !give_more(&handle, pieces) => return,
            Poll::Pending => {}
        }
    };
    // Streams that are kept go on; those beyond are dropped, which resets them.
    let mut kept = Vec::new();
    loop {
        match frames.poll_request(&mut context) {
            Poll::Ready(Some(Ok(incoming))) => {
                check_request(&incoming);
                kept.push(incoming.stream);
                kept.iter_mut().for_each(|stream| {
                    let _body: Poll<Option<Result<_, Ended>>> = stream.poll_data(&mut context);
                });
                kept.truncate(2);
            }
            Poll::Ready(_) => {
                let _either: bool = handle.has_wrong_coding();
                return;
            }
            Poll::Pending => {
                handle.take_output();
                if !give_more(&handle, pieces) {
                    return;
                }
            }
        }
    }
}

fn check_request(incoming: &Incoming<Body>) {
    let mut head = RequestHead::default();
    incoming.head.write_to(&mut head, false);
    let mut encoded = Vec::new();
    encode_request(&head.headers, false, KeyFormat::LowerCase, &mut encoded);
    assert_one_head(&encoded);
    assert!(count_fields(&encoded, b"host") <= 1);
    assert_eq!(head.upgrade, count_fields(&encoded, b"upgrade") == 1);
}

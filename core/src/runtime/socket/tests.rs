use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::runtime::{self, EngineChoice, SMALL_BUFFER_BYTES, TICK, Timers};

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Runs `act` with a stream and its peer on each engine.
fn on_either_engine<F: Future<Output = ()>>(act: impl Fn(Stream, TcpStream) -> F) {
    for choice in [EngineChoice::Epoll, EngineChoice::Auto] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let far = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (near, _) = listener.accept().expect("connected");
        let main = async { act(Stream::adopt(near.into()).expect("a socket"), far).await };
        runtime::run(&runtime::plan(choice).expect("an engine"), main).expect("a runtime");
    }
}

/// Timers that are swept.
fn timers() -> Rc<Timers> {
    let timers = Timers::new();
    let swept = timers.clone();
    runtime::spawn(runtime::every(TICK, move |_| swept.sweep()));
    timers
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(1)).await;
    }
}

async fn read(stream: &Stream) -> Vec<u8> {
    let (read, buffer) = stream.read(Buffer::with_capacity(SMALL_BUFFER_BYTES)).await;
    assert_eq!(read.expect("open"), buffer.len());
    buffer.bytes().to_vec()
}

#[test]
fn who_has_read_all_stirs_when_more_or_the_end_comes() {
    on_either_engine(|stream, mut far| async move {
        for sent in [&b"first"[..], b"second"] {
            far.write_all(sent).expect("room");
            assert_eq!(read(&stream).await, sent);
            assert!(!stream.has_stirred());
        }
        far.write_all(b"unasked").expect("room");
        until(|| stream.has_stirred()).await;
        assert_eq!(read(&stream).await, b"unasked");
        assert!(!stream.has_stirred());
        drop(far);
        until(|| stream.has_stirred()).await;
        assert_eq!(read(&stream).await, b"");
        assert!(stream.has_stirred(), "an end stays");
    });
}

#[test]
fn a_read_that_fills_its_buffer_is_not_taken_for_a_stir() {
    on_either_engine(|stream, mut far| async move {
        far.write_all(b"full").expect("room");
        let (read, buffer) = stream.read(Buffer::with_capacity(4)).await;
        assert_eq!((read.expect("open"), buffer.bytes()), (4, &b"full"[..]));
        assert!(!stream.has_stirred());
    });
}

#[test]
fn patience_that_ends_takes_nothing_from_the_next_read() {
    on_either_engine(|stream, mut far| async move {
        let timers = timers();
        let patience = Patience::new(&timers);
        let mut buffer = Buffer::with_capacity(SMALL_BUFFER_BYTES);
        for sent in [&b"first"[..], b"second"] {
            patience.arm(Duration::from_millis(1));
            let (nothing, returned) = stream.read_patiently(buffer, &patience).await;
            assert!(nothing.is_none() && returned.is_empty());
            far.write_all(sent).expect("room");
            patience.arm(LONG);
            let (received, mut returned) = stream.read_patiently(returned, &patience).await;
            let count = received.expect("there is time").expect("open");
            assert_eq!((count, returned.bytes()), (sent.len(), sent));
            patience.disarm();
            returned.clear();
            buffer = returned;
        }
    });
}

#[test]
fn patience_that_ends_between_reads_ends_the_next_one() {
    on_either_engine(|stream, _far| async move {
        let patience = Patience::new(&timers());
        patience.arm(Duration::from_millis(1));
        until(|| patience.has_ended()).await;
        let (nothing, _) =
            stream.read_patiently(Buffer::with_capacity(SMALL_BUFFER_BYTES), &patience).await;
        assert!(nothing.is_none());
    });
}

#[test]
fn who_waits_without_a_buffer_is_told_of_bytes_and_of_a_shutdown() {
    on_either_engine(|stream, mut far| async move {
        far.write_all(b"late").expect("room");
        stream.readable().await.expect("open");
        assert_eq!(read(&stream).await, b"late");
        let stream = Rc::new(stream);
        let timers = timers();
        let deadline = runtime::Deadline::new(&timers, &stream, Shutdown::Read);
        deadline.arm(Some(Duration::from_millis(1)));
        stream.readable().await.expect("shut down by us");
        assert!(deadline.fired());
        assert_eq!(read(&stream).await, b"");
    });
}

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::*;
use crate::runtime::{self, Buffer, EngineChoice, Notify, SMALL_BUFFER_BYTES};

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A table of which the test itself takes the events.
fn table() -> Rc<Table> {
    Rc::new(Table::new().expect("an epoll instance"))
}

fn take_events(table: &Table) -> usize {
    let mut events = Vec::with_capacity(EVENTS_MAX);
    table.take_events(&mut events)
}

/// Both ends of a connection.
fn joined() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let far = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (near, _) = listener.accept().expect("connected");
    (near, far)
}

fn is_readable(place: &Place) -> bool {
    place.poll_readable(&Context::from_waker(Waker::noop())).is_ready()
}

/// Reads into so much `room` and notes it.
fn read(place: &Place, socket: &impl AsFd, room: usize) -> Result<usize, Errno> {
    let read = recv(socket, &mut vec![0; room][..], RecvFlags::DONTWAIT).map(|(count, _)| count);
    place.note(read, room);
    read
}

#[test]
fn what_comes_before_the_wait_ends_it_at_once() {
    let table = table();
    let (near, mut far) = joined();
    far.write_all(b"early").expect("room");
    let place = table.enter(&near).expect("a place");
    assert!(!is_readable(&place), "nobody has told yet");
    assert_eq!(take_events(&table), 1);
    assert!(is_readable(&place) && is_readable(&place), "until it is read");
}

#[test]
fn a_wait_is_woken_once() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    let woken = Arc::new(Woken::default());
    assert!(place.poll_readable(&Context::from_waker(&woken.clone().into())).is_pending());
    far.write_all(b"one").expect("room");
    take_events(&table);
    far.write_all(b"two").expect("room");
    take_events(&table);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(is_readable(&place));
}

#[test]
fn a_read_that_leaves_room_has_taken_all() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    far.write_all(b"abcdef").expect("room");
    take_events(&table);
    assert_eq!(read(&place, &near, 3), Ok(3));
    assert!(is_readable(&place), "there may be more");
    assert_eq!(read(&place, &near, 4), Ok(3));
    assert!(!is_readable(&place));
    far.write_all(b"more").expect("room");
    take_events(&table);
    assert!(is_readable(&place));
    assert_eq!(read(&place, &near, 4), Ok(4));
    assert!(is_readable(&place));
    assert_eq!(read(&place, &near, 4), Err(Errno::AGAIN));
    assert!(!is_readable(&place));
}

#[test]
fn an_end_stays_until_it_is_found() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    far.write_all(b"last").expect("room");
    far.shutdown(Shutdown::Write).expect("open");
    take_events(&table);
    assert_eq!(read(&place, &near, 100), Ok(4));
    assert!(is_readable(&place), "no event will tell of the end again");
    assert_eq!(read(&place, &near, 100), Ok(0));
    assert!(is_readable(&place), "nor of what follows it");
}

#[test]
fn our_own_endings_end_a_wait() {
    let table = table();
    let endings: [fn(&TcpStream); 2] = [
        |near| near.shutdown(Shutdown::Read).expect("open"),
        |near| rustix::net::connect_unspec(near).expect("a reset"),
    ];
    for end in endings {
        let (near, _far) = joined();
        let place = table.enter(&near).expect("a place");
        assert!(!is_readable(&place));
        end(&near);
        take_events(&table);
        assert!(is_readable(&place));
    }
}

#[test]
fn a_reset_ends_a_wait() {
    let table = table();
    let (near, far) = joined();
    let place = table.enter(&near).expect("a place");
    rustix::net::sockopt::set_socket_linger(&far, Some(std::time::Duration::ZERO)).expect("TCP");
    drop(far);
    take_events(&table);
    assert_eq!(read(&place, &near, 100), Err(Errno::CONNRESET));
    assert!(is_readable(&place));
}

#[test]
fn a_read_that_stops_at_an_urgent_byte_has_not_taken_all() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    far.write_all(b"before").expect("room");
    send(&far, b"!", SendFlags::OOB).expect("room");
    far.write_all(b"behind").expect("room");
    take_events(&table);
    assert_eq!(read(&place, &near, 100), Ok(6));
    assert!(is_readable(&place));
    assert_eq!(read(&place, &near, 100), Ok(6));
    assert!(is_readable(&place), "a read in vain is what clears that");
    assert_eq!(read(&place, &near, 100), Err(Errno::AGAIN));
    assert!(!is_readable(&place));
}

#[test]
fn a_short_read_of_a_unix_socket_tells_nothing() {
    let table = table();
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let place = table.enter(&near).expect("a place");
    far.write_all(b"abc").expect("room");
    take_events(&table);
    assert_eq!(read(&place, &near, 100), Ok(3));
    assert!(is_readable(&place));
    assert_eq!(read(&place, &near, 100), Err(Errno::AGAIN));
    assert!(!is_readable(&place));
}

#[test]
fn an_event_of_who_had_the_key_before_does_no_harm() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    let key = place.key;
    // It is closed, but the kernel is still at something on it.
    let kept = near.try_clone().expect("a handle");
    drop((place, near));
    far.write_all(b"late").expect("room");
    assert_eq!(take_events(&table), 1);
    let (near, mut far_of_next) = joined();
    let next = table.enter(&near).expect("a place");
    assert_eq!(next.key, key);
    far.write_all(b"later").expect("room");
    take_events(&table);
    assert!(is_readable(&next), "told of another");
    assert_eq!(read(&next, &near, 100), Err(Errno::AGAIN));
    assert!(!is_readable(&next));
    far_of_next.write_all(b"its own").expect("room");
    take_events(&table);
    assert_eq!(read(&next, &near, 100), Ok(7));
    drop(kept);
}

#[test]
fn who_leaves_is_not_told_of() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    far.write_all(b"before").expect("room");
    place.leave(&near);
    far.write_all(b"after").expect("room");
    assert_eq!(take_events(&table), 0);
    assert!(table.slots.borrow().is_empty());
    let again = table.enter(&near).expect("a place");
    assert_eq!(take_events(&table), 1);
    assert!(is_readable(&again));
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    let table = table();
    let (near, mut far) = joined();
    let place = table.enter(&near).expect("a place");
    let woken = Arc::new(Woken::default());
    {
        let wait = std::pin::pin!(place.readable());
        assert!(wait.poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
    }
    far.write_all(b"late").expect("room");
    take_events(&table);
    assert!(is_readable(&place));
    assert!(place.poll_readable(&Context::from_waker(&woken.clone().into())).is_ready());
    assert_eq!(read(&place, &near, 100), Ok(4));
    // Who has waited in vain is let go of with the socket.
    assert!(place.poll_readable(&Context::from_waker(&woken.clone().into())).is_pending());
    assert_eq!(Arc::strong_count(&woken), 2);
    drop(place);
    assert_eq!(Arc::strong_count(&woken), 1);
}

#[test]
fn many_are_told_of_in_several_turns() {
    let table = table();
    let sockets: Vec<_> =
        (0..EVENTS_MAX + 10).map(|_| UnixStream::pair().expect("sockets")).collect();
    let places: Vec<_> =
        sockets.iter().map(|(near, _)| table.enter(near).expect("a place")).collect();
    for (_, far) in &sockets {
        rustix::io::write(far, b"x").expect("room");
    }
    assert_eq!([(); 3].map(|()| take_events(&table)), [EVENTS_MAX, 10, 0]);
    assert!(places.iter().all(is_readable));
}

/// Says so many times the next number to a peer that says it back.
async fn converse(stream: &Stream, rounds: u32) {
    let mut buffer = Buffer::with_capacity(SMALL_BUFFER_BYTES);
    for round in 0..rounds {
        buffer.clear();
        assert!(buffer.append(&round.to_be_bytes()));
        let (sent, mut spare) = stream.write_all_at_once(buffer).await;
        sent.expect("room");
        spare.clear();
        let (read, received) = stream.read_when_ready(|| spare).await;
        assert_eq!((read.expect("open"), received.bytes()), (4, &round.to_be_bytes()[..]));
        buffer = received;
    }
}

/// Has a stream converse in a runtime of each engine, after `prepare`.
fn converse_on_either_engine(prepare: fn()) {
    let (mut near, far) = joined();
    let mut far = OwnedFd::from(far);
    let peer = std::thread::spawn(move || {
        let mut said = [0; 4];
        while near.read_exact(&mut said).is_ok() {
            near.write_all(&said).expect("open");
        }
    });
    for choice in [EngineChoice::Epoll, EngineChoice::Auto, EngineChoice::Epoll] {
        let plan = runtime::plan(choice).expect("an engine");
        let main = async {
            prepare();
            let stream = Stream::adopt(far).expect("a socket");
            converse(&stream, 500).await;
            stream.into_descriptor()
        };
        far = runtime::run(&plan, main).expect("a runtime");
    }
    drop(far);
    peer.join().expect("all was said back");
}

#[test]
fn streams_are_read_on_either_engine_and_may_go_to_the_other() {
    converse_on_either_engine(|| assert!(TABLE.with_borrow(Option::is_some)));
}

#[test]
fn without_a_place_each_wait_is_an_operation() {
    converse_on_either_engine(|| TABLE.set(None));
}

#[test]
fn who_always_has_bytes_lets_others_be_served() {
    for choice in [EngineChoice::Epoll, EngineChoice::Auto] {
        let plan = runtime::plan(choice).expect("an engine");
        let [(near, mut far), (other_near, mut other_far)] = [joined(), joined()];
        far.write_all(&[0; 1000]).expect("room");
        other_far.write_all(b"x").expect("room");
        let is_served = Rc::new(Cell::new(false));
        let ended = Rc::new(Notify::default());
        let main = async {
            let [stream, other] =
                [near, other_near].map(|socket| Stream::adopt(socket.into()).expect("a socket"));
            let (served, end) = (is_served.clone(), ended.clone());
            spawn(async move {
                let mut reads = 0;
                while !served.get() && reads < 1000 {
                    let (read, _) = stream.read_when_ready(|| Buffer::with_capacity(1)).await;
                    reads += read.expect("open");
                }
                end.notify();
            });
            let served = is_served.clone();
            spawn(async move {
                let (read, _) = other.read_when_ready(|| Buffer::with_capacity(1)).await;
                served.set(read.is_ok());
            });
            ended.notified().await;
        };
        runtime::run(&plan, main).expect("a runtime");
        assert!(is_served.get(), "{choice:?}");
    }
}

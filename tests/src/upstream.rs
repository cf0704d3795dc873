//! An upstream that answers by script and remembers every request as it came.
//!
//! A script is a list of replies; the n-th request to reach the upstream, on whichever connection,
//! gets the n-th reply, and the last reply serves all later ones. A connection has one thread.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::message::{End, Framing, Message, MessageReader, Received, header_values};
use crate::wait::eventually;

/// Pause after each `Send`, so that two of them are likely to arrive in reads of their own.
const PIECE_PAUSE: Duration = Duration::from_millis(3);

/// How long [`Act::OfferClose`] waits. A proxy that is going to close does so far sooner.
const CLOSE_OFFER: Duration = Duration::from_millis(400);

/// One thing the upstream does about a request whose head it has read.
#[derive(Debug, Clone)]
pub enum Act {
    /// Reads the rest of the request.
    ReadBody,
    /// Reads so many bytes of whatever follows the head; they are noted as the request's body.
    ReadBytes(usize),
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends back what comes, until the proxy ends; that is noted as the request's body.
    Echo,
    /// Waits until the test calls [`Upstream::release`].
    AwaitRelease,
    /// Gives the proxy some time to close; goes on with the script when it does not.
    OfferClose,
    /// Says nothing more and waits for the proxy to close.
    Stall,
    /// Closes the sending side, then waits for the proxy to close.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
}

/// What is done about one request.
pub type Reply = Vec<Act>;

/// Reads the whole request, then sends these bytes.
pub fn reply(bytes: impl AsRef<[u8]>) -> Reply {
    vec![Act::ReadBody, Act::Send(bytes.as_ref().to_vec())]
}

/// A plain `200 OK` with a body of two bytes.
pub fn ok() -> Reply {
    reply("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
}

/// A plain `200 OK` with a body of so many bytes.
pub fn long_response(body_bytes: usize) -> Reply {
    let mut bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: {body_bytes}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + body_bytes, b'x');
    vec![Act::ReadBody, Act::Send(bytes)]
}

/// What the upstream saw on one connection.
#[derive(Debug, Clone, Default)]
pub struct ConnectionLog {
    /// The requests, in order.
    pub requests: Vec<Message>,
    /// Every byte received.
    pub received: Received,
    /// How the proxy's side ended, once it did.
    pub end: Option<End>,
    /// A request is being dealt with.
    busy: bool,
    /// Where it comes from.
    peer: Option<SocketAddr>,
    /// It is none of the proxy's.
    is_ours: bool,
}

struct Shared {
    replies: Mutex<(Vec<Reply>, usize)>,
    connections: Mutex<Vec<ConnectionLog>>,
    streams: Mutex<Vec<TcpStream>>,
    released: AtomicBool,
    stopped: AtomicBool,
}

/// A listening upstream; dropping it closes all its connections.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Starts one on a free port of loopback.
    pub fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
        Self::start_on(listener, replies)
    }

    /// Starts one that takes the connections of `listener`.
    pub fn start_on(listener: TcpListener, replies: Vec<Reply>) -> Self {
        assert!(!replies.is_empty(), "a script has at least one reply");
        widen_queue(&listener);
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            replies: Mutex::new((replies, 0)),
            connections: Mutex::default(),
            streams: Mutex::default(),
            released: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let acceptor = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &acceptor));
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came in so far, by connection in the order of their coming.
    pub fn connections(&self) -> Vec<ConnectionLog> {
        let connections = self.shared.connections.lock().expect("no upstream thread panics");
        connections.iter().filter(|connection| !connection.is_ours).cloned().collect()
    }

    /// All requests so far, by connection.
    pub fn requests(&self) -> Vec<Message> {
        self.connections().into_iter().flat_map(|connection| connection.requests).collect()
    }

    /// Every byte so far, by connection in the order of their coming.
    pub fn received(&self) -> Vec<u8> {
        self.connections().iter().flat_map(|connection| connection.received.bytes()).collect()
    }

    /// Waits until every connection that was opened is known and no request is being dealt with.
    pub fn settle(&self) {
        self.take_all_connections();
        eventually("the upstream to finish its script", || {
            self.connections().iter().all(|connection| !connection.busy).then_some(())
        });
    }

    /// Connections are accepted in their order: one of ours comes behind all others.
    fn take_all_connections(&self) {
        let ours = TcpStream::connect(self.address).expect("it listens");
        let address = ours.local_addr().ok();
        eventually("connections to be accepted", || {
            let mut connections =
                self.shared.connections.lock().expect("no upstream thread panics");
            let found = connections.iter_mut().find(|connection| connection.peer == address)?;
            found.is_ours = true;
            Some(())
        });
    }

    /// Waits until `count` connections were accepted.
    pub fn wait_for_connections(&self, count: usize) {
        eventually("connections to the upstream", || {
            (self.connections().len() >= count).then_some(())
        });
    }

    /// Waits until `count` requests were read, at least their heads.
    pub fn wait_for_requests(&self, count: usize) {
        eventually("requests to the upstream", || (self.requests().len() >= count).then_some(()));
    }

    /// Lets every [`Act::AwaitRelease`] go on, those to come too.
    pub fn release(&self) {
        self.shared.released.store(true, Ordering::SeqCst);
    }

    /// Closes every open connection from this side, whatever is under way.
    pub fn cut_connections(&self) {
        for stream in self.shared.streams.lock().expect("no upstream thread panics").drain(..) {
            // Already gone is what we want.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// The same, and waits until the proxy's side is closed too.
    pub fn close_connections(&self) {
        self.cut_connections();
        eventually("the proxy to close its side", || {
            self.connections().iter().all(|connection| connection.end.is_some()).then_some(())
        });
    }

    /// What came in, as text.
    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for (number, connection) in self.connections().iter().enumerate() {
            let _ = writeln!(text, "-- connection {}", number + 1);
            for request in &connection.requests {
                let _ = write!(text, "{request}");
            }
        }
        text
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        for stream in self.shared.streams.lock().expect("no upstream thread panics").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Makes room for the connections that a proxy may open at once; the kernel drops the first packets of
/// those beyond, and they come a second and more later.
pub(crate) fn widen_queue(listener: &TcpListener) {
    SockRef::from(listener).listen(4096).expect("a listening socket listens");
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, peer)) = listener.accept() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let _ = stream.set_nodelay(true);
        shared
            .streams
            .lock()
            .expect("no upstream thread panics")
            .push(stream.try_clone().expect("a second handle"));
        let reader = MessageReader::new(stream.try_clone().expect("a second handle"));
        let index = {
            let mut connections = shared.connections.lock().expect("no upstream thread panics");
            connections.push(ConnectionLog {
                received: reader.received().clone(),
                peer: Some(peer),
                ..ConnectionLog::default()
            });
            connections.len() - 1
        };
        let shared = Arc::clone(shared);
        thread::spawn(move || Connection { shared, index, reader, stream }.serve());
    }
}

/// One connection's thread.
struct Connection {
    shared: Arc<Shared>,
    index: usize,
    stream: TcpStream,
    reader: MessageReader,
}

/// Does the connection live on after a reply?
#[derive(PartialEq, Eq)]
enum Next {
    Request,
    End,
}

impl Connection {
    fn serve(mut self) {
        let end = loop {
            let head = match self.reader.head() {
                Ok(head) => head,
                Err(end) => break end,
            };
            let framing = request_framing(&head);
            let mut request = Message::of_head(head, framing);
            // Before anybody can see the request, and send another on another connection.
            let reply = self.next_reply();
            self.note(|log| {
                log.requests.push(request.clone());
                log.busy = true;
            });
            let next = self.act(&mut request, reply);
            self.note(|log| log.busy = false);
            if next == Next::End {
                break End::Closed;
            }
        };
        // A head that broke off is worth seeing: it stays in `received`.
        self.note(|log| log.end = Some(end));
    }

    fn act(&mut self, request: &mut Message, reply: Reply) -> Next {
        let mut body_read = request.framing == Framing::None;
        for act in reply {
            match act {
                Act::ReadBody => {
                    self.reader.body(request);
                    self.replace_last_request(request);
                    body_read = true;
                    if request.cut_short.is_some() {
                        return Next::End;
                    }
                }
                Act::ReadBytes(length) => {
                    request.framing = Framing::UntilClose;
                    // A short read shows in the body.
                    let _ = self.reader.exactly(length, &mut request.body);
                    self.replace_last_request(request);
                    body_read = true;
                }
                Act::Echo => return self.echo(request),
                Act::Send(bytes) => self.send(&bytes),
                Act::AwaitRelease => self.await_release(),
                Act::OfferClose => {
                    if self.proxy_closes() {
                        return Next::End;
                    }
                }
                Act::Stall => return self.read_to_end(request, body_read),
                Act::HalfClose => {
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return self.read_to_end(request, body_read);
                }
                Act::Close => {
                    let _ = self.stream.shutdown(Shutdown::Both);
                    return Next::End;
                }
                Act::Reset => {
                    self.reset();
                    return Next::End;
                }
            }
        }
        if !body_read {
            // An early response: the rest of the request belongs to it all the same.
            self.reader.body(request);
            self.replace_last_request(request);
            if request.cut_short.is_some() {
                return Next::End;
            }
        }
        Next::Request
    }

    fn next_reply(&self) -> Reply {
        let mut replies = self.shared.replies.lock().expect("no upstream thread panics");
        let index = replies.1.min(replies.0.len() - 1);
        replies.1 += 1;
        replies.0[index].clone()
    }

    fn send(&mut self, bytes: &[u8]) {
        // A proxy that has gone away shows when reading.
        let _ = self.stream.write_all(bytes);
        thread::sleep(PIECE_PAUSE);
    }

    fn await_release(&self) {
        eventually("the test to release the upstream", || {
            let stop = self.shared.released.load(Ordering::SeqCst)
                || self.shared.stopped.load(Ordering::SeqCst);
            stop.then_some(())
        });
    }

    /// Says whether the proxy closes while it is given the time to.
    fn proxy_closes(&mut self) -> bool {
        self.stream.set_read_timeout(Some(CLOSE_OFFER)).expect("SO_RCVTIMEO");
        let end = self.reader.to_end(&mut Vec::new());
        self.stream.set_read_timeout(None).expect("SO_RCVTIMEO");
        end != End::TimedOut
    }

    fn echo(&mut self, request: &mut Message) -> Next {
        request.framing = Framing::UntilClose;
        while let Ok(bytes) = self.reader.some() {
            request.body.extend_from_slice(&bytes);
            self.replace_last_request(request);
            // A proxy that has gone away shows when reading.
            let _ = self.stream.write_all(&bytes);
        }
        Next::End
    }

    fn read_to_end(&mut self, request: &mut Message, body_read: bool) -> Next {
        if body_read {
            self.reader.to_end(&mut Vec::new());
        } else {
            self.reader.body(request);
            self.replace_last_request(request);
            if request.cut_short.is_none() {
                self.reader.to_end(&mut Vec::new());
            }
        }
        Next::End
    }

    /// Ends the connection by RST, at once: every handle of the socket must be gone for a close to
    /// happen, so the acceptor's is dropped too.
    fn reset(&mut self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        let peer = self.stream.peer_addr().ok();
        self.shared
            .streams
            .lock()
            .expect("no upstream thread panics")
            .retain(|stream| stream.peer_addr().ok() != peer);
    }

    fn replace_last_request(&self, request: &Message) {
        self.note(|log| *log.requests.last_mut().expect("the head was noted") = request.clone());
    }

    fn note(&self, change: impl FnOnce(&mut ConnectionLog)) {
        let mut connections = self.shared.connections.lock().expect("no upstream thread panics");
        change(&mut connections[self.index]);
    }
}

/// RFC 9112 §6.3 for requests, as far as well-behaved ones go.
fn request_framing(head: &str) -> Framing {
    if header_values(head, "transfer-encoding").iter().any(|value| value.ends_with("chunked")) {
        return Framing::Chunked;
    }
    match header_values(head, "content-length").first().and_then(|value| value.parse().ok()) {
        Some(length) => Framing::Length(length),
        None => Framing::None,
    }
}

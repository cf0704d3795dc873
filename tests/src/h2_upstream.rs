//! An upstream that speaks HTTP/2 frame by frame, as a script has it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use socket2::SockRef;

use crate::h2_frame::{ACK, Frame, PREFACE, frame, kind, settings};
use crate::upstream::widen_queue;
use crate::wait::{PATIENCE, eventually};

/// The fields of a cluster whose hosts speak HTTP/2, as YAML. Further fields of the message may follow,
/// four columns in.
pub const HTTP2: &str = r#"typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { http2_protocol_options: {} }
"#;

/// What is done when a request's HEADERS, or the end of its body, have come.
pub type Script = Box<dyn Fn(&mut Peer, &Request) + Send + Sync>;

/// A request as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its stream.
    pub stream: u32,
    /// Which request of all it is, from 0.
    pub number: usize,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether it has ended.
    pub ended: bool,
}

/// The upstream's side of one connection.
pub struct Peer {
    socket: TcpStream,
}

impl Peer {
    /// Sends frames.
    pub fn send(&mut self, frames: impl AsRef<[u8]>) {
        // A proxy that has closed is looked at by the test.
        let _ = self.socket.write_all(frames.as_ref());
    }

    /// Sends frames again and again, until nobody takes them any more.
    pub fn send_endlessly(&mut self, frames: impl AsRef<[u8]>) {
        let until = Instant::now() + PATIENCE;
        while self.socket.write_all(frames.as_ref()).is_ok() && Instant::now() < until {}
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Resets the connection.
    pub fn abort(&mut self) {
        let _ = SockRef::from(&self.socket).set_linger(Some(std::time::Duration::ZERO));
        self.close();
    }
}

/// How the upstream begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// What is sent when a connection has come; SETTINGS as a rule.
    pub first: Vec<u8>,
    /// Whether DATA is answered with WINDOW_UPDATE, SETTINGS and PING with their ACK.
    pub polite: bool,
}

impl Default for Opening {
    fn default() -> Self {
        Self { first: settings(&[]), polite: true }
    }
}

struct Shared {
    opening: Opening,
    script: Script,
    requests: AtomicUsize,
    connections: Mutex<Vec<Vec<Frame>>>,
    sockets: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// A listening upstream; dropping it closes all its connections.
pub struct H2Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl H2Upstream {
    /// Starts one on a free port of loopback.
    pub fn start(script: impl Fn(&mut Peer, &Request) + Send + Sync + 'static) -> Self {
        Self::start_with(Opening::default(), script)
    }

    /// The same with another beginning.
    pub fn start_with(
        opening: Opening,
        script: impl Fn(&mut Peer, &Request) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
        widen_queue(&listener);
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            opening,
            script: Box::new(script),
            requests: AtomicUsize::new(0),
            connections: Mutex::default(),
            sockets: Mutex::default(),
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

    /// The frames that have come, by connection.
    pub fn connections(&self) -> Vec<Vec<Frame>> {
        self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many frames of a type have come.
    pub fn count(&self, kind: u8) -> usize {
        self.connections().iter().flatten().filter(|frame| frame.kind == kind).count()
    }

    /// Waits until `count` frames of a type have come.
    pub fn wait_for(&self, kind: u8, count: usize) {
        eventually("frames to the upstream", || (self.count(kind) >= count).then_some(()));
    }

    /// Sends frames on the connection opened last.
    pub fn send(&self, frames: impl AsRef<[u8]>) {
        let sockets = self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = sockets.last().and_then(|socket| socket.try_clone().ok());
        Peer { socket: socket.expect("a connection") }.send(frames);
    }
}

impl Drop for H2Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        let sockets = self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let _ = socket.set_nodelay(true);
        let second = socket.try_clone().expect("a second handle");
        shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(second);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(socket, &shared));
    }
}

fn serve(mut socket: TcpStream, shared: &Shared) {
    let index = {
        let mut connections = shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(Vec::new());
        connections.len() - 1
    };
    let mut preface = [0; PREFACE.len()];
    if socket.read_exact(&mut preface).is_err() {
        return;
    }
    assert_eq!(preface, PREFACE, "the preface comes first");
    let mut peer = Peer { socket: socket.try_clone().expect("a second handle") };
    peer.send(&shared.opening.first);
    let mut requests: Vec<Request> = Vec::new();
    while let Ok(frame) = Frame::read(&mut socket) {
        shared.connections.lock().unwrap_or_else(PoisonError::into_inner)[index]
            .push(frame.clone());
        if shared.opening.polite {
            be_polite(&mut peer, &frame);
        }
        let at = requests.iter().position(|request| request.stream == frame.stream);
        match (frame.kind, at) {
            (kind::HEADERS, None) => {
                let number = shared.requests.fetch_add(1, Ordering::SeqCst);
                let ended = frame.ends_stream();
                requests.push(Request { stream: frame.stream, number, body: Vec::new(), ended });
                (shared.script)(&mut peer, requests.last().expect("just pushed"));
            }
            (kind::DATA | kind::HEADERS, Some(at)) => {
                let request = &mut requests[at];
                if frame.kind == kind::DATA {
                    request.body.extend(&frame.payload);
                }
                if frame.ends_stream() {
                    request.ended = true;
                    (shared.script)(&mut peer, request);
                }
            }
            _ => {}
        }
    }
}

fn be_polite(peer: &mut Peer, received: &Frame) {
    match received.kind {
        kind::SETTINGS | kind::PING if received.flags & ACK == 0 => {
            let payload = if received.kind == kind::PING { &received.payload[..] } else { &[] };
            peer.send(frame(received.kind, ACK, 0, payload));
        }
        kind::DATA if !received.payload.is_empty() => {
            let count = u32::try_from(received.payload.len()).expect("a frame's length");
            for stream in [0, received.stream] {
                peer.send(crate::h2_frame::window_update(stream, count));
            }
        }
        _ => {}
    }
}

//! The upstream of these tests: it reads with the strict reader, notes every request and every byte
//! that is none, and answers by what the request's target asks for.
//!
//! | target | answer |
//! | --- | --- |
//! | `/next/...` | 200 with the target as its body |
//! | `/script/<split>` | the script's bytes up to `split`; the rest once released |
//! | `/script/trickle` | the script's bytes one by one |
//! | any other | 200 `ok` |

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use ringmain_tests::wait::{PATIENCE, eventually};

use super::wire::{Request, read_request};

/// How the upstream goes on behind a scripted response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Waits for the next request.
    KeepOpen,
    /// Closes.
    Close,
    /// Sends the same bytes again for as long as somebody takes them.
    Repeat,
}

/// What the upstream says to `/script/...`.
#[derive(Debug, Clone)]
pub struct Script {
    /// The response, or what stands for one.
    pub bytes: Vec<u8>,
    /// What follows.
    pub then: Then,
}

/// The first request in some bytes and its length, `None` where it is incomplete, or what is wrong.
type Reader = fn(&[u8]) -> Result<Option<(Request, usize)>, String>;

/// `bytes` with the names of the fields behind the first line in lower case.
fn with_lower_names(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let lines = bytes.split_mut(|byte| *byte == b'\n').skip(1);
    for line in lines.take_while(|line| !line.trim_ascii().is_empty()) {
        line.iter_mut()
            .take_while(|byte| **byte != b':')
            .for_each(|byte| byte.make_ascii_lowercase());
    }
    bytes
}

#[derive(Default)]
struct State {
    port: u16,
    requests: Vec<Request>,
    faults: Vec<String>,
    script: Option<Script>,
    /// Scripted responses that were sent up to their split.
    halted: usize,
    /// Scripted responses that were sent to their end, or as far as the proxy took them.
    done: usize,
    released: bool,
    /// By connection: it has served a script; the proxy has closed it.
    connections: Vec<(bool, bool)>,
    streams: Vec<TcpStream>,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listening upstream.
pub struct Peer {
    shared: Arc<Shared>,
}

impl Peer {
    /// Starts one on a free port of loopback.
    pub fn start() -> Self {
        Self::start_reading(read_request)
    }

    /// Starts one that takes names in any case, as other proxies write them.
    pub fn start_for_any_case() -> Self {
        Self::start_reading(|bytes| read_request(&with_lower_names(bytes)))
    }

    fn start_reading(read: Reader) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
        let shared = Arc::new(Shared::default());
        shared.state().port = listener.local_addr().expect("a bound socket has an address").port();
        let acceptor = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if acceptor.state().stopped {
                    return;
                }
                let index = {
                    let mut state = acceptor.state();
                    state.streams.push(stream.try_clone().expect("a second handle"));
                    state.connections.push((false, false));
                    state.connections.len() - 1
                };
                let shared = Arc::clone(&acceptor);
                thread::spawn(move || Connection { shared, index, stream, read }.serve());
            }
        });
        Self { shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.shared.state().port
    }

    /// The requests since the last call, but for those to `/next`.
    pub fn take_requests(&self) -> Vec<Request> {
        let mut requests = std::mem::take(&mut self.shared.state().requests);
        requests.retain(|request| !request.target.starts_with("/next"));
        requests
    }

    /// What came that is no request, since the last call.
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().faults)
    }

    /// What `/script` stands for from now on.
    pub fn set_script(&self, script: Script) {
        let mut state = self.shared.state();
        state.script = Some(script);
        (state.halted, state.done, state.released) = (0, 0, false);
        state.connections.iter_mut().for_each(|connection| connection.0 = false);
    }

    /// Waits until `count` scripted responses stand at their splits.
    pub fn wait_for_halted(&self, count: usize) {
        eventually("scripted responses to begin", || {
            (self.shared.state().halted >= count).then_some(())
        });
    }

    /// Lets scripted responses go on behind their splits, and waits until `count` have.
    pub fn release(&self, count: usize) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
        eventually("scripted responses to end", || {
            (self.shared.state().done >= count).then_some(())
        });
    }

    /// Waits until the proxy has closed all connections that served the script.
    pub fn wait_for_scripted_closed(&self) {
        eventually("the proxy to close the connections it cannot use again", || {
            let state = self.shared.state();
            state.connections.iter().all(|(scripted, closed)| *closed || !scripted).then_some(())
        });
    }

    /// Connections that served the script and are still open.
    pub fn scripted_open(&self) -> usize {
        self.shared.state().connections.iter().filter(|state| **state == (true, false)).count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let port = {
            let mut state = self.shared.state();
            (state.stopped, state.released) = (true, true);
            for stream in &state.streams {
                let _ = stream.shutdown(Shutdown::Both);
            }
            state.port
        };
        self.shared.changed.notify_all();
        // Wakes the acceptor, which then sees the flag.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    }
}

struct Connection {
    shared: Arc<Shared>,
    index: usize,
    stream: TcpStream,
    read: Reader,
}

impl Connection {
    fn serve(mut self) {
        let mut pending = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match (self.read)(&pending) {
                Ok(None) => match self.stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => pending.extend_from_slice(&buffer[..count]),
                },
                Ok(Some((request, length))) => {
                    pending.drain(..length);
                    let (target, is_head) = (request.target.clone(), request.method == "HEAD");
                    self.shared.state().requests.push(request);
                    if !self.answer(&target, is_head) {
                        break;
                    }
                }
                Err(fault) => {
                    let fault = format!("{fault}\n{}", pending.escape_ascii());
                    self.shared.state().faults.push(fault);
                    break;
                }
            }
        }
        // What was left unread would turn a close into a reset: the proxy closes first.
        let _ = self.stream.shutdown(Shutdown::Write);
        while matches!(self.stream.read(&mut buffer), Ok(count) if count > 0) {}
        self.shared.state().connections[self.index].1 = true;
    }

    /// False where the connection ends with the answer.
    fn answer(&mut self, target: &str, is_head: bool) -> bool {
        if let Some(split) = target.strip_prefix("/script/") {
            return self.play(split);
        }
        let body = if target.starts_with("/next") { target } else { "ok" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let body = if is_head { "" } else { body };
        self.stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
    }

    fn play(&mut self, split: &str) -> bool {
        let trickle = split == "trickle";
        let split: usize = if trickle { usize::MAX } else { split.parse().expect("a number") };
        let script = {
            let mut state = self.shared.state();
            state.connections[self.index].0 = true;
            state.script.clone().expect("a script was set")
        };
        let (first, rest) = script.bytes.split_at(split.min(script.bytes.len()));
        let _ = self.stream.set_nodelay(true);
        let mut sent = match trickle {
            true => first.chunks(1).try_for_each(|byte| self.stream.write_all(byte)),
            false => self.stream.write_all(first),
        };
        if !rest.is_empty() {
            self.await_release();
            sent = sent.and_then(|()| self.stream.write_all(rest));
        }
        while script.then == Then::Repeat && sent.is_ok() {
            sent = self.stream.write_all(&script.bytes);
        }
        if script.then == Then::Close {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        self.shared.state().done += 1;
        script.then == Then::KeepOpen
    }

    fn await_release(&self) {
        let mut state = self.shared.state();
        state.halted += 1;
        let waiting = |state: &mut State| !state.released;
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, waiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

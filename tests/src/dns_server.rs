//! A name server of a test: it answers by UDP and by TCP what it was last told, and counts.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// A record's type, with its number (RFC 1035 §3.2.2, RFC 3596, RFC 2782).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An IPv4 address.
    A = 1,
    /// An IPv6 address.
    Aaaa = 28,
    /// The place of a service.
    Srv = 33,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Of type A.
    A(Ipv4Addr),
    /// Of type AAAA.
    Aaaa(Ipv6Addr),
    /// Of type SRV.
    Srv {
        /// The lowest is asked first.
        priority: u16,
        /// The share among those of a priority.
        weight: u16,
        /// Where it listens.
        port: u16,
        /// The name of its host.
        target: String,
    },
}

/// What the server says of a name and a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// These, which hold for so many seconds.
    Records(u32, Vec<Data>),
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL.
    Failure,
    /// By UDP that the answer is too long for it, by TCP these.
    OnlyByTcp(Vec<Data>),
    /// By UDP these, of more that it has no room for; by TCP nothing.
    CutShort(Vec<Data>),
    /// Nothing.
    Silence,
}

impl Reply {
    /// IPv4 addresses, for a minute.
    pub fn v4(addresses: &[[u8; 4]]) -> Self {
        Self::Records(60, addresses.iter().map(|&address| Data::A(address.into())).collect())
    }
}

type Zone = BTreeMap<(String, u16), Reply>;

/// The server; it ends with the test's process.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    zone: Zone,
    /// Of each name and type, by UDP and by TCP.
    asked: BTreeMap<(String, u16), [usize; 2]>,
}

const BY_UDP: usize = 0;
const BY_TCP: usize = 1;

impl DnsServer {
    /// A server without names.
    pub fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        // The same number must be free for both; another process may take it in between.
        let (udp, tcp) = std::iter::repeat_with(|| {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let tcp = TcpListener::bind(udp.local_addr().expect("it is bound"));
            tcp.map(|tcp| (udp, tcp))
        })
        .take(20)
        .find_map(Result::ok)
        .expect("a port free for both");
        let address = udp.local_addr().expect("it is bound");
        let shared = state.clone();
        thread::spawn(move || serve_udp(&udp, &shared));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || serve_tcp(stream, &state));
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on says `reply` of `name`. Of other types of the name it has no records, of other
    /// names it says that they do not exist.
    pub fn set(&self, name: &str, kind: Kind, reply: Reply) {
        self.locked().zone.insert((name.to_owned(), kind as u16), reply);
    }

    /// How often it was asked, by UDP and by TCP.
    pub fn asked(&self, name: &str, kind: Kind) -> [usize; 2] {
        self.locked().asked.get(&(name.to_owned(), kind as u16)).copied().unwrap_or_default()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }
}

fn serve_udp(socket: &UdpSocket, state: &Mutex<State>) {
    let mut buffer = [0; 1500];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
        if let Some(answer) = answer(&buffer[..length], BY_UDP, state) {
            // A client that has gone needs none.
            let _sent = socket.send_to(&answer, peer);
        }
    }
}

/// RFC 1035 §4.2.2: each message behind its length.
fn serve_tcp(mut stream: TcpStream, state: &Mutex<State>) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut query).is_err() {
            return;
        }
        let Some(answer) = answer(&query, BY_TCP, state) else { continue };
        let length = u16::try_from(answer.len()).expect("answers of tests are short");
        if stream.write_all(&[&length.to_be_bytes()[..], &answer].concat()).is_err() {
            return;
        }
    }
}

const HEADER: usize = 12;
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;

/// The answer to `query`, which has one question.
fn answer(query: &[u8], way: usize, state: &Mutex<State>) -> Option<Vec<u8>> {
    let (name, kind, end) = question(query)?;
    let mut state = state.lock().expect("no test panics with it");
    state.asked.entry((name.clone(), kind)).or_default()[way] += 1;
    let exists = state.zone.keys().any(|(other, _)| *other == name);
    let reply = match state.zone.get(&(name, kind)) {
        Some(reply) => reply.clone(),
        None if exists => Reply::Records(60, Vec::new()),
        None => Reply::NoSuchName,
    };
    let (code, truncated, ttl, records) = match reply {
        Reply::Records(ttl, records) => (NO_ERROR, false, ttl, records),
        Reply::NoSuchName => (NAME_ERROR, false, 0, Vec::new()),
        Reply::Failure => (SERVER_FAILURE, false, 0, Vec::new()),
        Reply::OnlyByTcp(_) if way == BY_UDP => (NO_ERROR, true, 0, Vec::new()),
        Reply::OnlyByTcp(records) => (NO_ERROR, false, 60, records),
        Reply::CutShort(records) if way == BY_UDP => (NO_ERROR, true, 60, records),
        Reply::CutShort(_) | Reply::Silence => return None,
    };
    let count = u16::try_from(records.len()).expect("answers of tests are short");
    let mut answer = query[..2].to_vec();
    // A response, authoritative, recursion desired and available.
    answer.extend([0x85 | u8::from(truncated) << 1, 0x80 | code]);
    answer.extend([0, 1]);
    answer.extend(count.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(&query[HEADER..end]);
    records.iter().for_each(|data| write_record(data, ttl, &mut answer));
    Some(answer)
}

/// The name, the type and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

fn write_record(data: &Data, ttl: u32, answer: &mut Vec<u8>) {
    let (kind, content) = match data {
        Data::A(address) => (Kind::A, address.octets().to_vec()),
        Data::Aaaa(address) => (Kind::Aaaa, address.octets().to_vec()),
        Data::Srv { priority, weight, port, target } => {
            let mut content = [*priority, *weight, *port].map(u16::to_be_bytes).concat();
            for label in target.split('.') {
                content.push(u8::try_from(label.len()).expect("labels are short"));
                content.extend(label.as_bytes());
            }
            content.push(0);
            (Kind::Srv, content)
        }
    };
    // The question's name, by pointer (RFC 1035 §4.1.4).
    answer.extend([0xc0, u8::try_from(HEADER).expect("it is 12")]);
    answer.extend((kind as u16).to_be_bytes());
    answer.extend(1_u16.to_be_bytes());
    answer.extend(ttl.to_be_bytes());
    answer.extend(u16::try_from(content.len()).expect("names are short").to_be_bytes());
    answer.extend(content);
}

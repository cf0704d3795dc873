//! Requests with random changes: whatever they are, the upstream gets requests with one reading, and
//! the same ones however they arrive.

use ringmain_tests::client::Client;
use ringmain_tests::message::End;
use ringmain_tests::proxy::Program;

use super::messages::{chunked, get_with, line, post};
use super::rig::Rig;
use super::wire::{Request, nominated, text};

/// Changed requests, on each engine.
const RUNS: u64 = 2000;

/// What the changes begin with.
fn seeds() -> Vec<Vec<u8>> {
    [
        line("GET / HTTP/1.1"),
        line("GET http://a.example/x HTTP/1.1"),
        get_with("connection: x-a, keep-alive\r\nx-a: 1\r\nx-b: 2"),
        get_with("te: trailers\r\nkeep-alive: 5\r\nproxy-connection: close"),
        get_with("connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMA"),
        post("content-length: 5", "hello"),
        post("expect: 100-continue\r\ncontent-length: 5", "hello"),
        chunked("5\r\nhello\r\n0\r\n\r\n"),
        chunked("1;a=b\r\nh\r\n4\r\nello\r\n0\r\nx-a: 1\r\n\r\n"),
        line("GET /1 HTTP/1.1") + &post("content-length: 2", "hi") + &line("GET /2 HTTP/1.1"),
        chunked("2\r\nhi\r\n0\r\n\r\n") + &line("GET /3 HTTP/1.1"),
        post("content-length: 46", "GET /hidden HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
    ]
    .map(String::into_bytes)
    .into()
}

/// Text that decides how a message is read.
const WORDS: [&str; 36] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    "\0",
    " ",
    "\t",
    "\x0b",
    "\x7f",
    "\u{e9}",
    ":",
    " :",
    ",",
    ";",
    "\"",
    "#",
    "_",
    "0",
    "1",
    "5",
    "+",
    "-",
    "0x",
    "0\r\n\r\n",
    "chunked",
    "gzip, ",
    "close",
    "\r\n ",
    "Transfer-Encoding: chunked\r\n",
    "transfer_encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Host: b.example\r\n",
    "Connection: host, content-length\r\n",
    "GET /m HTTP/1.1\r\nhost: m\r\n\r\n",
];

/// A client that has half-closed counts as gone when its answer takes long, so that a busy machine may
/// lose a request; two readings of the same bytes differ each time.
const TRIES: usize = 3;

/// A sequence of numbers that its start decides.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // Constants of Knuth's MMIX generator.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

fn changed(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(12)).min(bytes.len());
        let word = WORDS[numbers.below(WORDS.len())].as_bytes();
        match numbers.below(6) {
            0 => drop(bytes.splice(at..at, word.iter().copied())),
            1 => drop(bytes.splice(at..end, word.iter().copied())),
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            4 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            _ => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len());
                bytes.splice(at..at, other[from..].iter().copied().take(40));
            }
        }
    }
    bytes
}

/// What the upstream got of `bytes`, cut at `split`, when the client has seen the end.
fn sent(rig: &Rig, bytes: &[u8], split: Option<usize>, place: &str) -> Vec<Request> {
    let mut client: Client = rig.connect();
    let (first, rest) = bytes.split_at(split.unwrap_or(bytes.len()));
    client.send(first);
    if split.is_some() {
        rig.follow(1, place);
        client.send(rest);
    }
    client.half_close();
    let (answers, end) = client.read_to_end();
    assert_ne!(end, End::TimedOut, "{place}: a hang");
    let whole = answers.is_empty() || text(&answers).starts_with("HTTP/1.1 ");
    assert!(whole, "{place}: no answer: {}", answers.escape_ascii());
    rig.assert_faultless(place);
    rig.peer.take_requests()
}

fn run(program: Program) {
    let rig = Rig::start(program, "", "timeout: 0s");
    let seeds = seeds();
    let mut forwarded = 0;
    for run in 0..RUNS {
        let mut numbers = Numbers(run);
        let bytes = changed(&seeds, &mut numbers);
        let split = (bytes.len() > 1).then(|| 1 + numbers.below(bytes.len() - 1));
        let place = format!("{program}, run {run}, {}", bytes.escape_ascii());
        let form = |requests: &[Request]| requests.iter().map(Request::joined).collect::<Vec<_>>();
        let one_reading = |_| {
            let whole = sent(&rig, &bytes, None, &place);
            let parts = sent(&rig, &bytes, split, &place);
            (form(&whole) == form(&parts)).then_some(whole)
        };
        let whole = (0..TRIES).find_map(one_reading);
        let whole = whole.unwrap_or_else(|| panic!("{place}: read in two ways at {split:?}"));
        forwarded += whole.len();
        if let [request] = &whole[..] {
            let names = nominated(text(&bytes).split("\r\n\r\n").next().unwrap_or_default());
            let left = request.fields.iter().find(|(name, _)| {
                names.contains(name)
                    && !matches!(name.as_str(), "content-length" | "te" | "transfer-encoding")
            });
            assert_eq!(left, None, "{place}: named in connection");
        }
    }
    // Changes that all end in 400 would prove nothing.
    assert!(forwarded > RUNS as usize / 8, "only {forwarded} requests were forwarded");
}

#[test]
fn changed_requests_have_one_reading() {
    std::thread::scope(|scope| {
        for program in Program::ringmains() {
            scope.spawn(move || run(program));
        }
    });
}

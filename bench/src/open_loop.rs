//! The open loop: requests at a fixed rate, each timed from the moment it should have started. What
//! waits behind a slow answer counts as waiting, which a closed loop hides.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::error::Error;
use crate::loaded::{Latencies, Loaded};
use crate::scenario::Scenario;
use crate::{event_loop, generator, http1};

/// After the last intended start the rest must come within this.
const GRACE: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 256;
/// Key of the timer; connections have their index.
const TIMER: u64 = u64::MAX;

/// The generator's own command line.
#[derive(Debug, Args)]
pub struct Options {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    path: String,
    #[arg(long)]
    connections: u32,
    /// Requests per second.
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    seconds: u32,
}

/// Runs the generator as a process on `core`; any failed or missing answer is an error.
pub fn run(
    core: usize,
    port: u16,
    scenario: &Scenario,
    rate: u32,
    seconds: u32,
) -> Result<Loaded, String> {
    let rate = rate.to_string();
    let more = ["--rate", &rate].map(OsStr::new);
    generator::run(core, "open-loop", port, scenario, seconds, &more)
}

/// Sends the load and prints what came of it.
pub fn generate(options: &Options) -> Result<(), Error> {
    generator::print("open-loop", Generator::new(options).and_then(Generator::run))
}

struct Generator {
    epoll: Epoll,
    timer: TimerFd,
    connections: Vec<Connection>,
    /// Indices of the connections without a request.
    free: Vec<usize>,
    /// Intended starts of the requests that no connection was free for.
    waiting: VecDeque<Instant>,
    request: Vec<u8>,
    schedule: Schedule,
    latencies: Latencies,
}

/// When which request is to start.
struct Schedule {
    start: Instant,
    rate: u32,
    next: u64,
    count: u64,
}

impl Schedule {
    /// Intended start of the next request; none after the last.
    fn peek(&self) -> Option<Instant> {
        let nanos = u128::from(self.next) * 1_000_000_000 / u128::from(self.rate);
        let after = Duration::from_nanos(u64::try_from(nanos).ok()?);
        (self.next < self.count).then(|| self.start + after)
    }

    /// The same, and goes on, if it is due.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.peek().filter(|&due| due <= now)?;
        self.next += 1;
        Some(due)
    }
}

impl Generator {
    fn new(options: &Options) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        epoll.add(timer.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let mut connections = Vec::new();
        for key in 0..u64::from(options.connections) {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, options.port))?;
            event_loop::watch_new(&epoll, &stream, key)?;
            connections.push(Connection { stream, received: Vec::new(), started: None });
        }
        Ok(Self {
            epoll,
            timer,
            free: (0..connections.len()).collect(),
            connections,
            waiting: VecDeque::new(),
            request: format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", options.path).into(),
            schedule: Schedule {
                start: Instant::now(),
                rate: options.rate,
                next: 0,
                count: u64::from(options.rate) * u64::from(options.seconds),
            },
            latencies: Latencies::new(),
        })
    }

    fn run(mut self) -> io::Result<Loaded> {
        let mut events = vec![EpollEvent::empty(); EVENTS_MAX];
        let mut buffer = vec![0; READ_BYTES];
        let mut last_due = self.schedule.start;
        while self.latencies.count() < self.schedule.count {
            let now = Instant::now();
            while let Some(due) = self.schedule.take(now) {
                self.waiting.push_back(due);
                last_due = due;
            }
            if now > last_due + GRACE {
                return Err(ErrorKind::TimedOut.into());
            }
            self.send_waiting()?;
            self.set_timer(last_due + GRACE)?;
            let ready = self.epoll.wait(&mut events, EpollTimeout::NONE)?;
            for event in &events[..ready] {
                self.receive(event.data(), &mut buffer)?;
            }
        }
        Ok(self.latencies.loaded(self.schedule.start.elapsed()))
    }

    fn send_waiting(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let Some(index) = self.free.pop() else { break };
            let connection = &mut self.connections[index];
            connection.started = self.waiting.pop_front();
            // A request is far smaller than a socket's buffer and the only one in it.
            connection.stream.write_all(&self.request)?;
        }
        Ok(())
    }

    /// Wakes for the next intended start, after the last one for the `end`.
    fn set_timer(&self, end: Instant) -> io::Result<()> {
        let wait = self.schedule.peek().unwrap_or(end).saturating_duration_since(Instant::now());
        // Zero would disarm it.
        let wait = TimeSpec::from_duration(wait.max(Duration::from_nanos(1)));
        Ok(self.timer.set(Expiration::OneShot(wait), TimerSetTimeFlags::empty())?)
    }

    fn receive(&mut self, key: u64, buffer: &mut [u8]) -> io::Result<()> {
        let index = usize::try_from(key).map_err(io::Error::other)?;
        // The timer has no connection; setting it anew also takes its event away.
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if let Some(started) = connection.receive(buffer)? {
            self.latencies.record(started.elapsed());
            self.free.push(index);
        }
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Intended start of the request that is on its way.
    started: Option<Instant>,
}

impl Connection {
    /// Reads once; with the end of an answer comes the intended start of its request.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Instant>> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        self.received.extend_from_slice(&buffer[..length]);
        if http1::body_of_whole(&self.received)?.is_none() {
            return Ok(None);
        }
        self.received.clear();
        self.started.take().map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift() {
        let start = Instant::now();
        let mut schedule = Schedule { start, rate: 3, next: 0, count: 4 };
        let late = start + Duration::from_secs(9);
        assert_eq!(schedule.take(start), Some(start));
        assert_eq!(schedule.take(start), None);
        let due: Vec<_> = std::iter::from_fn(|| schedule.take(late)).collect();
        let after = [333_333_333, 666_666_666, 1_000_000_000].map(Duration::from_nanos);
        assert_eq!(due, after.map(|after| start + after));
    }
}

//! Requests that keep coming while a test changes the world under the proxy.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::Client;
use crate::wait::eventually;

/// Time between two requests of one client.
const PAUSE: Duration = Duration::from_millis(2);

/// Clients that send one request after the other until they are stopped.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    answered: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Starts `clients` clients against a port of loopback.
    pub fn start(port: u16, clients: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let run = |shared: Arc<Shared>| thread::spawn(move || shared.run(port));
        let clients = (0..clients).map(|_| run(shared.clone())).collect();
        Self { shared, clients }
    }

    /// Waits until `count` more requests were answered.
    pub fn wait_for(&self, count: usize) {
        let from = self.shared.answered.load(Ordering::Relaxed);
        eventually("requests under load", || {
            (self.shared.answered.load(Ordering::Relaxed) >= from + count).then_some(())
        });
    }

    /// Ends it; every request must have been answered with 200.
    #[track_caller]
    pub fn finish(self) -> usize {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no client panics");
        }
        let failures = self.shared.failures.lock().expect("no client panics");
        let answered = self.shared.answered.load(Ordering::Relaxed);
        let some = &failures[..failures.len().min(5)];
        assert!(failures.is_empty(), "{} of {answered} failed: {some:?}", failures.len());
        assert!(answered > 0, "there was no load");
        answered
    }
}

impl Shared {
    fn run(&self, port: u16) {
        let mut client = Client::connect(port);
        while !self.stopped.load(Ordering::Relaxed) {
            client.send("GET / HTTP/1.1\r\nhost: load\r\n\r\n");
            match client.read_response() {
                Ok(message) if message.status() == Some(200) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(message) => self.fail(message.to_string()),
                Err(end) => {
                    self.fail(end.to_string());
                    client = Client::connect(port);
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn fail(&self, what: String) {
        self.failures.lock().expect("no client panics").push(what);
    }
}

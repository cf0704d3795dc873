//! The embedded default: what `ringmain` serves when it is given no configuration.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::startup::StartError;

/// Two routes to two upstreams, and admin.
pub const CONFIG: &str = include_str!("demo.yaml");

/// What is served and how to try it.
pub const GREETING: &str = "\
ringmain serves its embedded demo:
  http://127.0.0.1:10000/        goes to the demo upstream 'blue'
  http://127.0.0.1:10000/green/  goes to the demo upstream 'green', without the prefix
  http://127.0.0.1:9901/         is admin
Try:
  curl -i http://127.0.0.1:10000/
  curl -i http://127.0.0.1:10000/green/hello
  curl -s http://127.0.0.1:9901/stats?usedonly
Serve your own Envoy configuration with: ringmain -c envoy.yaml";

/// The demo upstreams' names and ports, as in the configuration.
const UPSTREAMS: [(&str, u16); 2] = [("blue", 10001), ("green", 10002)];

/// Connections a demo upstream serves at once; it is a demo.
const CONNECTIONS_MAX: usize = 64;

/// Starts two tiny HTTP servers inside the process.
pub fn start_upstreams() -> Result<(), StartError> {
    for (name, port) in UPSTREAMS {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        start_upstream(name, address).map_err(|source| StartError::Demo { address, source })?;
    }
    Ok(())
}

fn start_upstream(name: &'static str, address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    for _ in 0..CONNECTIONS_MAX {
        let listener = listener.try_clone()?;
        thread::Builder::new().name(format!("demo-{name}")).stack_size(64 * 1024).spawn(
            move || {
                for stream in listener.incoming().flatten() {
                    // A peer that fails has its connection closed; the next is served.
                    let _failed = serve(stream, name);
                }
            },
        )?;
    }
    Ok(())
}

/// Answers every request head on the connection; requests with bodies are not for the demo.
fn serve(mut stream: TcpStream, name: &str) -> io::Result<()> {
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 || received.len() > chunk.len() {
            return Ok(());
        }
        received.extend_from_slice(&chunk[..count]);
        while let Some(end) = head_end(&received) {
            let target = target(&received[..end]);
            let body = format!("hello from {name}: {target}\n");
            let head =
                format!("content-type: text/plain\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}{body}").as_bytes())?;
            received.drain(..end);
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn target(head: &[u8]) -> String {
    let line = String::from_utf8_lossy(head);
    line.split(' ').nth(1).unwrap_or("/").to_owned()
}

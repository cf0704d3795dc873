//! What idle keep-alive connections cost in memory, and what of it comes back after their end.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::client::Client;
use crate::error::Error;
use crate::metric::{Metric, mib};
use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::setup::Downstream;
use crate::summary::Sample;
use crate::tls::Credentials;

/// Connections from one loopback address; the kernel's usual ephemeral range has 28,000 ports, of
/// which earlier loads still hold some.
const CONNECTIONS_PER_ADDRESS: u32 = 5_000;

/// Raises the limit on open files as far as this process may; the proxies inherit it.
pub fn raise_file_limit() -> Result<(), Error> {
    let (_, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(Error::system("limit on open files"))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(Error::system("limit on open files"))
}

/// Memory of `proxy` before, with and after the scenario's connections.
pub fn measure(
    proxy: &Proxy,
    scenario: &Scenario,
    credentials: &Credentials,
) -> Result<Sample, String> {
    let start_kib = proxy.settled_rss_kib();
    let mut connections = open(proxy.port, scenario, credentials)?;
    let held_kib = proxy.settled_rss_kib();
    // The ends of HTTP/2 and TLS may say something of their own.
    let is_quiet = scenario.setup.downstream == Downstream::Http1;
    let closed =
        connections.iter_mut().filter_map(|socket| is_open(socket, is_quiet).err()).count();
    if closed > 0 {
        return Err(format!("closed {closed} idle connections"));
    }
    drop(connections);
    let after_kib = proxy.settled_rss_kib();
    let grown = held_kib.saturating_sub(start_kib) as f64;
    let returned = held_kib.saturating_sub(after_kib) as f64;
    Ok(Sample::from([
        (Metric::IdleKib, grown / f64::from(scenario.connections)),
        (Metric::RssStartMib, mib(start_kib)),
        (Metric::RssHeldMib, mib(held_kib)),
        (Metric::RssAfterMib, mib(after_kib)),
        (Metric::ReturnedPercent, if grown > 0.0 { 100.0 * returned / grown } else { 100.0 }),
    ]))
}

/// One connection after the other, each with one request, so that the proxy needs few upstream.
fn open(
    port: u16,
    scenario: &Scenario,
    credentials: &Credentials,
) -> Result<Vec<TcpStream>, String> {
    (0..scenario.connections)
        .map(|number| {
            connect(source(number), port)
                .and_then(|socket| use_once(Client::new(socket, scenario, credentials)?, scenario))
                .map_err(|error| format!("idle connection {}: {error}", number + 1))
        })
        .collect()
}

/// What a client keeps beside its socket is let go: thousands would fill the machine.
fn use_once(mut client: Client, scenario: &Scenario) -> io::Result<TcpStream> {
    if client.exchange()?.len() != scenario.response_bytes {
        return Err(ErrorKind::InvalidData.into());
    }
    let socket = client.into_socket();
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// From 127.0.0.2 on, in blocks.
fn source(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + 1 + number / CONNECTIONS_PER_ADDRESS)
}

fn connect(source: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket.into())
}

/// Is there no end, nor, if the peer `is_quiet`, anything that nobody asked for?
fn is_open(socket: &mut TcpStream, is_quiet: bool) -> io::Result<()> {
    loop {
        match socket.read(&mut [0; 1024]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Ok(length) if length > 0 && !is_quiet => {}
            Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    #[test]
    fn sources_change_before_their_ports_run_out() {
        assert_eq!(source(0), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(4_999), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(source(14_999), Ipv4Addr::new(127, 0, 0, 4));
    }

    #[test]
    fn tells_an_open_connection_from_a_closed_one() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut stream = connect(source(7_000), port).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, 3));
        assert!(is_open(&mut stream, true).is_ok());
        accepted.write_all(b"x").unwrap();
        assert!(is_open(&mut stream, false).is_ok());
        accepted.write_all(b"x").unwrap();
        assert!(is_open(&mut stream, true).is_err());
        drop(accepted);
        // On loopback the end is there as soon as the close returns.
        assert!(is_open(&mut stream, false).is_err());
    }
}

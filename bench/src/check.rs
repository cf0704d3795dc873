//! One exchange byte by byte: a side that does not answer rightly is not measured.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::answers;
use crate::client::Client;
use crate::scenario::Scenario;
use crate::tls::Credentials;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the scenario's request to `port` and compares status, length and every byte of the body.
pub fn exchange(port: u16, scenario: &Scenario, credentials: &Credentials) -> Result<(), String> {
    let body = connect(port)
        .and_then(|socket| Client::new(socket, scenario, credentials)?.exchange())
        .map_err(|error| error.to_string())?;
    if body != answers::body(scenario.response_bytes) {
        return Err(format!(
            "the body of {} B is not the upstream's of {} B",
            body.len(),
            scenario.response_bytes
        ));
    }
    Ok(())
}

/// A new connection to the loopback `port`.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), CONNECT_TIMEOUT)
}

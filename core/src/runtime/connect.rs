//! Sockets for connections that we open, set up as a cluster asks for.

use std::io;
use std::net::SocketAddr;

use ringmain_config::cluster::ConnectOptions;
use ringmain_config::socket_option::{SocketOption, SocketState};
use socket2::{Domain, Protocol, Socket, Type};

use super::socket_options;

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// It took too long.
    TimedOut,
    /// There is no socket as it was asked for. Where the source address cannot be used, that in
    /// Envoy's words.
    Local(Option<String>),
    /// Nobody takes connections at a Unix socket; why, in Envoy's words.
    NoPipe(String),
    /// The host or the network refused, or there is no descriptor.
    Failed(io::Error),
}

/// A socket, not connected yet, for a connection to `address`.
pub fn outgoing_socket(
    address: SocketAddr,
    options: &ConnectOptions,
) -> Result<Socket, ConnectError> {
    let local = |_| ConnectError::Local(None);
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP));
    let socket = socket.map_err(ConnectError::Failed)?;
    let (source, prebind) = options.bind.towards(address);
    set_options(&socket, address, options, prebind).map_err(local)?;
    if let Some(source) = source {
        bind(&socket, source).map_err(|error| ConnectError::Local(Some(told(source, &error))))?;
    }
    socket.set_nonblocking(true).map_err(local)?;
    Ok(socket)
}

fn set_options(
    socket: &Socket,
    address: SocketAddr,
    options: &ConnectOptions,
    prebind: &[SocketOption],
) -> io::Result<()> {
    match (options.bind.freebind, address.is_ipv6()) {
        (Some(on), false) => socket.set_freebind_v4(on)?,
        (Some(on), true) => socket.set_freebind_v6(on)?,
        (None, _) => {}
    }
    if let Some(keepalive) = options.tcp_keepalive {
        socket_options::set_keepalive(socket, keepalive)?;
    }
    socket_options::set_all(socket, prebind, SocketState::Prebind)
}

/// Where the kernel is to choose the port, it does so when the socket connects: then connections to
/// different hosts may share one (ip(7), `IP_BIND_ADDRESS_NO_PORT`).
fn bind(socket: &Socket, source: SocketAddr) -> io::Result<()> {
    if source.port() == 0 {
        socket_options::set_bind_address_no_port(socket)?;
    }
    socket.bind(&source.into())
}

fn told(source: SocketAddr, error: &io::Error) -> String {
    format!("failed to bind to {source}: {}", without_number(error))
}

/// What the system says of `error`.
pub(super) fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use ringmain_config::cluster::BindConfig;

    use super::*;

    #[test]
    fn a_source_address_that_is_not_here_is_told() {
        let bind = BindConfig {
            source_address: Some("203.0.113.7:0".parse().expect("an address")),
            ..BindConfig::default()
        };
        let options = ConnectOptions { bind, tcp_keepalive: None };
        let address = "127.0.0.1:1".parse().expect("an address");
        let failure = outgoing_socket(address, &options).expect_err("nobody has that address");
        let expected = "failed to bind to 203.0.113.7:0: Cannot assign requested address";
        assert!(
            matches!(&failure, ConnectError::Local(Some(told)) if told == expected),
            "{failure:?}"
        );
    }
}

//! A connection as a chain's last filter gets it.

use std::net::SocketAddr;

use crate::runtime::Buffer;
use crate::transport_socket::Transport;

/// A connection that its filter chain has let pass.
#[derive(Debug)]
pub struct NewConnection {
    /// Its bytes.
    pub transport: Transport,
    /// The client.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// What came while listener filters looked for more.
    pub input: Buffer,
}

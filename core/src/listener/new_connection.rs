//! A connection as the last filter of its chain gets it.

use super::ConnectionInfo;
use crate::runtime::Buffer;
use crate::transport_socket::Transport;

/// A connection whose filter chain is known.
#[derive(Debug)]
pub struct NewConnection {
    /// Its bytes.
    pub transport: Transport,
    /// What is known of it.
    pub info: ConnectionInfo,
    /// What came while listener filters looked at it.
    pub input: Buffer,
}

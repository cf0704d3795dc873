//! Where a listener listens: its `address` and its `additional_addresses`.

use envoy_types::pb::envoy::config::listener::v3 as wire;

use crate::address::{Address, pipe_mode};
use crate::report::At;
use crate::socket_option::{SocketOption, TcpKeepalive};

/// An address to listen on, and how its socket is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSocket {
    /// `address`.
    pub address: Address,
    /// `address.pipe.mode`, the permissions of the file; 0 leaves them as the process's mask has it.
    pub pipe_mode: u32,
    /// `tcp_keepalive`; absent leaves the option alone.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// `socket_options`, set after those that have fields of their own.
    pub socket_options: Vec<SocketOption>,
}

impl ListenSocket {
    /// Reads the fields `address` and `additional_addresses`; the first is that of `address`. What an
    /// additional one does not say is as with the listener.
    pub(crate) fn list_from_wire(wire: &wire::Listener, at: &At<'_>) -> Option<Vec<Self>> {
        let options_at = at.field("socket_options");
        let first = Self {
            address: Address::from_wire(wire.address.as_ref(), &at.field("address"))?,
            pipe_mode: pipe_mode(wire.address.as_ref()),
            tcp_keepalive: wire.tcp_keepalive.map(TcpKeepalive::from_wire),
            socket_options: SocketOption::list_from_wire(&wire.socket_options, &options_at),
        };
        let at = at.field("additional_addresses");
        let additional = wire.additional_addresses.iter().enumerate();
        let additional: Option<Vec<_>> = additional
            .map(|(index, wire)| first.additional_from_wire(wire, &at.index(index)))
            .collect();
        Some([vec![first], additional?].concat())
    }

    fn additional_from_wire(&self, wire: &wire::AdditionalAddress, at: &At<'_>) -> Option<Self> {
        let options = wire.socket_options.as_ref().map(|options| {
            let at = at.field("socket_options");
            SocketOption::list_from_wire(&options.socket_options, &at.field("socket_options"))
        });
        Some(Self {
            address: Address::from_wire(wire.address.as_ref(), &at.field("address"))?,
            pipe_mode: pipe_mode(wire.address.as_ref()),
            tcp_keepalive: wire.tcp_keepalive.map(TcpKeepalive::from_wire).or(self.tcp_keepalive),
            socket_options: options.unwrap_or_else(|| self.socket_options.clone()),
        })
    }
}

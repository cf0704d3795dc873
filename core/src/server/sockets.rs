//! The listening sockets, bound before any worker starts.

use std::io;

use ringmain_config::address::Address;
use ringmain_config::bootstrap::Admin;
use ringmain_config::listen_socket::ListenSocket;
use ringmain_config::listener as config;
use socket2::Socket;

use super::startup::StartError;
use crate::runtime::{self, ListenOptions};

/// An address that a listener listens on, and a socket there for each worker; none with
/// `bind_to_port: false`.
#[derive(Debug)]
pub struct BoundAddress {
    /// With the port that the kernel chose.
    pub address: Address,
    sockets: Vec<Socket>,
}

/// A worker's socket.
#[derive(Debug)]
pub struct ListeningSocket {
    /// The index of its listener.
    pub listener: usize,
    /// Where it listens.
    pub address: Address,
    /// The socket.
    pub socket: Socket,
}

/// The admin listener's socket. Like a port, a path that another process listens at is not taken from it.
pub fn bind_admin(admin: &Admin) -> Result<Socket, StartError> {
    let address = admin.address.clone();
    let pipe_mode = admin.pipe_mode;
    let bound = match &address {
        Address::Pipe(path) if runtime::is_listened_at(path) => {
            Err(io::ErrorKind::AddrInUse.into())
        }
        _ => runtime::bind(&ListenOptions { pipe_mode, ..ListenOptions::new(address.clone()) }),
    };
    bound.map_err(|source| StartError::Listen { name: "admin".into(), address, source })
}

/// Binds all addresses of each listener.
pub fn bind_all(
    listeners: &[config::Listener],
    workers: usize,
) -> Result<Vec<Vec<BoundAddress>>, StartError> {
    let bind = |listener: &config::Listener, socket: &ListenSocket| {
        bind_address(listener, socket, workers).map_err(|source| StartError::Listen {
            name: listener.name.clone(),
            address: socket.address.clone(),
            source,
        })
    };
    let bind_listener = |listener: &config::Listener| {
        listener.sockets.iter().map(|socket| bind(listener, socket)).collect()
    };
    listeners.iter().map(bind_listener).collect()
}

fn bind_address(
    listener: &config::Listener,
    socket: &ListenSocket,
    workers: usize,
) -> io::Result<BoundAddress> {
    let mut options = ListenOptions {
        address: socket.address.clone(),
        pipe_mode: socket.pipe_mode,
        // A path leads to one socket.
        reuse_port: listener.enable_reuse_port && socket.address.socket().is_some(),
        backlog: listener.tcp_backlog_size,
        freebind: listener.freebind,
        transparent: listener.transparent,
        fast_open_queue_length: listener.tcp_fast_open_queue_length,
        keepalive: socket.tcp_keepalive,
        more: &socket.socket_options,
    };
    if !listener.bind_to_port {
        return Ok(BoundAddress { address: options.address, sockets: Vec::new() });
    }
    let first = runtime::bind(&options)?;
    // Port 0: the kernel has chosen; the other workers share the choice.
    options.address = runtime::local_address(&first)?;
    let mut sockets = vec![first];
    while sockets.len() < workers {
        sockets.push(match options.reuse_port {
            true => runtime::bind(&options)?,
            false => sockets[0].try_clone()?,
        });
    }
    Ok(BoundAddress { address: options.address, sockets })
}

/// From sockets by listener to sockets by worker.
pub fn transpose(listeners: Vec<Vec<BoundAddress>>, workers: usize) -> Vec<Vec<ListeningSocket>> {
    let mut per_worker: Vec<Vec<ListeningSocket>> = (0..workers).map(|_| Vec::new()).collect();
    for (listener, addresses) in listeners.into_iter().enumerate() {
        for BoundAddress { address, sockets } in addresses {
            for (worker, socket) in per_worker.iter_mut().zip(sockets) {
                let address = address.clone();
                worker.push(ListeningSocket { listener, address, socket });
            }
        }
    }
    per_worker
}

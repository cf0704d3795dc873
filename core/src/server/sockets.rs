//! The listening sockets, bound before any worker starts.

use std::net::{SocketAddr, TcpListener};

use ringmain_config::listener as config;

use super::startup::StartError;
use crate::runtime::{self, ListenOptions};

/// The admin listener's socket.
pub fn bind_admin(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Listen {
        name: "admin".into(),
        address,
        source,
    })
}

/// One socket a listener and worker, all of a listener on one address.
pub fn bind_all(
    listeners: &[config::Listener],
    workers: usize,
) -> Result<Vec<(SocketAddr, Vec<TcpListener>)>, StartError> {
    listeners.iter().map(|listener| bind_listener(listener, workers)).collect()
}

fn bind_listener(
    listener: &config::Listener,
    workers: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
    let fail = |source| StartError::Listen {
        name: listener.name.clone(),
        address: listener.address,
        source,
    };
    let mut options =
        ListenOptions { address: listener.address, backlog: listener.tcp_backlog_size };
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = runtime::bind(&options).map_err(fail)?;
        // Port 0: the kernel has chosen; the other workers share the choice.
        options.address = socket.local_addr().map_err(fail)?;
        sockets.push(socket);
    }
    Ok((options.address, sockets))
}

/// From sockets by listener to sockets by worker.
pub fn transpose(
    sockets: Vec<(SocketAddr, Vec<TcpListener>)>,
    workers: usize,
) -> Vec<Vec<TcpListener>> {
    let mut per_worker: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    for (_, of_listener) in sockets {
        for (worker, socket) in per_worker.iter_mut().zip(of_listener) {
            worker.push(socket);
        }
    }
    per_worker
}

//! Options of sockets that configurations name.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

use ringmain_config::socket_option::{SocketOption, SocketState, TcpKeepalive};
use socket2::Socket;

/// Sets those of `options` that are due `now`. An error says which could not be.
pub(super) fn set_all(
    socket: &Socket,
    options: &[SocketOption],
    now: SocketState,
) -> io::Result<()> {
    options.iter().filter(|option| option.state == now).try_for_each(|option| {
        let SocketOption { description, level, name, value, .. } = option;
        set(socket, *level, *name, value).map_err(|error| {
            let what = format!("socket option '{description}' (level {level}, name {name})");
            io::Error::new(error.kind(), format!("{what}: {error}"))
        })
    })
}

/// `TCP_FASTOPEN`.
pub(super) fn set_fast_open(socket: &Socket, queue_length: u32) -> io::Result<()> {
    let length = i32::try_from(queue_length).unwrap_or(i32::MAX);
    set(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &length.to_ne_bytes())
}

/// `IP_BIND_ADDRESS_NO_PORT`.
pub(super) fn set_bind_address_no_port(socket: &Socket) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &1_i32.to_ne_bytes())
}

/// `SO_KEEPALIVE`, and how its probes are sent.
pub(super) fn set_keepalive(socket: &Socket, keepalive: TcpKeepalive) -> io::Result<()> {
    let mut params = socket2::TcpKeepalive::new();
    if let Some(time) = keepalive.time {
        params = params.with_time(time);
    }
    if let Some(interval) = keepalive.interval {
        params = params.with_interval(interval);
    }
    if let Some(probes) = keepalive.probes {
        params = params.with_retries(probes);
    }
    socket.set_tcp_keepalive(&params)
}

fn set(socket: &Socket, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: `value` holds `length` bytes, which the kernel only reads, and the socket is open.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

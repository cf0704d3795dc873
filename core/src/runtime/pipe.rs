//! Unix sockets (`pipe` addresses). Once one is connected, it is read and written like one of TCP, and
//! is a [`Stream`](super::Stream) as well.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::fs::{Permissions, remove_file, set_permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use monoio::net::{TcpStream, UnixStream};
use ringmain_config::address::Address;
use rustix::net::{SocketAddrAny, SocketAddrUnix};
use socket2::{Domain, SockAddr, Socket, Type};

use super::connect::{ConnectError, without_number};
use super::{TICK, engine, sleep};

/// The name in `path` as the system takes it: one that begins with `@` is no file, but lies in the
/// abstract namespace (unix(7)).
pub fn system_name(path: &str) -> Cow<'_, str> {
    match path.strip_prefix('@') {
        Some(name) => format!("\0{name}").into(),
        None => path.into(),
    }
}

/// Binds a socket to `path`. A file of that name makes way, as with Envoy: a process that ends leaves
/// its own behind.
pub(super) fn bind(socket: &Socket, path: &str, mode: u32) -> io::Result<()> {
    let is_file = !path.starts_with('@');
    if is_file {
        // Where it cannot be removed, the bind tells why.
        let _none_there = remove_file(path);
    }
    socket.bind(&SockAddr::unix(&*system_name(path))?)?;
    if is_file && mode != 0 {
        set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Whether somebody listens at `path`.
pub fn is_listened_at(path: &str) -> bool {
    let connect = || {
        let address = SockAddr::unix(&*system_name(path))?;
        Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?.connect(&address)
    };
    // A queue that is full is somebody's.
    connect().map_or_else(|error: io::Error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

/// Connects to the socket at `path`. That takes no time, except where the queue of the listener is full:
/// no event tells when it no longer is.
pub(super) async fn connect(path: &str) -> Result<TcpStream, ConnectError> {
    let address = SockAddr::unix(&*system_name(path)).map_err(ConnectError::Failed)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None);
    let socket = socket.map_err(ConnectError::Failed)?;
    while let Err(error) = socket.connect(&address) {
        if error.kind() != io::ErrorKind::WouldBlock {
            let why = without_number(&error);
            let told = format!("immediate connect error: {why}|remote address:{path}");
            return Err(ConnectError::NoPipe(told));
        }
        sleep(TICK).await;
    }
    let connected = || {
        // As in `Listener::new`.
        socket.set_nonblocking(engine::is_epoll())?;
        TcpStream::from_std(OwnedFd::from(socket).into())
    };
    connected().map_err(ConnectError::Failed)
}

/// An accepted connection.
pub(super) fn accepted(stream: UnixStream) -> io::Result<TcpStream> {
    // SAFETY: the stream has let go of its descriptor, and nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(stream.into_raw_fd()) };
    TcpStream::from_std(descriptor.into())
}

/// A connection of the control thread's, for what reads and writes sockets of TCP there.
pub fn like_tcp(stream: tokio::net::UnixStream) -> io::Result<tokio::net::TcpStream> {
    let descriptor = OwnedFd::from(stream.into_std()?);
    tokio::net::TcpStream::from_std(descriptor.into())
}

/// The address of this end of `socket`, of either kind; an error where it has none.
pub fn local_address(socket: impl AsFd) -> io::Result<Address> {
    let any: SocketAddrAny = rustix::net::getsockname(socket)?;
    if let Ok(address) = SocketAddr::try_from(any.clone()) {
        return Ok(address.into());
    }
    let address = SocketAddrUnix::try_from(any)?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let path = match (address.path_bytes(), address.abstract_name()) {
        (Some(path), _) => text(path),
        (None, Some(name)) if !name.is_empty() => format!("@{}", text(name)),
        _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
    };
    Ok(Address::Pipe(path.into()))
}

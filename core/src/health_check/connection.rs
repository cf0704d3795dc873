//! Connections for checks: on the control thread, apart from those of requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ringmain_config::address::Address;
use ringmain_config::cluster::{AutoSni, HealthCheck};
use ringmain_config::tls::UpstreamTlsContext;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::sync::watch;

use super::tls_socket::TlsSocket;
use crate::cluster::{Cluster, Host};
use crate::runtime::{self, ConnectError, outgoing_socket};
use crate::transport_socket::tls::ClientContext;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// TLS towards the hosts of a cluster, as its checks use it. Certificates may change.
#[derive(Debug)]
pub struct CheckTls {
    source: Arc<UpstreamTlsContext>,
    context: ClientContext,
    config: watch::Sender<Arc<ClientConfig>>,
}

impl CheckTls {
    /// That of a cluster whose contexts come from `source`.
    pub fn new(source: Arc<UpstreamTlsContext>, check: &HealthCheck) -> Self {
        let context = ClientContext::new(&source, &[], &AutoSni::default());
        let config = watch::Sender::new(config_of(&context, check));
        Self { source, context, config }
    }

    /// Connections that begin from now on are made as `source` says, where that is another one.
    pub fn follow(&mut self, source: &Arc<UpstreamTlsContext>, check: &HealthCheck) {
        if !Arc::ptr_eq(&self.source, source) {
            self.source = source.clone();
            self.context = ClientContext::new(source, &[], &AutoSni::default());
            self.config.send_replace(config_of(&self.context, check));
        }
    }
}

fn config_of(context: &ClientContext, check: &HealthCheck) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(context.config());
    if !check.alpn_protocols.is_empty() {
        config.alpn_protocols.clone_from(&check.alpn_protocols);
    }
    Arc::new(config)
}

/// Whom a session asks, and how he is to be known by TLS.
#[derive(Debug, Clone)]
pub struct Target {
    address: Address,
    cluster: Arc<Cluster>,
    tls: Option<(watch::Receiver<Arc<ClientConfig>>, ServerName<'static>)>,
}

impl Target {
    /// `host` of `cluster`, or what it has named for its checks.
    pub fn new(cluster: Arc<Cluster>, host: &Host, tls: Option<&CheckTls>) -> Self {
        let own = &host.health_check_config;
        let mut address = own.address.clone().unwrap_or_else(|| host.address.clone());
        if let Address::Socket(address) = &mut address
            && own.port_value != 0
        {
            address.set_port(own.port_value);
        }
        let ip = address.ip();
        let name = |tls: &CheckTls| tls.context.server_name(None, &host.hostname, ip);
        Self { address, cluster, tls: tls.map(|tls| (tls.config.subscribe(), name(tls))) }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Opens a connection; with TLS, after the handshake.
    pub async fn connect(&self) -> io::Result<Box<dyn Duplex>> {
        let socket = match &self.address {
            Address::Socket(address) => self.connect_tcp(*address).await?,
            Address::Pipe(path) => {
                runtime::like_tcp(UnixStream::connect(&*runtime::system_name(path)).await?)?
            }
        };
        match &self.tls {
            None => Ok(Box::new(socket)),
            Some((config, name)) => {
                let config = config.borrow().clone();
                Ok(Box::new(TlsSocket::connect(socket, config, name.clone()).await?))
            }
        }
    }

    async fn connect_tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let options = &self.cluster.config.connect_options;
        let socket = outgoing_socket(address, options).map_err(|error| match error {
            ConnectError::Failed(error) => error,
            ConnectError::TimedOut => io::ErrorKind::TimedOut.into(),
            ConnectError::Local(_) | ConnectError::NoPipe(_) => {
                io::ErrorKind::AddrNotAvailable.into()
            }
        })?;
        let socket = TcpSocket::from_std_stream(socket.into()).connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }
}

//! Network filters: which connections may pass, and what becomes of their bytes where they are not HTTP.

mod direct_response;
mod echo;
mod filter;
mod tcp_proxy;

use std::rc::Rc;

pub use filter::{CountedConnection, NetworkFilter, Refused, admit, authorize, share_buckets};
pub use tcp_proxy::TcpProxy;

use crate::http::stream::StreamInfo;
use crate::listener::{ConnectionInfo, NewConnection};
use crate::server::Worker;
use crate::transport_socket::tls::TlsInfo;

/// A compiled terminal filter that serves bytes.
#[derive(Debug)]
pub enum ByteFilter {
    /// `envoy.filters.network.tcp_proxy`.
    TcpProxy(Box<TcpProxy>),
    /// `envoy.filters.network.echo`.
    Echo,
    /// `envoy.filters.network.direct_response`, and what it sends.
    DirectResponse(Box<[u8]>),
}

/// Serves a connection until it has ended.
pub async fn serve(worker: &Rc<Worker>, filter: &ByteFilter, connection: NewConnection) {
    match filter {
        ByteFilter::TcpProxy(proxy) => tcp_proxy::serve(worker, proxy, connection).await,
        ByteFilter::Echo => echo::serve(worker, connection).await,
        ByteFilter::DirectResponse(response) => {
            direct_response::serve(worker, response, connection).await;
        }
    }
}

/// A connection that the last filter of its chain does not get to serve.
#[derive(Debug)]
pub struct Unserved {
    /// What is known of it.
    pub info: ConnectionInfo,
    /// Its TLS, where it has any.
    pub tls: Option<Rc<TlsInfo>>,
    /// Why we ended it; absent where the client did, or its handshake failed.
    pub refused: Option<Refused>,
    /// Why the handshake failed, where that is known.
    pub transport_failure: Option<Rc<str>>,
}

impl Unserved {
    /// Notes in `record` why.
    pub fn tell(&self, record: &mut StreamInfo) {
        record.downstream_tls.clone_from(&self.tls);
        if self.transport_failure.is_some() {
            record.downstream_transport_failure.clone_from(&self.transport_failure);
        }
        if let Some(refused) = self.refused {
            record.termination_details = refused.details;
            if let Some(flag) = refused.flag {
                record.flags.set(flag);
            }
        }
    }
}

/// Counts and logs a connection that `filter` does not get to serve.
pub fn count_unserved(worker: &Worker, filter: &ByteFilter, connection: &Unserved) {
    if let ByteFilter::TcpProxy(proxy) = filter {
        tcp_proxy::count_unserved(worker, proxy, connection);
    }
}

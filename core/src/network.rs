//! Network filters: what becomes of a connection's bytes where they are not HTTP.

mod direct_response;
mod echo;
mod tcp_proxy;

use std::rc::Rc;

pub use tcp_proxy::TcpProxy;

use crate::listener::NewConnection;
use crate::server::Worker;

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

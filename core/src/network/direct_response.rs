//! `envoy.filters.network.direct_response`: sends the same bytes to everybody and closes.

use std::net::Shutdown;
use std::time::Duration;

use crate::listener::NewConnection;
use crate::runtime::{Buffer, Deadline};
use crate::server::Worker;

/// How long a client may take to receive the response. Envoy's `delayed_close_timeout`, which only
/// HTTP can set.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Sends `response` and closes.
pub async fn serve(worker: &Worker, response: &[u8], connection: NewConnection) {
    let NewConnection { transport, info, input, .. } = connection;
    worker.buffers.give_back(input);
    let deadline = Deadline::new(&worker.timers, transport.stream(), Shutdown::Both);
    deadline.arm(Some(FLUSH_LIMIT));
    let mut buffer = Buffer::with_capacity(response.len());
    let fits = buffer.append(response);
    debug_assert!(fits, "made to measure");
    info.note(|record| {
        record.details = "direct_response";
        record.bytes_sent = response.len() as u64;
    });
    // Who does not take the response is closed like who does.
    let (_sent, _buffer) = transport.write_all(buffer).await;
}

//! `envoy.filters.network.echo`: sends back what comes.

use crate::listener::NewConnection;
use crate::server::Worker;

/// Serves a connection until the client ends it.
pub async fn serve(worker: &Worker, connection: NewConnection) {
    let NewConnection { transport, info, mut input, .. } = connection;
    loop {
        if input.is_empty() {
            if input.capacity() == 0 {
                input = worker.buffers.small();
            }
            let (read, returned) = transport.read(input).await;
            input = returned;
            if !matches!(read, Ok(count) if count > 0) {
                break;
            }
        }
        let count = input.len() as u64;
        info.note(|record| record.bytes_received += count);
        let (written, returned) = transport.write_all(input).await;
        input = returned;
        input.clear();
        if written.is_err() {
            break;
        }
        info.note(|record| record.bytes_sent += count);
    }
    worker.buffers.give_back(input);
}

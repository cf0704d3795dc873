//! The upstream side of a CONNECT that ends here: the host gets what comes out of the client's tunnel,
//! and knows nothing of HTTP.

use std::cell::Cell;
use std::net::Shutdown;
use std::rc::Rc;

use ringmain_proto_codec::h1::{BodyLength, ResponseHead};

use super::body::Ending;
use super::upstream::{Piece, ResponseFailure, SendFailed};
use crate::pool::TcpConnection;
use crate::runtime::{Buffer, Deadline, Interrupt, Patience, SMALL_BUFFER_BYTES};
use crate::server::Worker;

/// One tunnel on its connection.
#[derive(Debug)]
pub struct TunnelStream {
    worker: Rc<Worker>,
    connection: TcpConnection,
    deadline: Deadline,
    patience: Patience,
    /// The client is gone: what ends is ended by us.
    aborted: Cell<bool>,
    sent: Cell<u64>,
    received: Cell<u64>,
    /// Bytes of the last piece: after a full one a larger buffer is worth it.
    last_piece: Cell<usize>,
}

impl TunnelStream {
    /// Begins a tunnel on a connection just opened.
    pub fn begin(worker: &Rc<Worker>, connection: TcpConnection) -> Self {
        let stream = connection.transport().stream();
        Self {
            worker: worker.clone(),
            deadline: Deadline::new(&worker.timers, stream, Shutdown::Both),
            patience: Patience::new(&worker.timers),
            connection,
            aborted: Cell::new(false),
            sent: Cell::new(0),
            received: Cell::new(0),
            last_piece: Cell::new(0),
        }
    }

    /// The connection.
    pub fn connection(&self) -> &TcpConnection {
        &self.connection
    }

    /// Ends the tunnel when nothing moves for too long.
    pub fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Bytes sent to the host and received from it.
    pub fn wire_bytes(&self) -> (u64, u64) {
        (self.sent.get(), self.received.get())
    }

    /// Breaks the tunnel off.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt::socket(self.connection.transport().stream(), Shutdown::Both)
    }

    /// Sends what has come from the client, and its end behind it where `ending` says so.
    pub async fn send(
        &self,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), SendFailed>, Buffer) {
        let transport = self.connection.transport();
        let (mut sent, mut piece) = (Ok(()), piece);
        if !piece.is_empty() {
            (sent, piece) = transport.write_all(piece).await;
            self.sent.set(self.sent.get() + piece.len() as u64);
            self.connection.cluster().stats().upstream_cx_tx_bytes_total.add(piece.len() as u64);
        }
        if ending.is_some() {
            transport.end_writing();
        }
        (sent.map_err(|_| SendFailed), piece)
    }

    /// The client is gone.
    pub fn abort(&self) {
        self.aborted.set(true);
        self.connection.transport().stream().shutdown(Shutdown::Both);
    }

    /// What the client gets for a response: the connection is open (RFC 9110 §9.3.6).
    pub fn answer(head: &mut ResponseHead) {
        head.clear();
        head.status = 200;
        head.body = BodyLength::UntilClose;
    }

    /// What comes next from the host.
    pub async fn next_piece(&self) -> Result<Piece, ResponseFailure> {
        let buffers = &self.worker.buffers;
        let buffer = match self.last_piece.get() {
            ..SMALL_BUFFER_BYTES => buffers.small(),
            _ => buffers.large(),
        };
        let transport = self.connection.transport();
        let (read, data) = transport.read_lazily(buffer, buffers, &self.patience).await;
        match read {
            Ok(count) if !self.deadline.fired() && !self.aborted.get() => {
                self.last_piece.set(count);
                self.received.set(self.received.get() + count as u64);
                self.connection.cluster().stats().upstream_cx_rx_bytes_total.add(count as u64);
                Ok(Piece { data, is_last: count == 0 })
            }
            _ => {
                buffers.give_back(data);
                Err(ResponseFailure::ClosedSilent)
            }
        }
    }

    /// Counts that the host has broken the tunnel off.
    pub fn count_broken_off(&self) {
        self.connection.note_remote_close();
    }
}

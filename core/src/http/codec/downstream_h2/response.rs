//! The response as HTTP/2 sends it.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use ringmain_proto_codec::HeaderMap;
use ringmain_proto_codec::h1::ResponseHead;

use super::{Outgoing, Stream};
use crate::http::codec::body::Ending;
use crate::http::codec::downstream::{After, Gone};
use crate::http::exchange::Exchange;
use crate::http::header_bytes;
use crate::runtime::Buffer;

impl Stream {
    /// Sends the head with the first piece of the body.
    pub async fn send_head(
        &self,
        exchange: &mut Exchange,
        first: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<After, Gone>, Buffer) {
        self.note_closing(exchange);
        self.tunnel.set(exchange.leaves_http());
        let recorded = self.connection.record.manager.recorded;
        exchange.info.times.downstream_tx_begin = recorded.times.then(Instant::now);
        if recorded.header_bytes {
            let bytes = header_bytes::received_fields(&exchange.response.headers);
            exchange.info.downstream_bytes.headers_sent = bytes;
        }
        let ends = first.is_empty() && ending.is_some_and(|Ending { trailers }| trailers.is_none());
        if self.inner.borrow_mut().send_head(&exchange.response, ends).is_err() {
            return (Err(Gone), first);
        }
        self.connection.framing.add_head(&self.client);
        if ends {
            return (Ok(After::KeepAlive), first);
        }
        let (sent, spare) = self.send_data(first, ending).await;
        (sent.map(|()| After::KeepAlive), spare)
    }

    /// Sends the head of an interim response. Where that fails the client has gone, which is seen elsewhere.
    pub fn send_interim(&self, head: &ResponseHead) {
        let _gone = self.send_interim_head(head.status, &head.headers);
    }

    pub(super) fn send_interim_head(&self, status: u16, headers: &HeaderMap) -> Result<(), Gone> {
        self.inner.borrow_mut().send_interim(status, headers).map_err(|_| Gone)?;
        self.connection.framing.add_head(&self.client);
        Ok(())
    }

    /// Sends the next piece of the body as the client has room for it. What there is no room for is kept back:
    /// in the crate it would lie for ever.
    pub async fn send_data(
        &self,
        mut piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        while !piece.is_empty() {
            match self.await_room(piece.len()).await {
                Ok(room) if room < piece.len() => {
                    if self.send_part(&mut piece, room).is_err() {
                        return (Err(Gone), piece);
                    }
                }
                Ok(_) => break,
                Err(Gone) if ending.is_some() && self.send_deadline.fired() => {
                    self.give_up();
                    return (Ok(()), piece);
                }
                Err(Gone) => return (Err(Gone), piece),
            }
        }
        let trailers = ending.and_then(|Ending { trailers }| trailers);
        let ends = ending.is_some() && trailers.is_none();
        if piece.is_empty() && !ends {
            return (self.send_trailers(trailers), piece);
        }
        let sent = self.give_to_crate(piece, ends).and_then(|()| self.send_trailers(trailers));
        (sent, Buffer::default())
    }

    /// Sends the first bytes of `piece`.
    fn send_part(&self, piece: &mut Buffer, bytes: usize) -> Result<(), Gone> {
        let pool = &self.connection.record.worker.buffers;
        let (part, rest) = piece.bytes().split_at(bytes);
        // The shorter one is copied.
        let part = if part.len() <= rest.len() {
            let part = pool.holding(part);
            piece.consume(bytes);
            part
        } else {
            let rest = pool.holding(rest);
            piece.truncate(bytes);
            std::mem::replace(piece, rest)
        };
        self.give_to_crate(part, false)
    }

    fn give_to_crate(&self, piece: Buffer, ends: bool) -> Result<(), Gone> {
        let piece = Outgoing::new(piece, &self.connection.record.worker, &self.client);
        self.inner.borrow_mut().send_data(piece, ends).map_err(|_| Gone)
    }

    /// The client takes the end of the response too slowly. To Envoy such a request has been served.
    fn give_up(&self) {
        self.connection.record.worker.http2_stats().tx_flush_timeout.inc();
        self.reset();
    }

    fn send_trailers(&self, trailers: Option<&HeaderMap>) -> Result<(), Gone> {
        let Some(trailers) = trailers else { return Ok(()) };
        self.inner.borrow_mut().send_trailers(trailers).map_err(|_| Gone)?;
        self.connection.framing.add_head(&self.client);
        Ok(())
    }

    /// Waits until the client has room for some of `bytes`, and what was sent before is on its way: for how
    /// many.
    async fn await_room(&self, bytes: usize) -> Result<usize, Gone> {
        let mut armed = false;
        let room = poll_fn(|context| {
            while self.wake.poll_notified(context).is_ready() {}
            if self.client.is_gone() || self.send_deadline.fired() {
                return Poll::Ready(Err(Gone));
            }
            let room = self.inner.borrow_mut().poll_room(context, bytes).map_err(|_| Gone);
            if room.is_pending() && !armed {
                armed = true;
                self.send_deadline.arm(self.connection.record.manager.config.stream_idle_timeout);
            }
            room
        })
        .await;
        self.send_deadline.disarm();
        room
    }

    /// The rest of the response will not come. What came of it reaches the client first: a reset makes
    /// the `h2` crate forget the frames that it has not written yet.
    pub async fn break_off(&self) {
        if !self.client.is_gone() {
            self.connection.all_framed(&self.client).await;
        }
        self.reset();
    }

    /// Resets the stream, unless it is over.
    pub(super) fn reset(&self) {
        self.inner.borrow_mut().break_off(self.tunnel.get());
    }

    /// Counts what this response means for the connection, which a drain or a limit may end with it.
    fn note_closing(&self, exchange: &Exchange) {
        let connection = &self.connection;
        let (record, stats) = (&connection.record, connection.stats());
        if exchange.info.request_received.is_none() {
            stats.downstream_rq_response_before_rq_complete.inc();
        }
        if connection.draining.get() {
            return;
        }
        let max = record.manager.config.max_requests_per_connection;
        if max.is_some_and(|max| record.requests.get() >= max) {
            stats.downstream_cx_max_requests_reached.inc();
            connection.wake.notify();
        } else if record.worker.drain.closes(record.manager.traffic_direction) {
            stats.downstream_cx_drain_close.inc();
            connection.wake.notify();
        }
    }
}

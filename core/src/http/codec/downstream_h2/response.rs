//! The response as HTTP/2 sends it.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ringmain_proto_codec::HeaderMap;
use ringmain_proto_codec::h1::ResponseHead;

use super::framing::PIECES_MAX;
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
        self.connection.framing.add_head(self.client.stream);
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
        self.connection.framing.add_head(self.client.stream);
        Ok(())
    }

    /// Sends the next piece of the body when the client has room for some of it. The rest lies in the crate, as
    /// it is, until there is room for that, and is waited for before anything is sent behind it. So is the end, if it
    /// cannot go with its piece: once it has that, the crate tells of no reset any more, and lets the rest lie for ever.
    pub async fn send_data(
        &self,
        piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        let bytes = piece.len();
        let mut fits = false;
        if bytes > 0 {
            let Ok(room) = self.await_room(bytes).await else {
                return (self.too_slow(ending.is_some()), piece);
            };
            fits = room >= bytes;
            let ends = fits && ending.is_some_and(|Ending { trailers }| trailers.is_none());
            let given = self.give_to_crate(piece, ends);
            if ends || given.is_err() {
                return (given, Buffer::default());
            }
        }
        let sent = match ending {
            Some(ending) => self.send_end(ending, fits).await,
            None => Ok(()),
        };
        (sent, Buffer::default())
    }

    /// Sends the end of the response, at once where all before it `fits` what the client has room for.
    async fn send_end(&self, ending: Ending<'_>, fits: bool) -> Result<(), Gone> {
        if !fits && self.await_framed().await.is_err() {
            return self.too_slow(true);
        }
        match ending.trailers {
            Some(trailers) => self.send_trailers(trailers),
            None => self.give_to_crate(Buffer::default(), true),
        }
    }

    fn give_to_crate(&self, piece: Buffer, ends: bool) -> Result<(), Gone> {
        let piece = Outgoing::new(piece, &self.connection, &self.client);
        self.inner.borrow_mut().send_data(piece, ends).map_err(|_| Gone)
    }

    /// The client has gone, or takes too slowly what it is sent. To Envoy a request of which that is the end
    /// has been served.
    fn too_slow(&self, is_last: bool) -> Result<(), Gone> {
        if !is_last || !self.send_deadline.fired() {
            return Err(Gone);
        }
        self.connection.record.worker.http2_stats().tx_flush_timeout.inc();
        self.inner.borrow_mut().give_up(self.tunnel.get());
        Ok(())
    }

    fn send_trailers(&self, trailers: &HeaderMap) -> Result<(), Gone> {
        self.inner.borrow_mut().send_trailers(trailers).map_err(|_| Gone)?;
        self.connection.framing.add_head(self.client.stream);
        Ok(())
    }

    /// Waits until the client has room for some of `bytes`, and what was sent before is on its way: for how
    /// many. Nor do more pieces lie in the crate than few: the least of them holds a whole buffer.
    async fn await_room(&self, bytes: usize) -> Result<usize, Gone> {
        self.await_client(|context| {
            ready!(self.client.unframed.poll_fewer(context, PIECES_MAX));
            self.inner.borrow_mut().poll_room(context, bytes).map_err(|_| Gone)
        })
        .await
    }

    /// Waits until all that was sent of the body is on its way.
    async fn await_framed(&self) -> Result<(), Gone> {
        self.await_client(|context| self.client.unframed.poll_fewer(context, 1).map(Ok)).await
    }

    /// Waits for what the client grants, as long as `stream_idle_timeout` never passes without some of the
    /// body being on its way.
    async fn await_client<T>(
        &self,
        mut granted: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Gone>>,
    ) -> Result<T, Gone> {
        let limit = self.connection.record.manager.config.stream_idle_timeout;
        let mut armed = false;
        let granted = poll_fn(|context| {
            while self.wake.poll_notified(context).is_ready() {}
            if self.send_deadline.fired()
                && let (Some(progress), Some(limit)) = (self.client.unframed.take_progress(), limit)
            {
                self.send_deadline.take_fired();
                self.send_deadline.arm_at(progress + limit);
            }
            if self.client.is_gone() || self.send_deadline.fired() {
                return Poll::Ready(Err(Gone));
            }
            let granted = granted(context);
            self.held_back.set(granted.is_pending());
            if granted.is_pending() && !armed {
                armed = true;
                self.client.unframed.take_progress();
                self.send_deadline.arm(limit);
            }
            granted
        })
        .await;
        self.send_deadline.disarm();
        granted
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

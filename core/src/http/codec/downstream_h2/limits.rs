//! What a connection may ask of us, and what ends it.

use std::cell::Cell;

use ringmain_proto_codec::h2::flood_guard::{Breach, Flood, FloodLimits, SentFrames};
use ringmain_proto_codec::h2::server::{ServerConnection, ServerOptions};

use super::{Connection, Outgoing};
use crate::http::ConnectionManager;
use crate::runtime::Buffer;

/// Bytes that HPACK counts for a field beside its name and value (RFC 7541 §4.1).
const FIELD_OVERHEAD_BYTES: u32 = 32;

pub(super) fn server_options(manager: &ConnectionManager) -> ServerOptions {
    let http2 = &manager.config.http2;
    let limits = &manager.request_options.limits;
    ServerOptions {
        max_concurrent_streams: http2.max_concurrent_streams,
        initial_stream_window_size: http2.initial_stream_window_size,
        initial_connection_window_size: http2.initial_connection_window_size,
        hpack_table_size: http2.hpack_table_size,
        allow_connect: http2.allow_connect,
        header_list_bytes_max: limits
            .bytes_max
            .saturating_add(limits.headers_max.saturating_mul(FIELD_OVERHEAD_BYTES)),
    }
}

pub(super) fn flood_limits(manager: &ConnectionManager) -> FloodLimits {
    let http2 = &manager.config.http2;
    FloodLimits {
        consecutive_empty_frames_max: http2.max_consecutive_inbound_frames_with_empty_payload,
        priority_frames_per_stream_max: http2.max_inbound_priority_frames_per_stream,
        window_updates_per_data_frame_max: http2
            .max_inbound_window_update_frames_per_data_frame_sent,
        outbound_control_frames_max: http2.max_outbound_control_frames,
    }
}

impl Connection {
    /// Something has woken the connection: a limit was broken or has passed, or a drain wants it to
    /// end.
    pub(super) fn look_at_limits(&self, frames: &mut ServerConnection<Buffer, Outgoing>) {
        if let Some(breach) = self.breach.get() {
            frames.refuse(match breach {
                Breach::Flood(_) => None,
                Breach::Frame(fault) => Some(fault),
            });
        } else if self.premature_resets.are_too_many() {
            self.stats().downstream_rq_too_many_premature_resets.inc();
            frames.refuse(None);
        } else if self.fields.fired() {
            self.stats().downstream_rq_header_timeout.inc();
            frames.refuse(None);
        } else if !self.draining.replace(true) {
            if self.idle.fired() {
                self.stats().downstream_cx_idle_timeout.inc();
            } else if self.lifetime.fired() {
                self.stats().downstream_cx_max_duration_reached.inc();
            }
            frames.shut_down();
            if self.streams.get() == 0 {
                self.read_deadline.arm(Some(self.record.manager.config.drain_timeout));
            }
        }
    }

    /// Counts frames that are on their way to the client.
    pub(super) fn count_sent(&self, sent: SentFrames) {
        let stats = self.record.worker.http2_stats();
        stats.tx_reset.add(sent.resets);
        stats.stream_refused_errors.add(sent.refusals);
        stats.goaway_sent.add(sent.last_goaways);
    }

    /// A request was malformed, and its stream reset.
    pub(super) fn note_refused(&self) {
        self.record.worker.http2_stats().rx_messaging_error.inc();
        self.note_stream_over(true);
    }

    /// A stream is over, perhaps long before its time.
    pub(super) fn note_stream_over(&self, premature: bool) {
        if self.premature_resets.note(premature) {
            self.wake.notify();
        }
    }

    /// Counts it when it is found: the crate may end the connection for it by itself.
    pub(super) fn count_breach(&self, breach: Breach) {
        self.record.count_protocol_error();
        let stats = self.record.worker.http2_stats();
        match breach {
            Breach::Frame(_) => {}
            Breach::Flood(Flood::EmptyFrames) => stats.inbound_empty_frames_flood.inc(),
            Breach::Flood(Flood::PriorityFrames) => stats.inbound_priority_frames_flood.inc(),
            Breach::Flood(Flood::WindowUpdates) => stats.inbound_window_update_frames_flood.inc(),
            Breach::Flood(Flood::ControlFrames) => stats.outbound_control_flood.inc(),
        }
    }
}

/// Streams that their client resets too early (CVE-2023-44487), or has us reset by a malformed request, which
/// costs it no more.
#[derive(Debug)]
pub(super) struct PrematureResets {
    /// So many streams tell what a client does.
    streams_min: u64,
    streams: Cell<u64>,
    premature: Cell<u64>,
}

impl PrematureResets {
    /// Half of `streams_min` streams may be reset too early, or half of those there were, if they were more.
    pub(super) fn among(streams_min: u64) -> Self {
        Self { streams_min, streams: Cell::new(0), premature: Cell::new(0) }
    }

    /// A stream is over. Whether there are too many by now.
    pub(super) fn note(&self, premature: bool) -> bool {
        self.streams.set(self.streams.get() + 1);
        self.premature.set(self.premature.get() + u64::from(premature));
        premature && self.are_too_many()
    }

    /// Whether half of the streams were reset so early, once there are enough of them to tell; at
    /// once where the rest could not change that any more.
    pub(super) fn are_too_many(&self) -> bool {
        self.premature.get() >= self.streams.get().max(self.streams_min) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_five_hundred_premature_resets_are_too_many() {
        let resets = PrematureResets::among(500);
        assert!((0..249).all(|_| !resets.note(true)));
        assert!(resets.note(true));
    }

    #[test]
    fn a_client_that_mostly_waits_may_reset_some() {
        let resets = PrematureResets::among(500);
        assert!((0..10_000).all(|stream| !resets.note(stream % 3 == 0)));
    }
}

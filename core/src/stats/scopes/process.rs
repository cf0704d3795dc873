//! Stats of the process: its workers, its HTTP/2, its certificates.

use crate::stats::stats_block;

stats_block! {
    /// `http2.`
    Http2Stats {
        counters {
            cookies_total_bytes_too_large,
            dropped_headers_with_underscores,
            goaway_sent,
            header_list_size_too_large,
            header_overflow,
            headers_cb_no_stream,
            inbound_empty_frames_flood,
            inbound_priority_frames_flood,
            inbound_window_update_frames_flood,
            keepalive_timeout,
            metadata_empty_frames,
            /// Connections that clients have opened.
            nghttp2_downstream_connections,
            nghttp2_upstream_connections,
            oghttp2_downstream_connections,
            oghttp2_upstream_connections,
            outbound_control_flood,
            outbound_flood,
            requests_rejected_with_underscores_in_headers,
            rx_messaging_error,
            rx_reset,
            stream_refused_errors,
            trailers,
            tx_flush_timeout,
            tx_reset,
        }
        gauges {
            deferred_stream_close,
            outbound_control_frames_active,
            outbound_frames_active,
            pending_send_bytes,
            streams_active,
        }
    }
}

stats_block! {
    /// `server.` counters that workers write.
    WorkerStats {
        counters {
            /// Ours: pauses of accepting for want of descriptors or memory.
            accept_pauses,
            /// Ours: connections closed because their task panicked.
            connection_panics,
            /// Ours: access log bytes dropped because the writer was behind.
            access_log_bytes_dropped,
        }
        gauges {}
    }
}

stats_block! {
    /// Ours, `server.`: what became of certificates whose files changed; the control thread writes.
    TlsReloadStats {
        counters {
            certificate_reload,
            certificate_reload_failure,
        }
        gauges {}
    }
}

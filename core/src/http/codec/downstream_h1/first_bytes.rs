//! What a connection speaks, told by its first bytes.

use ringmain_config::http_connection_manager::CodecType;
use ringmain_proto_codec::auto::{self, Protocol};

use super::Connection;
use crate::http::codec::downstream_h2;

impl Connection {
    /// Whether the client speaks HTTP/2. Asked when bytes have come; all but the first time the
    /// answer is known.
    pub(super) async fn speaks_http2(&self) -> bool {
        if self.record.protocol.get().is_some() {
            return false;
        }
        let protocol = match self.record.manager.config.codec_type {
            CodecType::Http1 => Protocol::Http1,
            CodecType::Http2 => Protocol::Http2,
            CodecType::Auto => match self.agreed() {
                Some(protocol) => protocol,
                None => self.detect().await,
            },
        };
        self.record.begin(protocol);
        protocol == Protocol::Http2
    }

    /// What client and we have agreed on by ALPN (RFC 7301), if that was asked.
    fn agreed(&self) -> Option<Protocol> {
        let alpn = self.record.tls.as_ref()?.alpn.as_deref()?;
        Some(if alpn == b"h2" { Protocol::Http2 } else { Protocol::Http1 })
    }

    /// Receives until the first byte that is not the preface's, or all of that.
    async fn detect(&self) -> Protocol {
        self.read_deadline.arm(self.head_limit());
        loop {
            if let Some(protocol) = auto::detect(self.input.borrow().bytes()) {
                self.read_deadline.disarm();
                return protocol;
            }
            // What ends within the preface is a head that breaks off.
            if self.fill().await == 0 {
                return Protocol::Http1;
            }
        }
    }

    /// The connection as HTTP/2 begins it.
    pub(super) fn into_http2(self) -> downstream_h2::Begun {
        let Self { transport, read_deadline, slot, record, input, .. } = self;
        let input = input.into_inner();
        downstream_h2::Begun { transport, read_deadline, slot, record, input }
    }
}

//! What a connection of HTTP/2 writes is gathered in the buffer in which it goes to the socket.

use ringmain_proto_codec::h2::io::OutputBuffers;

use crate::runtime::{Buffer, BufferPool};

impl OutputBuffers<Buffer> for BufferPool {
    fn append(&self, output: &mut Buffer, bytes: &[u8]) {
        Self::append(self, output, bytes);
    }
}

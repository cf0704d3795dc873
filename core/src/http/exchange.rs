//! What one request and its response need while they last: both heads and the record of the
//! stream. Taken from the worker's pool and given back, so that the steady state allocates
//! nothing.

use std::cell::RefCell;

use ringmain_proto_codec::h1::{BodyLength, RequestHead, ResponseHead};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

use super::filter_chain::FilterStates;
use super::stream::StreamInfo;
use crate::router::Redirects;
use crate::runtime::Buffer;

/// A request, its response and their record.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The request's head, changed on its way through.
    pub request: RequestHead,
    /// The request's body, where all of it is here before the router asks for it.
    pub body: Option<WholeBody>,
    /// Redirects that were followed.
    pub redirects: Redirects,
    /// The response's head, changed on its way back.
    pub response: ResponseHead,
    /// The response's trailers, where they are passed on.
    pub response_trailers: Option<Box<HeaderMap>>,
    /// When, where and how it went.
    pub info: StreamInfo,
    /// What HTTP filters keep.
    pub filters: FilterStates,
    /// `set-cookie` values by which the client is known again, for its route's `hash_policy`.
    pub set_cookies: Vec<Vec<u8>>,
    /// The encoded head about to be sent.
    pub encoded: Vec<u8>,
    /// Room for building a value.
    pub scratch: Vec<u8>,
}

/// A request's body that has come to its end.
#[derive(Debug, Default)]
pub struct WholeBody {
    /// Its bytes.
    pub data: Buffer,
    /// Its trailers, where they are passed on.
    pub trailers: Option<Box<HeaderMap>>,
}

impl Exchange {
    /// Whether the response lets the client leave HTTP: what follows its head is none, in both
    /// directions, until either side ends (RFC 9110 §7.8, §9.3.6).
    pub fn leaves_http(&self) -> bool {
        self.info.upgrade
            && self.response.body == BodyLength::UntilClose
            && match self.response.status {
                101 => true,
                200..=299 => self.request.headers.get(KnownHeader::Method) == Some(b"CONNECT"),
                _ => false,
            }
    }

    /// Makes ready for the next request.
    fn clear(&mut self) {
        self.request.clear();
        self.body = None;
        self.redirects.clear();
        self.response.clear();
        self.response_trailers = None;
        self.info = StreamInfo::default();
        self.filters.clear();
        self.set_cookies.clear();
        self.encoded.clear();
        self.scratch.clear();
    }
}

/// Spare exchanges of a worker.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "an exchange is taken and given back by its pointer")]
pub struct ExchangePool {
    spare: RefCell<Vec<Box<Exchange>>>,
}

/// Spare exchanges kept per worker; beyond that they go back to the allocator.
const SPARE_MAX: usize = 512;
/// An exchange whose head grew beyond this is not kept.
const SPARE_BYTES_MAX: usize = 64 * 1024;

impl ExchangePool {
    /// A cleared exchange.
    pub fn take(&self) -> Box<Exchange> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes an exchange back.
    pub fn give_back(&self, mut exchange: Box<Exchange>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_MAX && exchange.encoded.capacity() <= SPARE_BYTES_MAX {
            exchange.clear();
            spare.push(exchange);
        }
    }
}

//! The buckets of a limit: those of descriptors, and the one for the rest.

use std::collections::HashMap;
use std::time::Instant;

use ringmain_config::http_filter::LocalRateLimit;
use smallvec::SmallVec;

use super::descriptor::{Descriptor, descriptor_of};
use crate::token_bucket::TokenBucket;

/// The buckets.
#[derive(Debug)]
pub struct Buckets {
    /// That of `token_bucket`; none means no limit.
    default: Option<TokenBucket>,
    /// Those of `descriptors`, in file order.
    described: Box<[TokenBucket]>,
    by_descriptor: HashMap<Descriptor, usize>,
    always_consume_default: bool,
}

/// Which of the buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketRef {
    /// That of `token_bucket`.
    Default,
    /// That of the descriptor at this place.
    Described(usize),
}

/// The buckets that a request's descriptors name.
pub type Matched = SmallVec<[usize; 8]>;

/// What came of asking for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether there were enough.
    pub allowed: bool,
    /// The bucket that the client is told of: the one that had none, or else the slowest.
    pub bucket: Option<BucketRef>,
}

impl Buckets {
    /// Full ones.
    pub fn new(config: &LocalRateLimit) -> Self {
        let descriptors = config.descriptors.iter();
        let named = descriptors.clone().map(|one| descriptor_of(&one.entries));
        Self {
            default: config.token_bucket.as_ref().map(TokenBucket::new),
            by_descriptor: named.zip(0..).collect(),
            described: descriptors.map(|one| TokenBucket::new(&one.token_bucket)).collect(),
            always_consume_default: config.always_consume_default_token_bucket,
        }
    }

    /// The bucket of a descriptor.
    pub fn find(&self, descriptor: &[u8]) -> Option<usize> {
        self.by_descriptor.get(descriptor).copied()
    }

    /// The bucket itself.
    pub fn bucket(&self, at: BucketRef) -> Option<&TokenBucket> {
        match at {
            BucketRef::Default => self.default.as_ref(),
            BucketRef::Described(at) => self.described.get(at),
        }
    }

    /// Takes a token of each of the `matched` buckets, the slowest first, and of the default one. What was
    /// taken before one was empty is gone, as in Envoy.
    pub fn take(&self, mut matched: Matched, now: Instant) -> Taken {
        let rate = |at: &usize| self.described[*at].tokens_per_second();
        matched.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
        let empty = matched.iter().find(|at| !self.described[**at].take(now));
        if let Some(at) = empty {
            return Taken { allowed: false, bucket: Some(BucketRef::Described(*at)) };
        }
        let slowest = matched.first().map(|at| BucketRef::Described(*at));
        if slowest.is_some() && !self.always_consume_default {
            return Taken { allowed: true, bucket: slowest };
        }
        let Some(default) = &self.default else { return Taken { allowed: true, bucket: slowest } };
        match default.take(now) {
            true => Taken { allowed: true, bucket: slowest.or(Some(BucketRef::Default)) },
            false => Taken { allowed: false, bucket: Some(BucketRef::Default) },
        }
    }
}

//! One request's retries: what is left of them and what they have met.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ringmain_config::fraction::Fraction;
use ringmain_config::http_connection_manager::Router;
use ringmain_config::route::{RetryHostPredicate, RetryOn, RetryPolicy};
use ringmain_proto_codec::h1::ResponseHead;
use ringmain_proto_codec::{HeaderMap, KnownHeader};
use serde_json::Value;
use smallvec::SmallVec;

use super::back_off::{ExponentialBackOff, rate_limited};
use super::condition::{ResetReason, Retriable, retries_on_reset, retries_on_response};
use crate::cluster::{WorkerCluster, WorkerHost};
use crate::load_balancer::{Pick, PriorityLoad};

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is final. Whether earlier attempts had failed is told.
    Final {
        /// The request was sent again before.
        retried: bool,
    },
    /// Another attempt, after a wait.
    Again(Wait),
    /// It would be sent again, but `num_retries` are used up.
    LimitExceeded,
}

/// How long to wait, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Our own random back-off.
    Exponential(Duration),
    /// The upstream asked for it.
    RateLimited(Duration),
}

/// The retries of one request.
#[derive(Debug)]
pub struct RetryState<'a> {
    policy: Option<&'a RetryPolicy>,
    on: RetryOn,
    left: u32,
    back_off: ExponentialBackOff,
    use_retry: Fraction,
    asked_codes: SmallVec<[u16; 4]>,
    /// `x-envoy-retriable-header-names`, lower case.
    asked_headers: Vec<String>,
    /// The hosts that have failed this request.
    tried: SmallVec<[Rc<WorkerHost>; 2]>,
    /// The priorities of the attempts since all began anew, for `previous_priorities`.
    tried_priorities: SmallVec<[u32; 4]>,
    /// The load of priorities that follows, where it is another than the cluster's.
    load: Option<PriorityLoad>,
    retried: bool,
}

impl<'a> RetryState<'a> {
    /// By the route's policy and what the request's `x-envoy-retry-*` and `x-envoy-max-retries`
    /// headers add to it.
    pub fn new(policy: Option<&'a RetryPolicy>, headers: &HeaderMap, router: &Router) -> Self {
        let mut on = policy.map(|policy| policy.retry_on).unwrap_or_default();
        for name in [KnownHeader::XEnvoyRetryOn, KnownHeader::XEnvoyRetryGrpcOn] {
            if let Some(list) = text(headers, name) {
                on |= RetryOn::parse(list, |_| ());
            }
        }
        if policy.is_some_and(|policy| !is_retriable(policy, headers)) {
            on = RetryOn::default();
        }
        let mut left = policy.map_or(1, |policy| policy.num_retries);
        let mut asked_codes = SmallVec::new();
        let mut asked_headers = Vec::new();
        if !on.is_empty() {
            let asked = text(headers, KnownHeader::XEnvoyMaxRetries);
            left = asked.and_then(|asked| asked.trim().parse().ok()).unwrap_or(left);
            if let Some(list) = text(headers, KnownHeader::XEnvoyRetriableStatusCodes) {
                asked_codes.extend(list.split(',').filter_map(|code| code.trim().parse().ok()));
            }
            if let Some(list) = text(headers, KnownHeader::XEnvoyRetriableHeaderNames) {
                let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
                asked_headers.extend(names.filter(|name| !name.is_empty()));
            }
        }
        let back_off = policy.map_or(router.retry_back_off, |policy| policy.back_off);
        Self {
            policy,
            on,
            left,
            back_off: ExponentialBackOff::new(&back_off),
            use_retry: router.use_retry,
            asked_codes,
            asked_headers,
            tried: SmallVec::new(),
            tried_priorities: SmallVec::new(),
            load: None,
            retried: false,
        }
    }

    /// Whether the request may ever be sent again.
    pub fn is_on(&self) -> bool {
        !self.on.is_empty()
    }

    /// The body is too large to be kept, or the response has begun: from now on never.
    pub fn abandon(&mut self) {
        self.on = RetryOn::default();
    }

    /// Whether the next attempt is of those that are made.
    pub fn is_used(&self) -> bool {
        self.use_retry.includes(rand::random())
    }

    /// Whether the attempt under way is not the first.
    pub fn retried(&self) -> bool {
        self.retried
    }

    /// What follows this response.
    pub fn judge_response(&mut self, response: &ResponseHead) -> Verdict {
        if !self.wants_another(response) {
            return Verdict::Final { retried: self.retried };
        }
        self.again(Some(&response.headers))
    }

    /// Whether this response is one that another attempt is made for, if one is left.
    pub fn wants_another(&self, response: &ResponseHead) -> bool {
        let policy = self.policy;
        let retriable = Retriable {
            codes: [
                policy.map_or(&[][..], |policy| &policy.retriable_status_codes),
                &self.asked_codes,
            ],
            headers: policy.map_or(&[][..], |policy| &policy.retriable_headers),
            names: &self.asked_headers,
        };
        retries_on_response(self.on, response, retriable)
    }

    /// What follows an attempt that takes long and goes on.
    pub fn judge_overdue(&mut self) -> Verdict {
        if !self.is_on() {
            return Verdict::Final { retried: self.retried };
        }
        self.again(None)
    }

    /// Makes every verdict final until [`RetryState::let_go`].
    pub fn hold(&mut self) -> RetryOn {
        std::mem::take(&mut self.on)
    }

    /// Undoes [`RetryState::hold`].
    pub fn let_go(&mut self, held: RetryOn) {
        self.on = held;
    }

    /// What follows an attempt without a response.
    pub fn judge_reset(&mut self, reason: ResetReason) -> Verdict {
        if !retries_on_reset(self.on, reason) {
            return Verdict::Final { retried: self.retried };
        }
        self.again(None)
    }

    fn again(&mut self, headers: Option<&HeaderMap>) -> Verdict {
        let Some(left) = self.left.checked_sub(1) else { return Verdict::LimitExceeded };
        self.left = left;
        let asked = self.policy.and_then(|policy| policy.rate_limited.as_ref()).zip(headers);
        let random = &mut rand::rng();
        Verdict::Again(
            asked
                .and_then(|(config, headers)| {
                    rate_limited(config, headers, SystemTime::now(), random)
                })
                .map_or_else(|| Wait::Exponential(self.back_off.next(random)), Wait::RateLimited),
        )
    }

    /// The attempt that a verdict asked for may be made: the breaker allows it.
    pub fn begin_again(&mut self) {
        self.retried = true;
    }

    /// Remembers where an attempt went, for `previous_hosts` and `previous_priorities`.
    pub fn note_host(&mut self, host: &Rc<WorkerHost>) {
        if self.is_on() && self.host_predicates().contains(&RetryHostPredicate::PreviousHosts) {
            self.tried.push(host.clone());
        }
        if self.is_on() && self.leaves_priorities_after().is_some() {
            self.tried_priorities.push(host.shared.priority);
        }
    }

    fn leaves_priorities_after(&self) -> Option<usize> {
        self.policy.and_then(|policy| policy.leaves_priorities_after)
    }

    /// Leaves out the priorities that attempts went to, once in so many attempts. When there is no other
    /// left, all begin anew.
    fn leave_priorities(&mut self, cluster: &WorkerCluster) {
        let Some(after) = self.leaves_priorities_after().filter(|_| self.retried) else { return };
        let attempts = self.tried_priorities.len();
        if attempts >= after && attempts.is_multiple_of(after) {
            self.load = cluster.load_without(&self.tried_priorities);
            if self.load.is_none() {
                self.tried_priorities.clear();
            }
        }
    }

    fn host_predicates(&self) -> &'a [RetryHostPredicate] {
        self.policy.map_or(&[][..], |policy| &policy.host_predicates)
    }

    /// A host of `cluster` for `pick`, asked for again where the policy does not want this one for
    /// another attempt, up to `host_selection_retry_max_attempts` times.
    pub fn choose_host(
        &mut self,
        cluster: &WorkerCluster,
        pick: &Pick<'_>,
    ) -> Option<Rc<WorkerHost>> {
        self.leave_priorities(cluster);
        let load = self.load.as_ref();
        let choose = |attempt| cluster.choose_host(&Pick { attempt, load, ..*pick });
        let mut host = choose(0)?;
        let attempts = match self.retried {
            true => self.policy.map_or(0, |policy| policy.host_selection_attempts_max),
            false => 0,
        };
        for attempt in 1..=attempts {
            if !self.host_predicates().iter().any(|predicate| self.is_omitted(&host, predicate)) {
                break;
            }
            host = choose(attempt)?;
        }
        Some(host)
    }

    fn is_omitted(&self, host: &Rc<WorkerHost>, predicate: &RetryHostPredicate) -> bool {
        match predicate {
            RetryHostPredicate::PreviousHosts => {
                self.tried.iter().any(|tried| Rc::ptr_eq(tried, host))
            }
            RetryHostPredicate::OmitCanaryHosts => host.shared.is_canary(),
            RetryHostPredicate::OmitHostMetadata(omitted) => {
                let metadata = &host.shared.metadata;
                omitted.iter().all(|(name, value)| match metadata.get(name) {
                    Some(Value::Array(values)) => values.contains(value),
                    found => found == Some(value),
                })
            }
        }
    }
}

/// Whether `retriable_request_headers` let this request be sent again.
fn is_retriable(policy: &RetryPolicy, headers: &HeaderMap) -> bool {
    let matchers = &policy.retriable_request_headers;
    matchers.is_empty()
        || matchers
            .iter()
            .any(|matcher| matcher.matches(headers.get_all_by_name(matcher.name.as_bytes())))
}

fn text(headers: &HeaderMap, name: KnownHeader) -> Option<&str> {
    std::str::from_utf8(headers.get(name)?).ok()
}

#[cfg(test)]
mod tests {
    use ringmain_config::matcher::{HeaderMatcher, HeaderTest, StringMatcher, StringTest};

    use super::*;

    fn response(status: u16) -> ResponseHead {
        ResponseHead { status, ..ResponseHead::default() }
    }

    fn policy(list: &str, num_retries: u32) -> RetryPolicy {
        RetryPolicy {
            retry_on: RetryOn::parse(list, |_| ()),
            num_retries,
            ..RetryPolicy::default()
        }
    }

    #[test]
    fn nothing_is_sent_again_without_a_policy() {
        let mut state = RetryState::new(None, &HeaderMap::new(), &Router::default());
        assert!(!state.is_on());
        assert_eq!(state.judge_response(&response(503)), Verdict::Final { retried: false });
        assert_eq!(state.judge_reset(ResetReason::Reset), Verdict::Final { retried: false });
    }

    #[test]
    fn retries_run_out() {
        let policy = policy("5xx", 2);
        let mut state = RetryState::new(Some(&policy), &HeaderMap::new(), &Router::default());
        assert!(matches!(state.judge_response(&response(503)), Verdict::Again(_)));
        assert!(!state.retried());
        state.begin_again();
        assert!(matches!(state.judge_reset(ResetReason::Reset), Verdict::Again(_)));
        assert_eq!(state.judge_response(&response(503)), Verdict::LimitExceeded);
        assert_eq!(state.judge_response(&response(200)), Verdict::Final { retried: true });
    }

    #[test]
    fn headers_add_conditions_and_set_the_count() {
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::XEnvoyRetryOn, b"retriable-status-codes");
        headers.append_known(KnownHeader::XEnvoyRetriableStatusCodes, b"404, 418");
        headers.append_known(KnownHeader::XEnvoyMaxRetries, b"1");
        let policy = policy("5xx", 3);
        let mut state = RetryState::new(Some(&policy), &headers, &Router::default());
        assert!(matches!(state.judge_response(&response(418)), Verdict::Again(_)));
        assert_eq!(state.judge_response(&response(500)), Verdict::LimitExceeded);
    }

    #[test]
    fn only_requests_with_a_retriable_header_are_sent_again() {
        let method = HeaderMatcher {
            name: ":method".to_owned(),
            test: HeaderTest::String(StringMatcher::new(StringTest::Exact("GET".to_owned()))),
            invert_match: false,
            treat_missing_header_as_empty: false,
        };
        let policy = RetryPolicy { retriable_request_headers: vec![method], ..policy("5xx", 1) };
        let mut headers = HeaderMap::new();
        headers.append_known(KnownHeader::Method, b"POST");
        assert!(!RetryState::new(Some(&policy), &headers, &Router::default()).is_on());
        headers.set(KnownHeader::Method, b"GET");
        assert!(RetryState::new(Some(&policy), &headers, &Router::default()).is_on());
    }

    #[test]
    fn an_abandoned_request_is_not_sent_again() {
        let policy = policy("5xx", 3);
        let mut state = RetryState::new(Some(&policy), &HeaderMap::new(), &Router::default());
        state.abandon();
        assert_eq!(state.judge_response(&response(503)), Verdict::Final { retried: false });
    }
}

//! Calls of gRPC, counted by method (`cluster.<name>.grpc.`).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use super::{Counter, Kind, Reading, StatsBlock, stats_block};

stats_block! {
    /// `cluster.<name>.grpc.`, or `cluster.<name>.grpc.<service>.<method>.`
    CallCounts {
        counters {
            failure,
            request_message_count,
            response_message_count,
            success,
            total,
        }
        gauges {}
    }
}

/// The status codes of gRPC, 0 to 16.
const STATUSES: [&str; 17] =
    ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];

/// Calls of one method, or of those that are not told apart.
#[derive(Debug, Default)]
pub struct MethodStats {
    counts: CallCounts,
    statuses: [Counter; STATUSES.len()],
}

impl MethodStats {
    /// Counts a call that has ended with `status`, as its headers or trailers have it. One that gRPC does
    /// not know has no counter of its own: whoever sends it could make any number of them.
    pub fn count_end(&self, status: &[u8]) {
        if let Some(code) = STATUSES.iter().position(|code| code.as_bytes() == status) {
            self.statuses[code].inc();
        }
        match status {
            b"0" => self.counts.success.inc(),
            _ => self.counts.failure.inc(),
        }
        self.counts.total.inc();
    }

    /// Counts messages of the request.
    pub fn count_request_messages(&self, messages: u64) {
        self.counts.request_message_count.add(messages);
    }

    /// Counts messages of the response.
    pub fn count_response_messages(&self, messages: u64) {
        self.counts.response_message_count.add(messages);
    }

    /// Calls `each` with every counter that has counted; Envoy makes each with its first count.
    pub fn visit(&self, each: &mut dyn FnMut(Reading)) {
        let mut show = |reading: Reading| {
            if reading.used {
                each(reading);
            }
        };
        self.counts.visit(&mut show);
        for (name, counter) in STATUSES.into_iter().zip(&self.statuses) {
            let value = counter.value();
            show(Reading {
                name,
                kind: Kind::Counter,
                value: value.cast_signed(),
                used: value > 0,
            });
        }
    }
}

/// A method with counters of its own.
#[derive(Debug)]
struct NamedMethod {
    service: Box<str>,
    method: Box<str>,
    stats: Arc<MethodStats>,
}

/// Calls to one cluster on one worker. One thread writes, any thread reads: a method that has been entered
/// stays where it is. Each level of the table is made when the ones before it are full where a method
/// belongs.
#[derive(Debug, Default)]
pub struct GrpcCalls {
    unnamed: OnceLock<Arc<MethodStats>>,
    levels: [OnceLock<Box<[OnceLock<NamedMethod>]>>; LEVEL_SLOTS.len()],
}

/// How many methods each level has room for. Clients name methods, so there is an end to it.
const LEVEL_SLOTS: [usize; 4] = [16, 64, 256, 1024];
/// How many places in a level a method may have.
const PROBES: usize = 8;

impl GrpcCalls {
    /// Those that are not told apart.
    pub fn unnamed(&self) -> &Arc<MethodStats> {
        self.unnamed.get_or_init(Arc::default)
    }

    /// Those of a method; where there are too many methods, those that are not told apart.
    pub fn method(&self, service: &str, method: &str) -> &Arc<MethodStats> {
        let mut hasher = DefaultHasher::new();
        (service, method).hash(&mut hasher);
        let hash = hasher.finish();
        for (level, slots) in self.levels.iter().zip(LEVEL_SLOTS) {
            let level = level.get_or_init(|| (0..slots).map(|_| OnceLock::new()).collect());
            for slot in probed(level, hash) {
                // The first free place ends the search: nothing that was entered ever goes.
                let entered = slot.get_or_init(|| NamedMethod {
                    service: service.into(),
                    method: method.into(),
                    stats: Arc::default(),
                });
                if (&*entered.service, &*entered.method) == (service, method) {
                    return &entered.stats;
                }
            }
        }
        self.unnamed()
    }

    /// Calls `each` with every set of counters, and the service and the method that it is for.
    pub fn visit(&self, mut each: impl FnMut(Option<(&str, &str)>, &MethodStats)) {
        if let Some(unnamed) = self.unnamed.get() {
            each(None, unnamed);
        }
        let levels = self.levels.iter().filter_map(OnceLock::get);
        for named in levels.flat_map(|level| level.iter()).filter_map(OnceLock::get) {
            each(Some((&named.service, &named.method)), &named.stats);
        }
    }
}

/// The places in `level` that a method of this hash may have, in order.
fn probed<T>(level: &[T], hash: u64) -> impl Iterator<Item = &T> {
    let first = usize::try_from(hash % level.len() as u64).unwrap_or(0);
    level.iter().cycle().skip(first).take(PROBES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(stats: &MethodStats) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        stats.visit(&mut |reading| counts.push((reading.name, reading.value)));
        counts
    }

    #[test]
    fn ends_are_counted_by_status() {
        let stats = MethodStats::default();
        for status in [&b"0"[..], b"0", b"5", b"17", b"x"] {
            stats.count_end(status);
        }
        let expected = [("failure", 3), ("success", 2), ("total", 5), ("0", 2), ("5", 1)];
        assert_eq!(counts(&stats), expected);
    }

    #[test]
    fn a_method_is_found_again() {
        let calls = GrpcCalls::default();
        let names: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        for _ in 0..2 {
            names.iter().for_each(|name| calls.method("a.B", name).count_end(b"0"));
        }
        let mut seen = 0;
        calls.visit(|name, stats| {
            assert_eq!(counts(stats)[0], ("success", 2), "{name:?}");
            seen += 1;
        });
        assert_eq!(seen, 500);
    }

    #[test]
    fn too_many_methods_are_not_told_apart() {
        let calls = GrpcCalls::default();
        (0..5000).for_each(|number| calls.method("a.B", &number.to_string()).count_end(b"0"));
        let (mut named, mut total) = (0, 0);
        calls.visit(|name, stats| {
            named += usize::from(name.is_some());
            total += counts(stats)[0].1;
        });
        assert!(named <= LEVEL_SLOTS.iter().sum(), "{named}");
        assert_eq!(total, 5000);
    }
}

//! Single-writer cells and the blocks made of them.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// A worker's number, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerId(pub usize);

/// A value that only grows. One thread writes, any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `amount`. No read-modify-write: the owner is the only writer.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A value that rises and falls. One thread writes, any thread reads. The lowest bit says whether
/// it was ever written, which is what Envoy calls used.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

const USED: u64 = 1;
const ONE: u64 = 2;

impl Gauge {
    /// Adds one.
    pub fn inc(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(ONE) | USED, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(ONE) | USED, Ordering::Relaxed);
    }

    /// Sets it. Of no use to a gauge that several workers share.
    pub fn set(&self, value: u64) {
        self.0.store(value << 1 | USED, Ordering::Relaxed);
    }

    /// The value now; on one worker alone it may be below zero.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed).cast_signed() >> 1
    }

    /// Whether it was ever written.
    pub fn is_used(&self) -> bool {
        self.0.load(Ordering::Relaxed) & USED != 0
    }
}

/// What a stat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// One cell as read, or the sum of a cell over the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Envoy's name behind the scope's prefix.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The value.
    pub value: i64,
    /// Whether it was ever written.
    pub used: bool,
}

/// A fixed set of named cells.
pub trait StatsBlock: Default + Send + Sync + 'static {
    /// Calls `each` with every cell, in the order of the table.
    fn visit(&self, each: &mut dyn FnMut(Reading));
}

/// One block for each worker, on cache lines of its own.
#[derive(Debug)]
pub struct PerWorker<T> {
    blocks: Box<[CachePadded<T>]>,
}

impl<T: Default> PerWorker<T> {
    /// Blocks for `workers` workers, all zero.
    pub fn new(workers: usize) -> Self {
        Self::from_fn(workers, T::default)
    }
}

impl<T> PerWorker<T> {
    /// Blocks for `workers` workers, each as `make` makes it.
    pub fn from_fn(workers: usize, make: impl Fn() -> T) -> Self {
        Self { blocks: (0..workers).map(|_| CachePadded::new(make())).collect() }
    }

    /// The block that `worker` writes.
    pub fn of(&self, worker: WorkerId) -> &T {
        &self.blocks[worker.0]
    }

    /// Every worker's block, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().map(|block| &**block)
    }
}

impl<T: StatsBlock> PerWorker<T> {
    /// Every cell summed over the workers, in the order of the table.
    pub fn totals(&self) -> Vec<Reading> {
        let mut totals: Vec<Reading> = Vec::new();
        for block in self.iter() {
            let mut at = 0;
            block.visit(&mut |reading| {
                match totals.get_mut(at) {
                    Some(total) => {
                        total.value += reading.value;
                        total.used |= reading.used;
                    }
                    None => totals.push(reading),
                }
                at += 1;
            });
        }
        totals
    }
}

/// Makes a struct of cells whose fields carry Envoy's names.
macro_rules! stats_block {
    ($(#[$meta:meta])* $name:ident {
        counters { $($(#[$counter_meta:meta])* $counter:ident,)* }
        gauges { $($(#[$gauge_meta:meta])* $gauge:ident,)* }
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        #[allow(missing_docs)]
        pub struct $name {
            $($(#[$counter_meta])* pub $counter: $crate::stats::Counter,)*
            $($(#[$gauge_meta])* pub $gauge: $crate::stats::Gauge,)*
        }

        impl $crate::stats::StatsBlock for $name {
            fn visit(&self, each: &mut dyn FnMut($crate::stats::Reading)) {
                $(each($crate::stats::Reading {
                    name: stringify!($counter),
                    kind: $crate::stats::Kind::Counter,
                    value: self.$counter.value().cast_signed(),
                    used: self.$counter.value() > 0,
                });)*
                $(each($crate::stats::Reading {
                    name: stringify!($gauge),
                    kind: $crate::stats::Kind::Gauge,
                    value: self.$gauge.value(),
                    used: self.$gauge.is_used(),
                });)*
            }
        }
    };
}
pub(crate) use stats_block;

#[cfg(test)]
mod tests {
    use super::*;

    stats_block! {
        /// For the test.
        Sample {
            counters { requests_total, }
            gauges { requests_active, }
        }
    }

    #[test]
    fn totals_sum_the_workers_and_gauges_may_fall_on_another_worker() {
        let stats: PerWorker<Sample> = PerWorker::new(2);
        stats.of(WorkerId(0)).requests_total.add(2);
        stats.of(WorkerId(1)).requests_total.inc();
        stats.of(WorkerId(0)).requests_active.inc();
        stats.of(WorkerId(1)).requests_active.dec();
        let reading = |name, kind, value| Reading { name, kind, value, used: true };
        assert_eq!(
            stats.totals(),
            [
                reading("requests_total", Kind::Counter, 3),
                reading("requests_active", Kind::Gauge, 0)
            ]
        );
    }
}

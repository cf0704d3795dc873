//! Latency histograms: each worker records into its own, the control thread asks for them and
//! keeps the sums.

use std::cell::RefCell;

use super::log_linear::{Bin, Histogram};
use super::recorder::{Precision, Recorder};
use super::{Scope, StatName};

/// A histogram's place in the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistogramId(u32);

/// The names of all histograms, fixed when a configuration is compiled.
#[derive(Debug, Default, Clone)]
pub struct HistogramTable {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: StatName,
    /// Shown from the first value on only, as Envoy makes it then.
    on_first_use: bool,
    precision: Precision,
}

impl HistogramTable {
    /// Adds the histogram `leaf` of `scope`.
    pub fn add(&mut self, scope: &Scope, leaf: &str) -> HistogramId {
        self.push(scope, leaf, false)
    }

    /// Adds a histogram that is not shown until it has a value.
    pub fn add_on_first_use(&mut self, scope: &Scope, leaf: &str) -> HistogramId {
        self.push(scope, leaf, true)
    }

    fn push(&mut self, scope: &Scope, leaf: &str, on_first_use: bool) -> HistogramId {
        let precision = if scope.is_one_of_many() { Precision::Coarse } else { Precision::Fine };
        self.entries.push(Entry { name: scope.name(leaf), on_first_use, precision });
        HistogramId(u32::try_from(self.entries.len() - 1).expect("fewer than 4 billion histograms"))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What a worker recorded since it was last asked; made on first use.
#[derive(Debug)]
pub struct WorkerHistograms {
    slots: RefCell<Vec<Slot>>,
}

#[derive(Debug)]
struct Slot {
    precision: Precision,
    recorder: Option<Recorder>,
}

/// What one worker hands over.
pub type Handed = Vec<(HistogramId, Vec<(Bin, u32)>)>;

impl WorkerHistograms {
    /// Nothing recorded yet.
    pub fn new(table: &HistogramTable) -> Self {
        let slot = |entry: &Entry| Slot { precision: entry.precision, recorder: None };
        Self { slots: RefCell::new(table.entries.iter().map(slot).collect()) }
    }

    /// Records `value`: milliseconds, or a count where the name says so.
    pub fn record(&self, id: HistogramId, value: u64) {
        let mut slots = self.slots.borrow_mut();
        let Slot { precision, recorder } = &mut slots[id.0 as usize];
        recorder.get_or_insert_with(|| Recorder::new(*precision)).record(value);
    }

    /// Hands over what was recorded, by id, and starts anew.
    pub fn take(&self) -> Handed {
        let mut slots = self.slots.borrow_mut();
        let taken = (0..).zip(slots.iter_mut()).filter_map(|(index, slot)| {
            let bins = slot.recorder.as_mut()?.take();
            (!bins.is_empty()).then_some((HistogramId(index), bins))
        });
        taken.collect()
    }
}

/// What one histogram recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its name.
    pub name: StatName,
    /// In the last whole `stats_flush_interval`.
    pub interval: Histogram,
    /// Since the start.
    pub cumulative: Histogram,
}

impl Recorded {
    /// Whether a value was ever recorded.
    pub fn is_used(&self) -> bool {
        !self.cumulative.is_empty()
    }
}

/// Sums what the workers hand over.
#[derive(Debug)]
pub struct HistogramCollector {
    /// Only the control thread merges; the lock orders two admin requests.
    sums: std::sync::Mutex<Vec<Sum>>,
}

#[derive(Debug)]
struct Sum {
    entry: Entry,
    cumulative: Histogram,
    interval: Histogram,
    next_interval: Histogram,
}

impl HistogramCollector {
    /// Nothing recorded yet.
    pub fn new(table: &HistogramTable) -> Self {
        let sum = |entry: &Entry| Sum {
            entry: entry.clone(),
            cumulative: Histogram::default(),
            interval: Histogram::default(),
            next_interval: Histogram::default(),
        };
        Self { sums: std::sync::Mutex::new(table.entries.iter().map(sum).collect()) }
    }

    /// Adds up what one worker has handed over.
    pub fn add(&self, handed: &Handed) {
        let mut sums = self.lock();
        for (id, bins) in handed {
            let sum = &mut sums[id.0 as usize];
            sum.cumulative.add(bins);
            sum.next_interval.add(bins);
        }
    }

    /// Ends an interval.
    pub fn end_interval(&self) {
        for sum in self.lock().iter_mut() {
            sum.interval = std::mem::take(&mut sum.next_interval);
        }
    }

    /// All histograms to show, in order of name.
    pub fn report(&self) -> Vec<Recorded> {
        let sums = self.lock();
        let shown = sums.iter().filter(|sum| !sum.entry.on_first_use || !sum.cumulative.is_empty());
        let mut report: Vec<Recorded> = shown
            .map(|sum| Recorded {
                name: sum.entry.name.clone(),
                interval: sum.interval.clone(),
                cumulative: sum.cumulative.clone(),
            })
            .collect();
        report.sort_by(|one, other| one.name.name.cmp(&other.name.name));
        // Connection managers may share a `stat_prefix`: Envoy records them together.
        report.dedup_by(|later, kept| {
            let same = later.name.name == kept.name.name;
            if same {
                kept.interval.merge(&later.interval);
                kept.cumulative.merge(&later.cumulative);
            }
            same
        });
        report
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Sum>> {
        self.sums.lock().expect("adding does not panic")
    }
}

//! Latency histograms: each worker records into its own, the control thread asks for them and
//! keeps the sums.

use std::cell::RefCell;
use std::sync::Arc;

use hdrhistogram::Histogram;

/// A histogram's place in the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistogramId(u32);

/// The longest time recorded, in milliseconds: one hour, Envoy's largest bucket.
const RECORDED_MS_MAX: u64 = 3_600_000;

/// The names of all histograms, fixed when a configuration is compiled.
#[derive(Debug, Default, Clone)]
pub struct HistogramTable {
    names: Vec<(String, u8)>,
}

impl HistogramTable {
    /// Adds a histogram that keeps `digits` significant digits (1 to 5).
    pub fn add(&mut self, name: String, digits: u8) -> HistogramId {
        self.names.push((name, digits));
        HistogramId(u32::try_from(self.names.len() - 1).expect("fewer than 4 billion histograms"))
    }

    /// The names, by id.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.names.iter().map(|(_, digits)| *digits)
    }
}

/// What a worker recorded since it was last asked; made on first use.
#[derive(Debug)]
pub struct WorkerHistograms {
    slots: RefCell<Vec<Slot>>,
}

#[derive(Debug)]
struct Slot {
    digits: u8,
    recorded: Option<Histogram<u64>>,
}

impl WorkerHistograms {
    /// Nothing recorded yet.
    pub fn new(table: &HistogramTable) -> Self {
        let slots = table.digits().map(|digits| Slot { digits, recorded: None }).collect();
        Self { slots: RefCell::new(slots) }
    }

    /// Records `value_ms`; more than an hour counts as an hour.
    pub fn record_ms(&self, id: HistogramId, value_ms: u64) {
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[id.0 as usize];
        let digits = slot.digits;
        let histogram = slot.recorded.get_or_insert_with(|| {
            Histogram::new_with_bounds(1, RECORDED_MS_MAX, digits).expect("legal bounds")
        });
        histogram.saturating_record(value_ms.min(RECORDED_MS_MAX));
    }

    /// Hands over what was recorded, by id, and starts anew.
    pub fn take(&self) -> Vec<(HistogramId, Histogram<u64>)> {
        let mut slots = self.slots.borrow_mut();
        slots
            .iter_mut()
            .enumerate()
            .filter_map(|(index, slot)| {
                let id = HistogramId(u32::try_from(index).ok()?);
                slot.recorded.take().map(|recorded| (id, recorded))
            })
            .collect()
    }
}

impl HistogramId {
    /// The index into the table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All histograms of the process at one moment.
#[derive(Debug, Default)]
pub struct HistogramReport {
    /// Name, what was recorded since the last report, and what was recorded in all; `None` where
    /// nothing ever was.
    pub histograms: Vec<(String, Option<Recorded>)>,
}

/// What one histogram recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Since the last report.
    pub interval: Histogram<u64>,
    /// Since the start.
    pub cumulative: Histogram<u64>,
}

/// Sums what the workers hand over.
#[derive(Debug)]
pub struct HistogramCollector {
    names: Vec<String>,
    /// Only the control thread merges; the lock orders two admin requests.
    sums: tokio::sync::Mutex<Vec<Option<Histogram<u64>>>>,
}

type Collected = tokio::sync::oneshot::Receiver<Vec<(HistogramId, Histogram<u64>)>>;

impl HistogramCollector {
    /// Nothing recorded yet.
    pub fn new(table: &HistogramTable) -> Self {
        let names: Vec<String> = table.names().map(str::to_owned).collect();
        let sums = tokio::sync::Mutex::new(names.iter().map(|_| None).collect());
        Self { names, sums }
    }

    /// Waits for the workers' answers and adds them up. A worker that has ended adds nothing.
    pub async fn merge(&self, collected: Vec<Collected>) -> Arc<HistogramReport> {
        let mut intervals: Vec<Option<Histogram<u64>>> = vec![None; self.names.len()];
        for answer in collected {
            for (id, recorded) in answer.await.unwrap_or_default() {
                add(&mut intervals[id.index()], recorded);
            }
        }
        let mut sums = self.sums.lock().await;
        let histograms = self
            .names
            .iter()
            .zip(sums.iter_mut().zip(intervals))
            .map(|(name, (sum, interval))| (name.clone(), recorded(sum, interval)))
            .collect();
        Arc::new(HistogramReport { histograms })
    }
}

fn add(sum: &mut Option<Histogram<u64>>, recorded: Histogram<u64>) {
    match sum {
        Some(sum) => sum.add(recorded).expect("histograms of one name have the same bounds"),
        None => *sum = Some(recorded),
    }
}

fn recorded(
    sum: &mut Option<Histogram<u64>>,
    interval: Option<Histogram<u64>>,
) -> Option<Recorded> {
    if let Some(interval) = &interval {
        add(sum, interval.clone());
    }
    let cumulative = sum.clone()?;
    let interval = interval.unwrap_or_else(|| Histogram::new_from(&cumulative));
    Some(Recorded { interval, cumulative })
}

//! Who is served by admin when many are connected: the newest.
//!
//! Where all places are taken and one more comes, the oldest connection without a command under way loses its place: it
//! waits for a request, or takes its answer slowly. So nobody who holds connections open keeps others out. Who accepts
//! keeps the list; connections tell through flags of their own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Connections served at once. Each may hold one answer in memory.
const PLACES: usize = 64;

/// The places, and who has them, the oldest first.
#[derive(Debug, Default)]
pub struct Places {
    taken: VecDeque<Arc<Place>>,
    /// A place may have become free.
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Place {
    /// Its command is under way.
    answering: AtomicBool,
    /// Its connection has ended.
    left: AtomicBool,
    lost: Notify,
    changed: Arc<Notify>,
}

/// A place, until dropped.
#[derive(Debug)]
pub struct TakenPlace(Arc<Place>);

impl Places {
    /// Takes a place, from another connection if need be.
    pub async fn take(&mut self) -> TakenPlace {
        loop {
            if let Some(place) = self.try_take() {
                return TakenPlace(place);
            }
            self.changed.notified().await;
        }
    }

    fn try_take(&mut self) -> Option<Arc<Place>> {
        self.taken.retain(|place| !place.left.load(Ordering::Relaxed));
        if self.taken.len() >= PLACES {
            let is_free = |place: &Arc<Place>| !place.answering.load(Ordering::Relaxed);
            let oldest = self.taken.iter().position(is_free)?;
            self.taken.remove(oldest)?.lost.notify_one();
        }
        let place = Arc::new(Place {
            answering: AtomicBool::new(false),
            left: AtomicBool::new(false),
            lost: Notify::new(),
            changed: self.changed.clone(),
        });
        self.taken.push_back(place.clone());
        Some(place)
    }
}

impl TakenPlace {
    /// Waits until another connection has the place.
    pub async fn lost(&self) {
        self.0.lost.notified().await;
    }

    /// A command begins; it lasts until the guard is dropped, and the place is kept as long.
    pub fn answer(&self) -> impl Drop + use<> {
        self.0.answering.store(true, Ordering::Relaxed);
        Answering(self.0.clone())
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.store(false, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn take(places: &mut Places) -> TakenPlace {
        now(places.take()).expect("a place")
    }

    #[test]
    fn the_oldest_without_a_command_loses_its_place() {
        let mut places = Places::default();
        let taken: Vec<TakenPlace> = (0..PLACES).map(|_| take(&mut places)).collect();
        let answering = taken[0].answer();
        let newest = take(&mut places);
        assert_eq!(now(taken[0].lost()), None);
        assert_eq!(now(taken[1].lost()), Some(()));
        drop(answering);
        let _next = take(&mut places);
        assert_eq!(now(taken[0].lost()), Some(()));
        assert_eq!(now(newest.lost()), None);
        drop(taken);
        let _one_more = take(&mut places);
        assert_eq!(places.taken.len(), 3);
    }

    #[test]
    fn where_all_have_a_command_one_is_waited_for() {
        let mut places = Places::default();
        let taken: Vec<TakenPlace> = (0..PLACES).map(|_| take(&mut places)).collect();
        let mut answering: Vec<_> = taken.iter().map(TakenPlace::answer).collect();
        let mut waiting = pin!(places.take());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(answering.swap_remove(3));
        assert!(waiting.poll(&mut context).is_ready());
        assert_eq!(now(taken[3].lost()), Some(()));
    }
}

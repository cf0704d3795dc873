//! Who is served by admin when many are connected: the newest.
//!
//! Where all places are taken and one more comes, the oldest connection without a command under way loses its place: it
//! waits for a request, or takes its answer slowly. So nobody who holds connections open keeps others out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections served at once. Each may hold one answer in memory.
const PLACES: usize = 64;

/// The places, and who has them, the oldest first.
#[derive(Debug, Default)]
pub struct Places {
    taken: Mutex<VecDeque<Arc<Place>>>,
    /// A place may have become free.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Place {
    /// Its command is under way.
    answering: AtomicBool,
    lost: Notify,
}

/// A place, until dropped.
#[derive(Debug)]
pub struct TakenPlace {
    place: Arc<Place>,
    places: Arc<Places>,
}

impl Places {
    /// Takes a place, from another connection if need be.
    pub async fn take(places: &Arc<Self>) -> TakenPlace {
        loop {
            if let Some(place) = places.try_take() {
                return TakenPlace { place, places: places.clone() };
            }
            places.changed.notified().await;
        }
    }

    fn try_take(&self) -> Option<Arc<Place>> {
        let mut taken = self.taken();
        if taken.len() >= PLACES {
            let is_free = |place: &Arc<Place>| !place.answering.load(Ordering::Relaxed);
            let oldest = taken.iter().position(is_free)?;
            taken.remove(oldest)?.lost.notify_one();
        }
        let place = Arc::<Place>::default();
        taken.push_back(place.clone());
        Some(place)
    }

    fn taken(&self) -> MutexGuard<'_, VecDeque<Arc<Place>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenPlace {
    /// Waits until another connection has the place.
    pub async fn lost(&self) {
        self.place.lost.notified().await;
    }

    /// A command begins; it lasts until the guard is dropped, and the place is kept as long.
    pub fn answer(&self) -> impl Drop + use<> {
        self.place.answering.store(true, Ordering::Relaxed);
        Answering { place: self.place.clone(), places: self.places.clone() }
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        self.places.taken().retain(|place| !Arc::ptr_eq(place, &self.place));
        self.places.changed.notify_one();
    }
}

struct Answering {
    place: Arc<Place>,
    places: Arc<Places>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.place.answering.store(false, Ordering::Relaxed);
        self.places.changed.notify_one();
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

    fn take(places: &Arc<Places>) -> TakenPlace {
        now(Places::take(places)).expect("a place")
    }

    #[test]
    fn the_oldest_without_a_command_loses_its_place() {
        let places = Arc::default();
        let taken: Vec<TakenPlace> = (0..PLACES).map(|_| take(&places)).collect();
        let answering = taken[0].answer();
        let newest = take(&places);
        assert_eq!(now(taken[0].lost()), None);
        assert_eq!(now(taken[1].lost()), Some(()));
        drop(answering);
        let _next = take(&places);
        assert_eq!(now(taken[0].lost()), Some(()));
        assert_eq!(now(newest.lost()), None);
        drop(taken);
        assert_eq!(places.taken().len(), 2);
    }

    #[test]
    fn where_all_have_a_command_one_is_waited_for() {
        let places = Arc::default();
        let taken: Vec<TakenPlace> = (0..PLACES).map(|_| take(&places)).collect();
        let mut answering: Vec<_> = taken.iter().map(TakenPlace::answer).collect();
        let mut waiting = pin!(Places::take(&places));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(answering.swap_remove(3));
        assert!(waiting.poll(&mut context).is_ready());
        assert_eq!(now(taken[3].lost()), Some(()));
    }
}

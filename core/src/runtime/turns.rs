//! How long the turns of a worker's event loop are: from the first task that runs after a look at the
//! kernel until the next look. For so long nothing else is served.
//!
//! The loop runs the tasks that can run, then the main one if something has woken it. So the first task
//! of a turn wakes the main one, which then ends the turn. That costs two looks at the clock a turn,
//! and where nobody [measures](measure) one at a flag for each task.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

type Record = Box<dyn FnMut(Duration)>;

thread_local! {
    static IS_MEASURED: Cell<bool> = const { Cell::new(false) };
    /// When the turn began, while it lasts.
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static MAIN: RefCell<Option<Waker>> = const { RefCell::new(None) };
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// From now on `record` is called with the length of every turn of this worker.
pub fn measure(record: impl FnMut(Duration) + 'static) {
    RECORD.set(Some(Box::new(record)));
    IS_MEASURED.set(true);
}

/// Whether a turn begins just now.
fn begin() -> bool {
    let begins = BEGUN.get().is_none();
    if begins {
        BEGUN.set(Some(Instant::now()));
    }
    begins
}

fn end() {
    if let Some(begun) = BEGUN.take() {
        RECORD
            .with_borrow_mut(|record| record.iter_mut().for_each(|record| record(begun.elapsed())));
    }
}

pin_project! {
    /// A task of a turn.
    pub(super) struct Task<F> {
        #[pin]
        task: F,
    }
}

impl<F> Task<F> {
    pub(super) fn new(task: F) -> Self {
        Self { task }
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if IS_MEASURED.get() && begin() {
            MAIN.with_borrow(|main| main.iter().for_each(Waker::wake_by_ref));
        }
        self.project().task.poll(context)
    }
}

pin_project! {
    /// The main task, which is the last of each turn.
    pub(super) struct Main<F> {
        #[pin]
        main: F,
    }
}

impl<F> Main<F> {
    pub(super) fn new(main: F) -> Self {
        Self { main }
    }
}

impl<F: Future> Future for Main<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if IS_MEASURED.get() {
            MAIN.set(Some(context.waker().clone()));
            begin();
        }
        let polled = self.project().main.poll(context);
        end();
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::runtime::{self, EngineChoice, Notify};

    /// How many turns there are until a task that was woken `times` has seen it.
    fn turns(engine: EngineChoice, times: usize) -> usize {
        let plan = runtime::plan(engine).expect("an engine");
        let counted = Rc::new(Cell::new(0));
        let main = {
            let counted = counted.clone();
            async move {
                measure(move |_| counted.set(counted.get() + 1));
                let [there, back] = [Rc::new(Notify::default()), Rc::new(Notify::default())];
                let (heard, answer) = (there.clone(), back.clone());
                runtime::spawn(async move {
                    loop {
                        heard.notified().await;
                        answer.notify();
                    }
                });
                for _ in 0..times {
                    there.notify();
                    back.notified().await;
                }
            }
        };
        runtime::run(&plan, main).expect("a runtime");
        RECORD.take();
        IS_MEASURED.set(false);
        counted.get()
    }

    #[test]
    fn every_turn_is_recorded_once() {
        for engine in [EngineChoice::Epoll, EngineChoice::Auto] {
            let (few, many) = (turns(engine, 10), turns(engine, 1010));
            // The two tasks run in one turn, or in two that follow each other.
            assert!((1000..=2000).contains(&(many - few)), "{few} and {many}");
        }
    }
}

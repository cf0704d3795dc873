//! Tasks of the control thread that end with their owner.

use tokio::task::JoinHandle;

/// A running task; dropping this ends it.
#[derive(Debug)]
pub struct OwnedTask(JoinHandle<()>);

impl OwnedTask {
    /// Starts `work`. What it comes to is of no interest.
    pub fn spawn<T>(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(async move { drop(work.await) }))
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

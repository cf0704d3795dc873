//! Whether and when a request is sent again.

mod back_off;
mod condition;
mod state;

pub use self::back_off::ExponentialBackOff;
pub use self::condition::ResetReason;
pub use self::state::{RetryState, Verdict, Wait};

//! The signals that end the process, and those that it answers otherwise.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::control::Control;

/// SIGTERM and SIGINT end; SIGUSR1 is for the access logs and SIGHUP is ignored, as in Envoy.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the system's defaults.
    pub fn new(control: &Arc<Control>) -> io::Result<Self> {
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move { while hangup.recv().await.is_some() {} });
        let mut rotated = signal(SignalKind::user_defined1())?;
        let control = control.clone();
        tokio::spawn(async move {
            while rotated.recv().await.is_some() {
                control.reopen_logs();
            }
        });
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until the process is asked to end.
    pub async fn terminate(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

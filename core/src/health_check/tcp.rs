//! Checks by TCP: a connection that opens, and where it is wanted bytes that answer other bytes.

use ringmain_config::cluster::TcpHealthCheck;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connection::{Duplex, Target};
use super::payload;
use super::state::{CheckResult, Failure, FailureType};

/// What is not yet an answer; more than this is none, whatever follows.
const RECEIVED_BYTES_MAX: usize = 64 * 1024;

/// Checks one host.
pub struct TcpChecker {
    config: TcpHealthCheck,
    target: Target,
    reuse_connection: bool,
    connection: Option<Open>,
}

struct Open {
    socket: Box<dyn Duplex>,
    received: Vec<u8>,
}

impl TcpChecker {
    /// For the host at `target`.
    pub fn new(config: TcpHealthCheck, target: Target, reuse_connection: bool) -> Self {
        Self { config, target, reuse_connection, connection: None }
    }

    /// Lets go of the connection.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Asks once.
    pub async fn check(&mut self) -> CheckResult {
        match self.ask().await {
            Ok(()) => CheckResult::Success { degraded: false },
            Err(_) => {
                self.disconnect();
                CheckResult::Failure(Failure::unanswered(FailureType::Network))
            }
        }
    }

    async fn ask(&mut self) -> std::io::Result<()> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            None => Open { socket: self.target.connect().await?, received: Vec::new() },
        };
        open.socket.write_all(&self.config.send).await?;
        open.socket.flush().await?;
        if self.config.receive.is_empty() {
            return open.socket.shutdown().await;
        }
        while !payload::holds(&open.received, &self.config.receive) {
            open.read().await?;
        }
        open.received.clear();
        if self.reuse_connection {
            self.connection = Some(open);
        }
        Ok(())
    }

    /// Waits until the host closes the connection between two checks; for ever where there is none.
    pub async fn closed(&mut self) {
        match &mut self.connection {
            Some(open) => while open.read().await.is_ok() {},
            None => std::future::pending().await,
        }
        self.disconnect();
    }
}

impl Open {
    async fn read(&mut self) -> std::io::Result<()> {
        if self.received.len() >= RECEIVED_BYTES_MAX {
            // Nothing more is read: the check ends by its time-out.
            return std::future::pending().await;
        }
        match self.socket.read_buf(&mut self.received).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

//! Sending a response's body no faster than a fault allows.

use std::time::{Duration, Instant};

use super::body::Ending;
use super::downstream::{After, Downstream, Gone};
use crate::http::exchange::Exchange;
use crate::http::response_pace::ResponsePace;
use crate::runtime::{self, Buffer};

/// How long a client that has gone can stay unnoticed.
const GONE_CHECK: Duration = Duration::from_millis(250);

impl Downstream<'_> {
    /// Sends the head at once and the first piece at its pace.
    pub(super) async fn send_paced_head(
        &self,
        exchange: &mut Exchange,
        pace: &ResponsePace,
        first: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<After, Gone>, Buffer) {
        let (sent, spare) = self.send_head_at_once(exchange, Buffer::default(), None).await;
        self.worker.buffers.give_back(spare);
        let after = match sent {
            Ok(after) => after,
            Err(gone) => return (Err(gone), first),
        };
        let (sent, spare) = self.send_paced_data(pace, first, ending).await;
        (sent.map(|()| after), spare)
    }

    /// Sends a piece in slices. The last one has the end of the body behind it, where `ending` says so.
    pub(super) async fn send_paced_data(
        &self,
        pace: &ResponsePace,
        mut piece: Buffer,
        ending: Option<Ending<'_>>,
    ) -> (Result<(), Gone>, Buffer) {
        while !piece.is_empty() {
            let count = match pace.take(piece.len(), Instant::now()) {
                Ok(count) => count,
                Err(_) if self.is_gone() => return (Err(Gone), piece),
                Err(wait) => {
                    runtime::sleep(wait.min(GONE_CHECK)).await;
                    continue;
                }
            };
            if count == piece.len() {
                break;
            }
            let slice = self.worker.buffers.holding(&piece.bytes()[..count]);
            piece.consume(count);
            let (sent, spare) = self.send_data_at_once(slice, None).await;
            self.worker.buffers.give_back(spare);
            if sent.is_err() {
                return (sent, piece);
            }
        }
        self.send_data_at_once(piece, ending).await
    }
}

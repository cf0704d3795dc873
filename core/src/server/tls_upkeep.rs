//! TLS of the filter chains over time: certificates whose files have changed are read anew, ticket
//! keys are replaced. The workers get whole contexts; what cannot be read leaves the old one in use.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::control::Control;
use crate::transport_socket::tls::ServerContext;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What tells that a file is another one.
type Stamp = Option<(SystemTime, u64)>;

/// One context and what is known of its age.
struct Kept {
    stamps: Vec<Stamp>,
    key_since: Instant,
}

/// Keeps the contexts of all filter chains fresh, for ever.
pub async fn keep_tls_fresh(control: Arc<Control>) {
    let contexts = control.server_contexts();
    let mut kept: Vec<Kept> = contexts
        .iter()
        .map(|context| Kept { stamps: stamps(context), key_since: Instant::now() })
        .collect();
    loop {
        tokio::time::sleep(LOOK).await;
        for (index, context) in control.server_contexts().into_iter().enumerate() {
            if let Some(fresh) = kept[index].refresh(&context, &control) {
                control.set_server_context(index, Arc::new(fresh)).await;
            }
        }
    }
}

impl Kept {
    /// Another context, where there is a reason for one.
    fn refresh(&mut self, context: &ServerContext, control: &Control) -> Option<ServerContext> {
        let stamps = stamps(context);
        if stamps != self.stamps {
            self.stamps = stamps;
            return reload(context, control);
        }
        let rotation = context.ticket_rotation()?;
        if self.key_since.elapsed() < rotation {
            return None;
        }
        self.key_since = Instant::now();
        Some(context.with_new_ticket_key())
    }
}

fn reload(context: &ServerContext, control: &Control) -> Option<ServerContext> {
    match context.reload() {
        Ok(fresh) => {
            tracing::info!(files = ?context.source().files(), "certificates are read anew");
            control.tls_stats.certificate_reload.inc();
            Some(fresh)
        }
        Err(error) => {
            tracing::error!(error, "certificates have changed and cannot be used; the old stay");
            control.tls_stats.certificate_reload_failure.inc();
            None
        }
    }
}

fn stamps(context: &ServerContext) -> Vec<Stamp> {
    context.source().files().iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

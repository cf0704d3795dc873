//! TLS over time: certificates whose files have changed are read anew, ticket keys are replaced. The
//! workers get whole contexts; what cannot be read leaves the old one in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ringmain_config::tls::{CommonTlsContext, UpstreamTlsContext};

use super::control::Control;
use crate::transport_socket::tls::ServerContext;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What tells that a file is another one.
type Stamp = Option<(SystemTime, u64)>;

/// The files of one context, as they were when it was made.
struct Files {
    paths: Vec<PathBuf>,
    stamps: Vec<Stamp>,
}

/// The context of a filter chain, and what is known of its age.
struct KeptServer {
    files: Files,
    key_since: Instant,
}

/// Keeps the contexts of all filter chains and clusters fresh, for ever.
pub async fn keep_tls_fresh(control: Arc<Control>) {
    let servers = control.server_contexts();
    let mut servers: Vec<_> = servers.iter().map(|context| KeptServer::new(context)).collect();
    let clients = control.client_sources();
    let files = |source: &Arc<UpstreamTlsContext>| Files::of(&source.common);
    let mut clients: Vec<_> = clients.iter().map(|source| source.as_ref().map(files)).collect();
    loop {
        tokio::time::sleep(LOOK).await;
        for (index, context) in control.server_contexts().into_iter().enumerate() {
            if let Some(fresh) = servers[index].refresh(&context, &control) {
                control.set_server_context(index, Arc::new(fresh)).await;
            }
        }
        for (cluster, source) in control.client_sources().into_iter().enumerate() {
            let (Some(source), Some(files)) = (source, &mut clients[cluster]) else { continue };
            if !files.have_changed() {
                continue;
            }
            if let Some(fresh) = told(&control, &files.paths, source.reload()) {
                files.follow(&fresh.common);
                control.set_client_source(cluster, Arc::new(fresh)).await;
            }
        }
    }
}

impl KeptServer {
    fn new(context: &ServerContext) -> Self {
        Self { files: Files::of(&context.source().common), key_since: Instant::now() }
    }

    /// Another context, where there is a reason for one.
    fn refresh(&mut self, context: &ServerContext, control: &Control) -> Option<ServerContext> {
        if self.files.have_changed() {
            let fresh = told(control, &self.files.paths, context.reload())?;
            self.files.follow(&fresh.source().common);
            return Some(fresh);
        }
        let rotation = context.ticket_rotation()?;
        if self.key_since.elapsed() < rotation {
            return None;
        }
        self.key_since = Instant::now();
        Some(context.with_new_ticket_key())
    }
}

impl Files {
    fn of(context: &CommonTlsContext) -> Self {
        let paths = context.files.clone();
        Self { stamps: stamps(&paths), paths }
    }

    /// Whether one has changed since the last time.
    fn have_changed(&mut self) -> bool {
        let before = std::mem::replace(&mut self.stamps, stamps(&self.paths));
        before != self.stamps
    }

    /// A file of secrets may name others than before.
    fn follow(&mut self, context: &CommonTlsContext) {
        if self.paths != context.files {
            *self = Self::of(context);
        }
    }
}

/// Logs and counts what a reload came to.
fn told<T>(control: &Control, files: &[PathBuf], reloaded: Result<T, String>) -> Option<T> {
    match reloaded {
        Ok(fresh) => {
            tracing::info!(?files, "certificates are read anew");
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

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

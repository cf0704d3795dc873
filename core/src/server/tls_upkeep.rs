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
    /// Why they could not be used when they were read last.
    failure: Option<String>,
}

/// Why files are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// One has changed since the last time.
    Changed,
    /// They could not be used: what is missing may be another one, which a file of secrets names.
    Unusable,
}

/// The context of a filter chain, and what is known of its age.
struct KeptServer {
    files: Files,
    key_since: Instant,
}

/// The context of a transport socket of a cluster.
struct KeptClient {
    cluster: usize,
    place: usize,
    files: Files,
}

/// Keeps the contexts of all filter chains and clusters fresh, for ever.
pub async fn keep_tls_fresh(control: Arc<Control>) {
    let servers = control.server_contexts();
    let mut servers: Vec<_> = servers.iter().map(|context| KeptServer::new(context)).collect();
    let mut clients = KeptClient::all(&control);
    loop {
        tokio::time::sleep(LOOK).await;
        for (index, context) in control.server_contexts().into_iter().enumerate() {
            if let Some(fresh) = servers[index].refresh(&context, &control) {
                control.set_server_context(index, Arc::new(fresh)).await;
            }
        }
        for client in &mut clients {
            if let Some(fresh) = client.refresh(&control) {
                control.set_client_source(client.cluster, client.place, Arc::new(fresh)).await;
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
        if let Some(look) = self.files.look()
            && let Some(fresh) = self.files.note(context.reload(), look, control)
        {
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

impl KeptClient {
    /// Those of all clusters.
    fn all(control: &Control) -> Vec<Self> {
        let clusters = control.client_sources().into_iter().enumerate();
        let sockets = clusters.flat_map(|(cluster, sources)| {
            let places = sources.into_iter().enumerate();
            places.filter_map(move |(place, source)| Some((cluster, place, source?)))
        });
        sockets
            .map(|(cluster, place, source)| Self {
                cluster,
                place,
                files: Files::of(&source.common),
            })
            .collect()
    }

    /// Another context, where there is a reason for one.
    fn refresh(&mut self, control: &Control) -> Option<UpstreamTlsContext> {
        let look = self.files.look()?;
        let source = control.client_source(self.cluster, self.place)?;
        let fresh = self.files.note(source.reload(), look, control)?;
        self.files.follow(&fresh.common);
        Some(fresh)
    }
}

impl Files {
    fn of(context: &CommonTlsContext) -> Self {
        let paths = context.files.clone();
        Self { stamps: stamps(&paths), paths, failure: None }
    }

    /// Why they are to be read, if they are.
    fn look(&mut self) -> Option<Look> {
        let before = std::mem::replace(&mut self.stamps, stamps(&self.paths));
        match before != self.stamps {
            true => Some(Look::Changed),
            false => self.failure.is_some().then_some(Look::Unusable),
        }
    }

    /// Logs and counts what a reload came to; a failure once for each change.
    fn note<T>(&mut self, reloaded: Result<T, String>, look: Look, control: &Control) -> Option<T> {
        match reloaded {
            Ok(fresh) => {
                tracing::info!(files = ?self.paths, "certificates are read anew");
                control.tls_stats.certificate_reload.inc();
                self.failure = None;
                Some(fresh)
            }
            Err(error) if look == Look::Unusable && self.failure.as_ref() == Some(&error) => None,
            Err(error) => {
                tracing::error!(
                    error,
                    files = ?self.paths,
                    "certificates have changed and cannot be used; the old stay"
                );
                control.tls_stats.certificate_reload_failure.inc();
                self.failure = Some(error);
                None
            }
        }
    }

    /// A file of secrets may name others than before.
    fn follow(&mut self, context: &CommonTlsContext) {
        if self.paths != context.files {
            *self = Self::of(context);
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

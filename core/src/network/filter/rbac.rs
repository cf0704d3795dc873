//! `envoy.filters.network.rbac`: closes connections by policies.
//!
//! A connection is judged before the last filter sees it. Envoy waits for its first byte, and meanwhile
//! shows a client that will be refused what the upstream says first.

use ringmain_config::network_filter::RbacFilter as Config;
use ringmain_proto_codec::HeaderMap;

use super::Refused;
use crate::http::stream_objects::StreamObjects;
use crate::listener::NewConnection;
use crate::rbac::{
    Decision, EnforcedRules, EnforcedStats, Engine, Note, NoteNames, NotedPolicies, ShadowStats,
    Subject, prefixed, write_hint,
};
use crate::stats::{PerWorker, Scope, Stat, WorkerId};

/// The namespace of what it notes.
const NAMESPACE: &str = "envoy.filters.network.rbac";

/// The filter.
#[derive(Debug)]
pub struct RbacFilter {
    config: Config,
    rules: Option<EnforcedRules>,
    shadow_rules: Option<(Engine, NotedPolicies)>,
    enforced: PerWorker<EnforcedStats>,
    shadow: PerWorker<ShadowStats>,
    shadow_names: &'static NoteNames,
}

impl RbacFilter {
    pub(super) fn new(config: &Config, workers: usize) -> Self {
        Self {
            rules: config.rules.as_ref().map(EnforcedRules::new),
            shadow_rules: config.shadow_rules.as_ref().map(|config| {
                let engine = Engine::new(config);
                let policies = NotedPolicies::new(&engine);
                (engine, policies)
            }),
            enforced: PerWorker::new(workers),
            shadow: PerWorker::new(workers),
            shadow_names: NoteNames::shadow(NAMESPACE, &config.shadow_rules_stat_prefix),
            config: config.clone(),
        }
    }

    /// Whether the client may connect.
    pub(super) fn judge(
        &self,
        worker: WorkerId,
        connection: &mut NewConnection,
    ) -> Result<(), Refused> {
        if let Some((engine, names)) = &self.shadow_rules {
            let decision = decide(engine, connection);
            self.shadow.of(worker).count(decision);
            let note = Note::new(self.shadow_names, names, decision);
            connection.info.note_metadata(|metadata| note.write(metadata));
        }
        let Some(rules) = &self.rules else { return Ok(()) };
        let decision = decide(&rules.engine, connection);
        self.enforced.of(worker).count(decision);
        if let Some(hint) = decision.access_log_hint {
            connection.info.note_metadata(|metadata| write_hint(hint, metadata));
        }
        if decision.allowed {
            return Ok(());
        }
        let details = rules.details(decision);
        Err(Refused { delay: self.config.delay_deny, flag: None, details })
    }

    pub(super) fn stats(&self, stats: &mut Vec<Stat>) {
        let scope = Scope::network_rbac(&self.config.stat_prefix);
        scope.block(&self.enforced, stats);
        prefixed(scope, &self.config.shadow_rules_stat_prefix).block(&self.shadow, stats);
    }
}

fn decide(engine: &Engine, connection: &NewConnection) -> Decision {
    let info = &connection.info;
    // There is no request.
    let headers = HeaderMap::default();
    let objects = StreamObjects::of_connection(info);
    engine.decide(&Subject {
        headers: &headers,
        direct_remote: info.direct_remote.ip(),
        remote: info.remote.socket(),
        local: info.local.socket(),
        server_name: info.requested_server_name.as_deref().unwrap_or_default().as_bytes(),
        tls: connection.transport.tls().map(|tls| &**tls),
        dynamic_metadata: info.dynamic_metadata.as_deref(),
        objects: Some(&objects),
        route_metadata: None,
    })
}

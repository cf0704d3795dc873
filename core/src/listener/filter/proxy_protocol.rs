//! `envoy.filters.listener.proxy_protocol`: the client's address from a PROXY header.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringmain_config::listener_filter as config;
use ringmain_config::metadata::Metadata;
use ringmain_proto_codec::proxy_protocol::{
    MalformedHeader, Progress, ProxyHeader, V1_SIGNATURE, V2_FIXED_BYTES, V2_SIGNATURE, Version,
    parse, vectors,
};
use serde_json::Value;

use super::{CONTINUE, Verdict};
use crate::listener::ConnectionInfo;
use crate::stats::scopes::{ProxyProtocolStats, ProxyProtocolVersionStats};
use crate::stats::{Counter, PerWorker, Scope, WorkerId};
use crate::transport_socket::Tlvs;

/// The compiled filter.
#[derive(Debug)]
pub struct ProxyProtocol {
    config: config::ProxyProtocol,
    /// `proxy_proto.`
    pub stats: PerWorker<ProxyProtocolStats>,
    /// `proxy_proto.versions.v1.`
    pub v1: PerWorker<ProxyProtocolVersionStats>,
    /// `proxy_proto.versions.v2.`
    pub v2: PerWorker<ProxyProtocolVersionStats>,
    /// `downstream_cx_proxy_proto_error`.
    pub errors: PerWorker<Counter>,
}

impl ProxyProtocol {
    /// Compiles `config` for `workers` workers.
    pub fn new(config: config::ProxyProtocol, workers: usize) -> Self {
        Self {
            config,
            stats: PerWorker::new(workers),
            v1: PerWorker::new(workers),
            v2: PerWorker::new(workers),
            errors: PerWorker::new(workers),
        }
    }

    /// `proxy_proto`, or `proxy_proto.<stat_prefix>`.
    pub fn scope(&self) -> Scope {
        let scope = Scope::plain("proxy_proto");
        match self.config.stat_prefix.as_str() {
            "" => scope,
            prefix => scope.within(prefix),
        }
    }

    /// Looks at all bytes received so far.
    pub fn look(&self, worker: WorkerId, bytes: &[u8], connection: &mut ConnectionInfo) -> Verdict {
        let allows_none = self.config.allow_requests_without_proxy_protocol;
        if allows_none && !self.may_be_header(bytes) {
            self.stats.of(worker).not_found_allowed.inc();
            return CONTINUE;
        }
        if let Some(version) = self.disallowed(bytes) {
            let stats = self.version(version).of(worker);
            stats.found.inc();
            stats.disallowed.inc();
            return Verdict::Close;
        }
        match parse(bytes) {
            Ok(Progress::Incomplete) => Verdict::Incomplete,
            Ok(Progress::Absent) => self.refuse(worker, bytes),
            Ok(Progress::Complete(header)) => self.take(worker, &header, connection),
            Err(MalformedHeader(version)) => {
                self.version(version).of(worker).error.inc();
                self.close(worker)
            }
        }
    }

    /// Whether a header of a version that is allowed may begin like this.
    fn may_be_header(&self, bytes: &[u8]) -> bool {
        let begins = |signature: &[u8]| {
            let length = bytes.len().min(signature.len());
            bytes[..length] == signature[..length]
        };
        (!self.config.disallows_v1 && begins(V1_SIGNATURE))
            || (!self.config.disallows_v2 && begins(V2_SIGNATURE))
    }

    /// The version of the header, where it is seen to be one that is not allowed. What else it says does
    /// not matter then.
    fn disallowed(&self, bytes: &[u8]) -> Option<Version> {
        if self.config.disallows_v2 && bytes.starts_with(V2_SIGNATURE) {
            return Some(Version::V2).filter(|_| bytes.len() >= V2_FIXED_BYTES);
        }
        (self.config.disallows_v1 && bytes.starts_with(V1_SIGNATURE)).then_some(Version::V1)
    }

    /// Like Envoy, has fewer bytes than version 2 takes wait for more, and takes a line for a bad one
    /// of version 1.
    fn refuse(&self, worker: WorkerId, bytes: &[u8]) -> Verdict {
        if bytes.len() >= V2_FIXED_BYTES {
            self.stats.of(worker).not_found_disallowed.inc();
            return self.close(worker);
        }
        if memchr::memmem::find(bytes, b"\r\n").is_none() {
            return Verdict::Incomplete;
        }
        self.v1.of(worker).error.inc();
        self.close(worker)
    }

    fn close(&self, worker: WorkerId) -> Verdict {
        self.errors.of(worker).inc();
        Verdict::Close
    }

    fn take(
        &self,
        worker: WorkerId,
        header: &ProxyHeader<'_>,
        connection: &mut ConnectionInfo,
    ) -> Verdict {
        self.version(header.version).of(worker).found.inc();
        if let Some(addresses) = header.addresses {
            connection.remote = addresses.source.into();
            connection.restore_local(addresses.destination);
        }
        let kept = vectors(header.tlvs)
            .filter(|(kind, _)| self.config.pass_through_tlvs.includes(*kind))
            .map(|(kind, value)| (kind, value.into()));
        connection.dynamic_metadata = self.metadata(header);
        connection.proxy_tlvs = Some(kept.collect()).filter(|kept: &Tlvs| !kept.is_empty());
        Verdict::Continue { consumed: header.length }
    }

    /// What the rules find among the header's vectors; the first of several for the same key counts.
    fn metadata(&self, header: &ProxyHeader<'_>) -> Option<Rc<Metadata>> {
        if self.config.rules.is_empty() {
            return None;
        }
        let mut found: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
        for (kind, value) in vectors(header.tlvs) {
            let mut rules = self.config.rules.iter().rev();
            if let Some(rule) = rules.find(|rule| rule.tlv_type == kind) {
                let fields = found.entry(rule.metadata_namespace.as_str()).or_default();
                fields.entry(rule.key.as_str()).or_insert_with(|| sanitized(value));
            }
        }
        // Envoy writes members by name.
        let object = |fields: BTreeMap<&str, String>| fields.into_iter().collect::<Value>();
        let found = found.into_iter().map(|(name, fields)| (name.to_owned(), object(fields)));
        Some(Rc::new(Metadata(found.collect()))).filter(|metadata| !metadata.0.is_empty())
    }

    fn version(&self, version: Version) -> &PerWorker<ProxyProtocolVersionStats> {
        match version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        }
    }
}

/// `value` as text; what is not UTF-8 becomes exclamation marks, as in Envoy.
fn sanitized(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '!'));
    }
    text
}

//! Secrets that a file holds itself (`static_resources.secrets`) and TLS contexts name.
//!
//! Before contexts are read, each name gives way to what it stands for, so that the rest of the model knows no
//! names. What is wrong with a secret is told where that stands; a context that names it keeps the name.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::StaticResources;
use envoy_types::pb::envoy::config::core::v3::TransportSocket;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use prost::{Message, Name};
use wire::common_tls_context::ValidationContextType;
use wire::downstream_tls_context::SessionTicketKeysType;
use wire::secret::Type;

use super::certificate::TlsCertificate;
use super::downstream::ticket_keys;
use super::sds_file::merged;
use super::validation::CertificateValidationContext;
use crate::report::{At, Note, did_you_mean};
use crate::wire::unpack;

/// Secrets by kind and name; `None` stands for one that is wrong.
#[derive(Default)]
pub(crate) struct Secrets {
    certificates: Named<wire::TlsCertificate>,
    validation_contexts: Named<wire::CertificateValidationContext>,
    ticket_keys: Named<wire::TlsSessionTicketKeys>,
}

/// Of one kind, by name.
type Named<T> = HashMap<String, Option<T>>;

impl Secrets {
    /// Reads the field `secrets`.
    pub(crate) fn list_from_wire(wire: &[wire::Secret], at: &At<'_>) -> Self {
        let (mut secrets, at) = (Self::default(), at.field("secrets"));
        for (index, secret) in wire.iter().enumerate() {
            secrets.add(secret, &at.index(index));
        }
        secrets
    }

    fn add(&mut self, secret: &wire::Secret, at: &At<'_>) {
        let is_new = match &secret.r#type {
            Some(Type::TlsCertificate(certificate)) => {
                let read = TlsCertificate::from_wire(certificate, &at.field("tls_certificate"));
                put(&mut self.certificates, secret, read.map(|_| certificate))
            }
            Some(Type::ValidationContext(context)) => {
                let at = at.field("validation_context");
                let read = CertificateValidationContext::from_wire(context, &at);
                put(&mut self.validation_contexts, secret, read.map(|_| context))
            }
            Some(Type::SessionTicketKeys(keys)) => {
                let read = ticket_keys(keys, &at.field("session_ticket_keys"));
                put(&mut self.ticket_keys, secret, read.map(|_| keys))
            }
            Some(Type::GenericSecret(_)) | None => true,
        };
        if !is_new {
            at.field("name").error(
                Note::from(format!("another secret of its kind is named '{}'", secret.name))
                    .help("rename one of them"),
            );
        }
    }

    /// Puts secrets where `resources` names them.
    pub(crate) fn put_into(&self, resources: &mut StaticResources, at: &At<'_>) {
        let listeners_at = at.field("listeners");
        for (index, listener) in resources.listeners.iter_mut().enumerate() {
            let at = listeners_at.index(index);
            let chains_at = at.field("filter_chains");
            for (index, chain) in listener.filter_chains.iter_mut().enumerate() {
                self.put_into_server(chain.transport_socket.as_mut(), &chains_at.index(index));
            }
            if let Some(chain) = &mut listener.default_filter_chain {
                let at = at.field("default_filter_chain");
                self.put_into_server(chain.transport_socket.as_mut(), &at);
            }
        }
        let clusters_at = at.field("clusters");
        for (index, cluster) in resources.clusters.iter_mut().enumerate() {
            let at = clusters_at.index(index);
            self.put_into_client(cluster.transport_socket.as_mut(), &at);
            let matches_at = at.field("transport_socket_matches");
            for (index, matched) in cluster.transport_socket_matches.iter_mut().enumerate() {
                self.put_into_client(matched.transport_socket.as_mut(), &matches_at.index(index));
            }
        }
    }

    fn put_into_server(&self, socket: Option<&mut TransportSocket>, at: &At<'_>) {
        change(socket, at, |context: &mut wire::DownstreamTlsContext, at| {
            self.put_into_common(context.common_tls_context.as_mut(), at);
            let named = &mut context.session_ticket_keys_type;
            if let Some(SessionTicketKeysType::SessionTicketKeysSdsSecretConfig(config)) = named {
                let at = at.field("session_ticket_keys_sds_secret_config");
                if let Some(keys) = find(&self.ticket_keys, config, "session ticket keys", &at) {
                    *named = Some(SessionTicketKeysType::SessionTicketKeys(keys.clone()));
                }
            }
        });
    }

    fn put_into_client(&self, socket: Option<&mut TransportSocket>, at: &At<'_>) {
        change(socket, at, |context: &mut wire::UpstreamTlsContext, at| {
            self.put_into_common(context.common_tls_context.as_mut(), at);
        });
    }

    fn put_into_common(&self, context: Option<&mut wire::CommonTlsContext>, at: &At<'_>) {
        let Some(context) = context else { return };
        let at = at.field("common_tls_context");
        self.put_certificates(context, &at);
        let Some(named) = &mut context.validation_context_type else { return };
        if let Some(found) = self.validation_context(named, &at) {
            *named = ValidationContextType::ValidationContext(found);
        }
    }

    fn put_certificates(&self, context: &mut wire::CommonTlsContext, at: &At<'_>) {
        const FIELD: &str = "tls_certificate_sds_secret_configs";
        let named = &mut context.tls_certificate_sds_secret_configs;
        let at = at.field(FIELD);
        if !context.tls_certificates.is_empty() && !named.is_empty() {
            at.warn(
                Note::from(format!("'{FIELD}' has no effect beside 'tls_certificates'"))
                    .help("keep one of the two"),
            );
            return named.clear();
        }
        let mut index = 0..;
        named.retain(|config| {
            let at = at.index(index.next().unwrap_or_default());
            let found = find(&self.certificates, config, "TLS certificate", &at);
            context.tls_certificates.extend(found.cloned());
            found.is_none()
        });
    }

    /// What a name, or a default with a name over it, stands for.
    fn validation_context(
        &self,
        named: &ValidationContextType,
        at: &At<'_>,
    ) -> Option<wire::CertificateValidationContext> {
        const KIND: &str = "validation context";
        match named {
            ValidationContextType::ValidationContextSdsSecretConfig(config) => {
                let at = at.field("validation_context_sds_secret_config");
                find(&self.validation_contexts, config, KIND, &at).cloned()
            }
            ValidationContextType::CombinedValidationContext(combined) => {
                let at = at.field("combined_validation_context");
                let config = combined.validation_context_sds_secret_config.as_ref()?;
                let at = at.field("validation_context_sds_secret_config");
                let over = find(&self.validation_contexts, config, KIND, &at)?;
                merged(combined, over)
            }
            _ => None,
        }
    }
}

/// Whether the name was not taken yet.
fn put<T: Clone>(named: &mut Named<T>, secret: &wire::Secret, content: Option<&T>) -> bool {
    named.insert(secret.name.clone(), content.cloned()).is_none()
}

/// What `config` names, unless that stands elsewhere. An unknown name is an error.
fn find<'a, T>(
    named: &'a Named<T>,
    config: &wire::SdsSecretConfig,
    kind: &str,
    at: &At<'_>,
) -> Option<&'a T> {
    if config.sds_config.is_some() {
        return None;
    }
    let found = named.get(&config.name);
    if found.is_none() {
        let message = format!("no {kind} named '{}' in 'static_resources.secrets'", config.name);
        let help = did_you_mean(&config.name, named.keys().map(String::as_str));
        at.field("name")
            .error(Note::from(message).help(help.unwrap_or_else(|| "add it".to_owned())));
    }
    found?.as_ref()
}

/// Changes the configuration of `socket`, if it is a `T`.
fn change<T: Message + Name + Default>(
    socket: Option<&mut TransportSocket>,
    at: &At<'_>,
    put: impl FnOnce(&mut T, &At<'_>),
) {
    let config = socket.and_then(|socket| socket.config_type.as_mut());
    let Some(ConfigType::TypedConfig(any)) = config else { return };
    let Some(mut context) = unpack::<T>(any) else { return };
    put(&mut context, &at.field("transport_socket").field("typed_config"));
    any.value = context.encode_to_vec();
}

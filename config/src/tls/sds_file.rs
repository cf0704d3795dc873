//! Secrets in files of their own (`sds_config.path_config_source`): each file holds a
//! `DiscoveryResponse` with one `Secret`, which is replaced while the proxy runs.
//!
//! A context reads them as it reads the files of certificates: when it is made, and anew when one has
//! changed.

use std::borrow::Cow;
use std::path::PathBuf;

use core::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as wire;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use prost::Message;
use prost_reflect::DescriptorPool;
use wire::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
use wire::secret::Type;

use crate::check::check;
use crate::data_source;
use crate::report::{At, Note, Report, Severity, did_you_mean};
use crate::schema;
use crate::support::Gate;
use crate::text::{self, Document};
use crate::wire::{typed, unpack};

/// `context` with the secrets of files in the place of their names, and those files.
pub(super) fn resolve<'w>(
    context: &'w wire::CommonTlsContext,
    at: &At<'_>,
) -> Option<(Cow<'w, wire::CommonTlsContext>, Vec<PathBuf>)> {
    let (mut resolved, mut files) = (Cow::Borrowed(context), Vec::new());
    let certificates_at = at.field("tls_certificate_sds_secret_configs");
    for (index, config) in context.tls_certificate_sds_secret_configs.iter().enumerate() {
        if let Some((path, _)) = path(config) {
            files.push(path.into());
            let certificate = certificate(config, &certificates_at.index(index))?;
            resolved.to_mut().tls_certificates.push(certificate);
        }
    }
    if let Some((path, context)) = validation(context.validation_context_type.as_ref(), at) {
        files.push(path.into());
        resolved.to_mut().validation_context_type =
            Some(ValidationContextType::ValidationContext(context?));
    }
    files.dedup();
    Some((resolved, files))
}

/// The file that `named` names, and the validation context in it.
fn validation<'w>(
    named: Option<&'w ValidationContextType>,
    at: &At<'_>,
) -> Option<(&'w str, Option<wire::CertificateValidationContext>)> {
    const FIELD: &str = "validation_context_sds_secret_config";
    match named? {
        ValidationContextType::ValidationContextSdsSecretConfig(config) => {
            let (path, _) = path(config)?;
            Some((path, validation_context(config, &at.field(FIELD))))
        }
        ValidationContextType::CombinedValidationContext(combined) => {
            let config = combined.validation_context_sds_secret_config.as_ref()?;
            let (path, _) = path(config)?;
            let at = at.field("combined_validation_context");
            let over = validation_context(config, &at.field(FIELD));
            Some((path, over.and_then(|over| merged(combined, &over))))
        }
        _ => None,
    }
}

/// The default of `combined` with `over` over it, as protobuf merges messages.
pub(super) fn merged(
    combined: &CombinedCertificateValidationContext,
    over: &wire::CertificateValidationContext,
) -> Option<wire::CertificateValidationContext> {
    let mut merged = combined.default_validation_context.clone().unwrap_or_default();
    merged.merge(&over.encode_to_vec()[..]).ok().map(|()| merged)
}

fn certificate(config: &wire::SdsSecretConfig, at: &At<'_>) -> Option<wire::TlsCertificate> {
    find(config, "TLS certificate", at, |secret| match secret {
        Type::TlsCertificate(certificate) => Some(certificate),
        _ => None,
    })
}

fn validation_context(
    config: &wire::SdsSecretConfig,
    at: &At<'_>,
) -> Option<wire::CertificateValidationContext> {
    find(config, "validation context", at, |secret| match secret {
        Type::ValidationContext(context) => Some(context),
        _ => None,
    })
}

/// The secret that `config` names, if it is of the `kind` that is wanted.
fn find<T>(
    config: &wire::SdsSecretConfig,
    kind: &str,
    at: &At<'_>,
    of_kind: impl FnOnce(Type) -> Option<T>,
) -> Option<T> {
    let (path, holder) = path(config)?;
    let sds_at = at.field("sds_config");
    let secret = match holder {
        Some(holder) => read(path, &sds_at.field(holder).field("path")),
        None => read(path, &sds_at.field("path")),
    }?;
    let content = secret.r#type.and_then(of_kind).filter(|_| secret.name == config.name);
    if content.is_none() {
        let message = format!("no {kind} named '{}' in '{path}'", config.name);
        let help = did_you_mean(&config.name, std::iter::once(secret.name.as_str()));
        let help = help.unwrap_or_else(|| format!("the file holds '{}'", secret.name));
        at.field("name").error(Note::from(message).help(help));
    }
    content
}

/// The path in `config`, if it has one, and the field of `sds_config` that holds it.
#[allow(deprecated, reason = "common in files")]
fn path(config: &wire::SdsSecretConfig) -> Option<(&str, Option<&'static str>)> {
    match config.sds_config.as_ref()?.config_source_specifier.as_ref()? {
        ConfigSourceSpecifier::Path(path) => Some((path, None)),
        ConfigSourceSpecifier::PathConfigSource(source) => {
            Some((&source.path, Some("path_config_source")))
        }
        _ => None,
    }
}

/// The secret in the file at `path`; like Envoy, takes no file of several. What is wrong with it is one
/// error at `at`.
fn read(path: &str, at: &At<'_>) -> Option<wire::Secret> {
    let text = data_source::read_text_file(path, at)?;
    let (response, warnings) = parse(&text, path.ends_with(".json"), at.schema())
        .map_err(|error| at.error(format!("'{path}': {error}")))
        .ok()?;
    if !warnings.is_empty() {
        at.warn(format!("'{path}': {warnings}"));
    }
    let count = response.resources.len();
    if count != 1 {
        at.error(
            Note::from(format!(
                "'{path}' holds {count} secrets; a file has to hold one, as in Envoy"
            ))
            .help("write a file for each secret"),
        );
    }
    response.resources.first().filter(|_| count == 1).and_then(unpack)
}

/// The message in `text`, and what is to be warned of.
fn parse(
    text: &str,
    is_json: bool,
    pool: &DescriptorPool,
) -> Result<(DiscoveryResponse, String), String> {
    let document = Document::parse(text, is_json).map_err(|error| error.message)?;
    let descriptor = schema::message(pool, "envoy.service.discovery.v3.DiscoveryResponse");
    let text::Read { message, opened, report } = text::read(&document, &descriptor, false);
    if report.errors() > 0 {
        return Err(report.text_of(Severity::Error));
    }
    let report = Report::default();
    check(&message, &opened, &Gate::default(), &report.root());
    if report.errors() > 0 {
        return Err(report.text_of(Severity::Error));
    }
    let response = typed(&message).map_err(|error| error.to_string())?;
    Ok((response, report.text_of(Severity::Warning)))
}

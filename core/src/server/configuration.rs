//! The configuration that the command line names, read and told about.

use std::path::Path;

use ringmain_config::bootstrap::{Bootstrap, Node};
use ringmain_config::{Diagnostic, LoadError, LoadOptions};

use super::args::{Args, LogForm, Mode};
use super::demo;
use super::startup::StartError;
use crate::discovery;

/// A configuration as it was given.
#[derive(Debug)]
pub struct Written {
    /// What errors call the text.
    pub origin: String,
    text: String,
    options: LoadOptions,
}

impl Written {
    /// What the command line names.
    pub fn of(args: &Args) -> Result<Self, StartError> {
        let (origin, text) = text(args)?;
        let options = LoadOptions {
            allow_unsupported: args.allow_unsupported.clone(),
            allow_unknown_fields: args.allow_unknown_static_fields || args.allow_unknown_fields,
            overlay: args.config_path.as_ref().and(args.config_yaml.clone()),
        };
        Ok(Self { origin, text, options })
    }

    /// As JSON without secrets. The text is read again: the messages of a large one take many times its
    /// length, and few are ever asked for.
    pub fn json(&self) -> Result<String, LoadError> {
        ringmain_config::written_json(&self.origin, &self.text, &self.options)
    }
}

/// The text of a configuration file.
pub fn read_configuration(path: &Path) -> Result<String, StartError> {
    let bytes = std::fs::read(path).map_err(StartError::file("read", path))?;
    Ok(ringmain_config::decode(&path.display().to_string(), bytes)?)
}

fn text(args: &Args) -> Result<(String, String), StartError> {
    match (&args.config_path, &args.config_yaml) {
        (Some(path), _) => Ok((path.display().to_string(), read_configuration(path)?)),
        (None, Some(yaml)) => Ok(("--config-yaml".into(), yaml.clone())),
        (None, None) => Ok(("the embedded demo".into(), demo::CONFIG.into())),
    }
}

/// Loads what was given and tells the warnings.
pub fn load(args: &Args, written: &Written) -> Result<Bootstrap, StartError> {
    let loaded = ringmain_config::load(&written.origin, &written.text, &written.options)?;
    for warning in &loaded.warnings {
        match (args.mode, args.error_format) {
            // While serving it belongs to the log.
            (Mode::Serve, _) => tracing::warn!("{warning}"),
            (_, LogForm::Text) => eprintln!("{}\n", warning.rendered()),
            (_, LogForm::Json) => eprintln!("{}", json(warning)),
        }
    }
    match discovery::missing(&loaded.bootstrap.clusters) {
        Some(missing) => Err(StartError::NotInThisBuild(missing)),
        None => Ok(loaded.bootstrap),
    }
}

/// An error in the form that `--error-format` asks for.
pub fn told(error: &StartError, args: &Args) -> String {
    match (error, args.error_format) {
        (StartError::Config(error), LogForm::Json) => {
            let mut lines: Vec<_> = error.diagnostics.iter().map(json).collect();
            if error.errors_not_listed > 0 {
                lines.push(format!(r#"{{"errors_not_listed":{}}}"#, error.errors_not_listed));
            }
            lines.join("\n")
        }
        (_, LogForm::Json) => {
            serde_json::json!({ "severity": "error", "message": error.to_string() }).to_string()
        }
        (_, LogForm::Text) => error.to_string(),
    }
}

fn json(diagnostic: &Diagnostic) -> String {
    serde_json::to_string(diagnostic).expect("text and numbers only")
}

/// The command line names the node where the file does not.
pub fn name_node(node: &mut Node, args: &Args) {
    let fill = |field: &mut String, given: &Option<String>| {
        if let Some(given) = given
            && field.is_empty()
        {
            field.clone_from(given);
        }
    };
    fill(&mut node.cluster, &args.service_cluster);
    fill(&mut node.id, &args.service_node);
    fill(&mut node.locality.zone, &args.service_zone);
}

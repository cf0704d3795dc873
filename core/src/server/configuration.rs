//! The configuration that the command line names, read and told about.

use ringmain_config::bootstrap::{Bootstrap, Node};
use ringmain_config::{Diagnostic, LoadOptions};

use super::args::{Args, LogForm, Mode};
use super::demo;
use super::startup::StartError;
use crate::discovery;

/// The text's name and the text.
pub fn configuration_text(args: &Args) -> Result<(String, String), StartError> {
    match (&args.config_path, &args.config_yaml) {
        (Some(path), _) => {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => Ok((name, text)),
                Err(source) => Err(StartError::File { path: name, source }),
            }
        }
        (None, Some(yaml)) => Ok(("--config-yaml".into(), yaml.clone())),
        (None, None) => Ok(("the embedded demo".into(), demo::CONFIG.into())),
    }
}

/// Loads the text and tells the warnings. Beside the bootstrap comes what `/config_dump` shows.
pub fn load(
    args: &Args,
    origin: &str,
    text: &str,
) -> Result<(Bootstrap, Option<String>), StartError> {
    let overlay = args.config_path.as_ref().and(args.config_yaml.clone());
    let options = LoadOptions {
        allow_unsupported: args.allow_unsupported.clone(),
        allow_unknown_fields: args.allow_unknown_static_fields || args.allow_unknown_fields,
        overlay,
    };
    let loaded = ringmain_config::load(origin, text, &options)?;
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
        None => Ok((loaded.bootstrap, loaded.dump)),
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

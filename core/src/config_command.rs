//! `ringmain config dump`: the configuration as it takes effect, with Envoy's defaults filled in.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ringmain_config::{LoadOptions, effective_yaml};

use crate::server::read_configuration;

/// Say what a configuration comes to, without serving
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// What is asked.
    #[command(subcommand)]
    pub question: ConfigQuestion,
}

/// What can be asked of a configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigQuestion {
    /// Print it as YAML with Envoy's defaults filled in, without secrets
    Dump(DumpArgs),
}

/// `ringmain config dump`.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// Configuration file: an Envoy v3 bootstrap as YAML or JSON
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config_path: PathBuf,

    /// Configuration text, merged over the file
    #[arg(long, value_name = "YAML")]
    pub config_yaml: Option<String>,

    /// Accept a field that ringmain does not support, by its path
    #[arg(long, value_name = "PATH")]
    pub allow_unsupported: Vec<String>,

    /// Accept unknown fields
    #[arg(long)]
    pub allow_unknown_static_fields: bool,
}

/// Answers what `args` ask; exit code 1 for a wrong configuration.
pub fn main(args: &ConfigArgs) -> ExitCode {
    let ConfigQuestion::Dump(args) = &args.question;
    match dump(args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the configuration to `out`, and its warnings to the standard error.
fn dump(args: &DumpArgs, out: &mut impl Write) -> Result<(), String> {
    let origin = args.config_path.display().to_string();
    let text = read_configuration(&args.config_path).map_err(|error| error.to_string())?;
    let options = LoadOptions {
        allow_unsupported: args.allow_unsupported.clone(),
        allow_unknown_fields: args.allow_unknown_static_fields,
        overlay: args.config_yaml.clone(),
    };
    let (yaml, warnings) =
        effective_yaml(&origin, &text, &options).map_err(|error| error.rendered())?;
    for warning in warnings {
        eprintln!("{}\n", warning.rendered());
    }
    out.write_all(yaml.as_bytes()).map_err(|error| format!("cannot write: {error}"))
}

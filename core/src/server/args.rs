//! The command line: Envoy's options, so that an existing unit file keeps working, and ours.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextValue, ErrorKind};
use clap::{Parser, ValueEnum};

use crate::config_command::ConfigArgs;
use crate::route_check::args::RouteCheckArgs;
use crate::runtime::EngineChoice;

/// A reverse proxy that reads Envoy v3 configuration.
#[derive(Debug, Clone, Parser)]
#[command(name = "ringmain", version, disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What to do in place of serving
    #[command(subcommand)]
    pub command: Option<Subcommand>,

    /// Configuration file: an Envoy v3 bootstrap as YAML or JSON
    #[arg(short = 'c', long, value_name = "FILE")]
    pub config_path: Option<PathBuf>,

    /// Configuration text, merged over the file
    #[arg(long, value_name = "YAML")]
    pub config_yaml: Option<String>,

    /// What to do: serve, check the configuration and exit, or only load it
    #[arg(long, value_enum, default_value = "serve")]
    pub mode: Mode,

    /// Worker threads; default: one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: Option<u32>,

    /// Cores for the workers, such as 0-3,6; default: those the process may use
    #[arg(long, value_name = "LIST")]
    pub cpuset: Option<CpuList>,

    /// Use only as many workers as the process' CPU set allows (already the default)
    #[arg(long)]
    pub cpuset_threads: bool,

    /// I/O engine of the workers
    #[arg(long, value_enum, default_value = "auto", value_name = "ENGINE")]
    pub io_engine: EngineChoice,

    /// Log level: trace, debug, info, warning, error, critical or off
    #[arg(short = 'l', long, value_enum, default_value = "info", value_name = "LEVEL")]
    pub log_level: LogLevel,

    /// Log levels by component, such as upstream:debug
    #[arg(long, value_name = "LIST")]
    pub component_log_level: Option<String>,

    /// Log file; default: standard error
    #[arg(long, value_name = "FILE")]
    pub log_path: Option<PathBuf>,

    /// Form of the log: text or json
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    pub log_form: LogForm,

    /// Envoy's log format string; has no effect here
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// Envoy's switch for escapes in its log format; has no effect here
    #[arg(long)]
    pub log_format_escaped: bool,

    /// Envoy's fine-grain logging; has no effect here
    #[arg(long)]
    pub enable_fine_grain_logging: bool,

    /// node.cluster, where the file does not set it
    #[arg(long, value_name = "NAME")]
    pub service_cluster: Option<String>,

    /// node.id, where the file does not set it
    #[arg(long, value_name = "NAME")]
    pub service_node: Option<String>,

    /// node.locality.zone, where the file does not set it
    #[arg(long, value_name = "ZONE")]
    pub service_zone: Option<String>,

    /// Seconds of a graceful /drain_listeners: ever more responses close, then the listeners;
    /// default: 600. For SIGTERM see --shutdown-grace-s
    #[arg(long, value_name = "SECONDS")]
    pub drain_time_s: Option<u64>,

    /// How responses close in a drain: gradual (default), ever more, or immediate, all at once
    #[arg(long, value_enum, value_name = "STRATEGY")]
    pub drain_strategy: Option<DrainStrategy>,

    /// Envoy's hot restart: seconds until the parent ends; has no effect here
    #[arg(long, value_name = "SECONDS")]
    pub parent_shutdown_time_s: Option<u64>,

    /// Seconds between SIGTERM and the listeners' end, for load balancers to notice
    #[arg(long, default_value = "0", value_name = "SECONDS")]
    pub shutdown_grace_s: u64,

    /// Seconds that requests in flight may take after that
    #[arg(long, default_value = "25", value_name = "SECONDS")]
    pub shutdown_limit_s: u64,

    /// Milliseconds after which access log lines are written at the latest
    #[arg(long, default_value = "1000", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub file_flush_interval_msec: u64,

    /// File to write the admin listener's address to
    #[arg(long, value_name = "FILE")]
    pub admin_address_path: Option<PathBuf>,

    /// Unknown fields warn instead of failing
    #[arg(long)]
    pub allow_unknown_static_fields: bool,

    /// Envoy's name for --allow-unknown-static-fields, deprecated there
    #[arg(long, hide = true)]
    pub allow_unknown_fields: bool,

    /// Accept, with a warning, a field that ringmain does not support, by its path
    #[arg(long, value_name = "PATH")]
    pub allow_unsupported: Vec<String>,

    /// Form of what is said about a configuration: text, or a JSON object a line
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    pub error_format: LogForm,

    /// Refuse unknown fields in dynamic configuration; has no effect here
    #[arg(long)]
    pub reject_unknown_dynamic_fields: bool,

    /// Do not warn of unknown fields in dynamic configuration; has no effect here
    #[arg(long)]
    pub ignore_unknown_dynamic_fields: bool,

    /// Envoy's hot restart: which shared memory; has no effect here
    #[arg(long, value_name = "N")]
    pub base_id: Option<u32>,

    /// Envoy's hot restart: choose a base id; has no effect here
    #[arg(long)]
    pub use_dynamic_base_id: bool,

    /// Envoy's hot restart: file to write the base id to; has no effect here
    #[arg(long, value_name = "FILE")]
    pub base_id_path: Option<PathBuf>,

    /// Envoy's hot restart: the epoch; only 0 is possible here
    #[arg(long, value_name = "N")]
    pub restart_epoch: Option<u32>,

    /// Envoy's hot restart: switch it off (it is not built)
    #[arg(long)]
    pub disable_hot_restart: bool,

    /// Envoy's hot restart: socket path; has no effect here
    #[arg(long, value_name = "PATH")]
    pub socket_path: Option<PathBuf>,

    /// Envoy's hot restart: socket mode; has no effect here
    #[arg(long, value_name = "MODE")]
    pub socket_mode: Option<String>,

    /// Which IP version Envoy's own look-ups use; has no effect here
    #[arg(long, value_name = "VERSION")]
    pub local_address_ip_version: Option<String>,

    /// Envoy's core dumps; has no effect here
    #[arg(long)]
    pub enable_core_dump: bool,

    /// Envoy's mutex tracing; has no effect here, workers share no lock
    #[arg(long)]
    pub enable_mutex_tracing: bool,

    /// Envoy's extensions to leave out; has no effect here
    #[arg(long, value_name = "LIST")]
    pub disable_extensions: Option<String>,

    /// Envoy's tags for stats from the command line; has no effect here
    #[arg(long, value_name = "TAG:VALUE")]
    pub stats_tag: Vec<String>,
}

/// What the program can do beside serving.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Subcommand {
    /// Says what a configuration comes to.
    Config(ConfigArgs),
    /// Says which route takes a request.
    RouteCheck(RouteCheckArgs),
}

/// `--mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Mode {
    /// Serve traffic.
    Serve,
    /// Check the configuration and exit.
    Validate,
    /// The same as validate here.
    InitOnly,
}

/// `--log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find faults.
    Debug,
    /// What happens.
    Info,
    /// What may need attention.
    #[value(alias = "warn")]
    Warning,
    /// What went wrong.
    Error,
    /// The same as error here.
    Critical,
    /// Nothing.
    Off,
}

impl LogLevel {
    /// Envoy's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Off => "off",
        }
    }

    /// The level of a name; `warn` is another one for `warning`.
    pub fn named(name: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(name, false).ok()
    }
}

/// `--log-form`, `--error-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `--drain-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrainStrategy {
    /// More and more responses carry `connection: close`.
    Gradual,
    /// All do at once.
    Immediate,
}

/// `--cpuset`: core numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuList(pub Vec<usize>);

/// The highest number of a core that the system's set of cores has room for.
const CORE_MAX: usize = 1023;

impl std::fmt::Display for CpuList {
    /// As it may be given: `0-3,6`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs = self.0.chunk_by(|one, next| one.checked_add(1) == Some(*next));
        for (index, run) in runs.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match *run {
                [first, .., last] => write!(out, "{comma}{first}-{last}")?,
                [one] => write!(out, "{comma}{one}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut cores = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                text.trim().parse::<usize>().map_err(|_| format!("'{part}' is no core or range"))
            };
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last > CORE_MAX {
                return Err(format!("'{part}' is no range of cores"));
            }
            cores.extend(first..=last);
        }
        Ok(Self(cores))
    }
}

/// A file that stands alone on the command line, which clap takes for a subcommand.
fn file_alone(error: &clap::Error) -> Option<&str> {
    let words = error.context().filter_map(|(_, value)| match value {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    });
    let is_refused = matches!(
        error.kind(),
        ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict | ErrorKind::UnknownArgument
    );
    words.filter(|word| is_refused && Path::new(word).is_file()).last()
}

impl Args {
    /// Those that the process was started with. Wrong ones end it, with exit code 2 and what is wrong.
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let Some(file) = file_alone(&error) else { error.exit() };
            let message =
                format!("a configuration is given by '-c {file}', not by '{file}' alone\n");
            clap::Error::raw(error.kind(), message).exit()
        })
    }

    /// `--drain-time-s`, default 600.
    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_time_s.unwrap_or(600))
    }

    /// The options given that have no meaning here, with the reason.
    pub fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
        const HOT_RESTART: &str = "ringmain has no hot restart; start the new process beside the old \
                                   one (listeners use SO_REUSEPORT) and send the old one SIGTERM";
        const LOGGING: &str = "ringmain's own log has a fixed form; see --log-form";
        const DYNAMIC: &str = "ringmain has no dynamic configuration from a management server";
        const NOT_HERE: &str = "it has no counterpart here";
        [
            (self.base_id.is_some(), "--base-id", HOT_RESTART),
            (self.use_dynamic_base_id, "--use-dynamic-base-id", HOT_RESTART),
            (self.base_id_path.is_some(), "--base-id-path", HOT_RESTART),
            (self.socket_path.is_some(), "--socket-path", HOT_RESTART),
            (self.socket_mode.is_some(), "--socket-mode", HOT_RESTART),
            (self.parent_shutdown_time_s.is_some(), "--parent-shutdown-time-s", HOT_RESTART),
            (self.log_format.is_some(), "--log-format", LOGGING),
            (self.log_format_escaped, "--log-format-escaped", LOGGING),
            (self.enable_fine_grain_logging, "--enable-fine-grain-logging", LOGGING),
            (self.reject_unknown_dynamic_fields, "--reject-unknown-dynamic-fields", DYNAMIC),
            (self.ignore_unknown_dynamic_fields, "--ignore-unknown-dynamic-fields", DYNAMIC),
            (self.local_address_ip_version.is_some(), "--local-address-ip-version", NOT_HERE),
            (self.enable_core_dump, "--enable-core-dump", NOT_HERE),
            (self.enable_mutex_tracing, "--enable-mutex-tracing", "workers share no lock"),
            (self.disable_extensions.is_some(), "--disable-extensions", NOT_HERE),
            (!self.stats_tag.is_empty(), "--stats-tag", NOT_HERE),
        ]
        .into_iter()
        .filter_map(|(given, name, reason)| given.then_some((name, reason)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envoy_unit_files_options_are_taken() {
        let args = Args::try_parse_from([
            "ringmain",
            "-c",
            "envoy.yaml",
            "--service-cluster",
            "edge",
            "--service-node",
            "n1",
            "--concurrency",
            "2",
            "-l",
            "warn",
            "--base-id",
            "7",
            "--drain-time-s",
            "30",
            "--parent-shutdown-time-s",
            "60",
            "--disable-hot-restart",
        ])
        .expect("legal");
        assert_eq!(args.concurrency, Some(2));
        assert_eq!(args.log_level, LogLevel::Warning);
        let named: Vec<&str> = args.without_effect().iter().map(|(name, _)| *name).collect();
        assert_eq!(named, ["--base-id", "--parent-shutdown-time-s"]);
    }

    #[test]
    fn cpu_lists_are_numbers_and_ranges() {
        assert_eq!("0-2,5".parse(), Ok(CpuList(vec![0, 1, 2, 5])));
        assert!("2-1".parse::<CpuList>().is_err());
        assert!("x".parse::<CpuList>().is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}

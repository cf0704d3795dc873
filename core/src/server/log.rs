//! The process' own log, and its levels by component.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::sync::Mutex;

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{Args, LogForm, LogLevel};

/// Envoy's loggers that have a counterpart here, and the modules whose lines they are.
const LOGGERS: [(&str, &[&str]); 12] = [
    ("admin", &["ringmain::admin"]),
    ("config", &["ringmain_config"]),
    ("conn_handler", &["ringmain::listener"]),
    ("dns", &["ringmain::discovery", "hickory_resolver", "hickory_proto"]),
    ("file", &["ringmain::access_log"]),
    ("http", &["ringmain::http"]),
    ("io", &["ringmain::runtime"]),
    ("main", &["ringmain::server"]),
    ("pool", &["ringmain::pool"]),
    ("router", &["ringmain::router"]),
    ("stats", &["ringmain::stats"]),
    ("upstream", &["ringmain::cluster", "ringmain::load_balancer"]),
];

/// The HTTP/2 crate. What it warns of, any peer can bring about as often as it likes, so its warnings are
/// shown from `debug` on.
const HTTP2_CRATE: &str = "h2";

/// The level of each logger, which admin `/logging` shows and changes.
#[derive(Debug)]
pub struct LogLevels {
    /// Only admin's tasks on the control thread take it; who logs asks `filter`.
    levels: Mutex<Levels>,
    filter: reload::Handle<Targets, Registry>,
}

/// Why levels cannot be changed, as Envoy says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// No such level.
    #[error("error: unknown logger level")]
    UnknownLevel,
    /// No such logger.
    #[error("error: unknown logger name")]
    UnknownLogger,
    /// `name:` or `:level`.
    #[error("error: empty logger name or empty logger level")]
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Levels([LogLevel; LOGGERS.len()]);

impl Levels {
    fn all(level: LogLevel) -> Self {
        Self([level; LOGGERS.len()])
    }

    /// `name:level,name:level`.
    fn set_list(&mut self, list: &str) -> Result<(), LevelError> {
        let mut changed = *self;
        for item in list.split(',') {
            let (name, level) = item.split_once(':').ok_or(LevelError::Empty)?;
            changed.set(name.trim(), level.trim())?;
        }
        *self = changed;
        Ok(())
    }

    fn set(&mut self, name: &str, level: &str) -> Result<(), LevelError> {
        if name.is_empty() || level.is_empty() {
            return Err(LevelError::Empty);
        }
        let level = LogLevel::named(level).ok_or(LevelError::UnknownLevel)?;
        let index = LOGGERS.iter().position(|(logger, _)| *logger == name);
        self.0[index.ok_or(LevelError::UnknownLogger)?] = level;
        Ok(())
    }

    /// What no logger stands for is shown from `others` on.
    fn filter(&self, others: LogLevel) -> Targets {
        let http2 = match others {
            LogLevel::Info | LogLevel::Warning => LogLevel::Error,
            _ => others,
        };
        let mut targets =
            Targets::new().with_default(filter(others)).with_target(HTTP2_CRATE, filter(http2));
        for ((_, modules), level) in LOGGERS.iter().zip(self.0) {
            for module in *modules {
                targets = targets.with_target(*module, filter(level));
            }
        }
        targets
    }
}

impl LogLevels {
    /// `/logging?level=`.
    pub fn set_all(&self, level: &str) -> Result<(), LevelError> {
        let level = LogLevel::named(level).ok_or(LevelError::UnknownLevel)?;
        self.change(|levels| {
            *levels = Levels::all(level);
            Ok(())
        })
    }

    /// `/logging?paths=name:level,...`, and `--component-log-level`.
    pub fn set_list(&self, list: &str) -> Result<(), LevelError> {
        self.change(|levels| levels.set_list(list))
    }

    /// `/logging?<name>=<level>`.
    pub fn set(&self, name: &str, level: &str) -> Result<(), LevelError> {
        self.change(|levels| levels.set(name, level))
    }

    fn change(
        &self,
        act: impl FnOnce(&mut Levels) -> Result<(), LevelError>,
    ) -> Result<(), LevelError> {
        let mut levels = self.levels.lock().expect("changing levels does not panic");
        let before = *levels;
        act(&mut levels)?;
        if *levels != before {
            // The level of all is that of the lines that no logger stands for.
            let others = levels.0[0];
            let same = levels.0.iter().all(|level| *level == others);
            let others = if same { others } else { LogLevel::Info };
            // The subscriber lives as long as the process.
            let _applied = self.filter.reload(levels.filter(others));
        }
        Ok(())
    }

    /// Every logger and its level.
    pub fn list(&self) -> Vec<(&'static str, &'static str)> {
        let levels = *self.levels.lock().expect("changing levels does not panic");
        LOGGERS.iter().zip(levels.0).map(|((name, _), level)| (*name, level.name())).collect()
    }
}

/// Sends the log where `args` say. Call once.
pub fn start(args: &Args) -> io::Result<LogLevels> {
    let (writer, colours) = match &args.log_path {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            (BoxMakeWriter::new(file), false)
        }
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let levels = Levels::all(args.log_level);
    let (filter, handle) = reload::Layer::new(levels.filter(args.log_level));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours).with_target(false);
    let subscriber = tracing_subscriber::registry().with(filter);
    match args.log_form {
        LogForm::Text => subscriber.with(lines).init(),
        LogForm::Json => subscriber.with(lines.json().flatten_event(true)).init(),
    }
    let levels = LogLevels { levels: Mutex::new(levels), filter: handle };
    if let Some(list) = &args.component_log_level
        && let Err(error) = levels.set_list(list)
    {
        tracing::warn!("--component-log-level {list}: {error}");
    }
    Ok(levels)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_levels_is_taken_whole_or_not_at_all() {
        let mut levels = Levels::all(LogLevel::Info);
        assert_eq!(levels.set_list("upstream:debug,http:off"), Ok(()));
        let changed = levels;
        assert_eq!(levels.set_list("admin:debug,nosuch:debug"), Err(LevelError::UnknownLogger));
        assert_eq!(levels.set_list("admin:debug,http:loud"), Err(LevelError::UnknownLevel));
        assert_eq!(levels.set_list("admin"), Err(LevelError::Empty));
        assert_eq!(levels, changed);
        let filter = levels.filter(LogLevel::Info);
        assert!(filter.would_enable("ringmain::cluster", &tracing::Level::DEBUG));
        assert!(!filter.would_enable("ringmain::http", &tracing::Level::ERROR));
        assert!(!filter.would_enable("ringmain::admin", &tracing::Level::DEBUG));
    }
}

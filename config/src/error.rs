//! What a user is told about a configuration: diagnostics with file, line, column, path and cure.

use std::fmt::{self, Display, Formatter};

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration is used, and something about it deserves a look.
    Warning,
}

/// One finding about a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// The file, or the name of the fragment, as given to [`load`](crate::load).
    pub file: String,
    /// Line, from 1; 0 where the finding has no place in the text.
    pub line: usize,
    /// Column in characters, from 1; 0 where the finding has no place in the text.
    pub column: usize,
    /// The full path of the field, such as `static_resources.listeners[0].address`; empty for the
    /// file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would cure it, where that is known.
    pub help: Option<String>,
}

impl Display for Diagnostic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line != 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        match self.severity {
            Severity::Error => write!(f, " error: {}", self.message)?,
            Severity::Warning => write!(f, " warning: {}", self.message)?,
        }
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Why a configuration cannot be used. Holds at least one error, and the warnings found on the way.
#[derive(Debug, Clone, thiserror::Error)]
pub struct LoadError {
    /// In the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Errors beyond those listed; a file of another kind would otherwise yield thousands.
    pub errors_not_listed: usize,
}

impl Display for LoadError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        match self.errors_not_listed {
            0 => Ok(()),
            more => write!(f, "\nand {more} more errors"),
        }
    }
}

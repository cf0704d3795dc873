//! Collects findings by field path, so that one run tells all that is wrong.
//!
//! Each stage walks the configuration with an [`At`], a linked list of path steps that lives on the
//! stack: going down costs nothing, and only a finding turns it into a [`Path`].

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

use prost_reflect::DescriptorPool;

pub(crate) use crate::error::Severity;
use crate::matcher::Regexes;
use crate::runtime::{Runtime, RuntimeReader};
use crate::schema;

/// Errors listed in one run; further ones are counted.
pub(crate) const ERRORS_LISTED_MAX: usize = 50;
/// Warnings listed in one run; further ones are dropped.
const WARNINGS_LISTED_MAX: usize = 50;

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A field, as written in the file or in snake case.
    Field(String),
    /// An element of a list.
    Index(usize),
    /// An entry of a map.
    Key(String),
}

/// The way from the root to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if index == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[\"{key}\"]")?,
            }
        }
        Ok(())
    }
}

/// Which part of a path's last step a finding points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The key.
    Key,
    /// The key where it stands for the second time.
    SecondKey,
    /// The value.
    Value,
    /// A character of the text that is the value, from 0.
    Character(usize),
}

/// Something found at a path, not yet at a place in the text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) path: Path,
    pub(crate) anchor: Anchor,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) can_be_ignored: bool,
}

/// The findings of a stage.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: RefCell<Vec<Finding>>,
    errors: Cell<usize>,
    warnings: Cell<usize>,
    warned: RefCell<HashSet<String>>,
    /// For who reads further files; decoded once, and gone with the report.
    schema: OnceCell<DescriptorPool>,
    runtime: OnceCell<RuntimeReader>,
    regexes: Regexes,
}

impl Report {
    /// The root of every path.
    pub(crate) fn root(&self) -> At<'_> {
        At { report: self, parent: None, step: AtStep::Root }
    }

    /// The errors so far, listed or not.
    pub(crate) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// The findings, and how many errors are not among them.
    pub(crate) fn into_findings(self) -> (Vec<Finding>, usize) {
        (self.findings.into_inner(), self.errors.get().saturating_sub(ERRORS_LISTED_MAX))
    }

    /// The findings of this severity in one line, each with its path.
    pub(crate) fn text_of(&self, severity: Severity) -> String {
        let findings = self.findings.borrow();
        let wanted = findings.iter().filter(|finding| finding.severity == severity);
        let lines: Vec<String> =
            wanted.map(|finding| format!("{}: {}", finding.path, finding.message)).collect();
        lines.join("; ")
    }

    /// Reports what is wrong with the field at `path`, which no walk has led to.
    pub(crate) fn error_at_path(&self, path: Path, message: &str) {
        self.errors.set(self.errors.get() + 1);
        self.findings.borrow_mut().push(Finding {
            severity: Severity::Error,
            path,
            anchor: Anchor::Key,
            message: message.to_owned(),
            help: None,
            can_be_ignored: false,
        });
    }

    fn add(&self, at: &At<'_>, severity: Severity, anchor: Anchor, note: Note) {
        let (count, limit) = match severity {
            Severity::Error => (&self.errors, ERRORS_LISTED_MAX),
            Severity::Warning => (&self.warnings, WARNINGS_LISTED_MAX),
        };
        count.set(count.get() + 1);
        if count.get() <= limit {
            let Note { message, help, character, can_be_ignored } = note;
            let (path, anchor) = (at.path(), character.map_or(anchor, Anchor::Character));
            let finding = Finding { severity, path, anchor, message, help, can_be_ignored };
            self.findings.borrow_mut().push(finding);
        }
    }
}

/// What a finding says: a message, and perhaps a cure.
#[derive(Debug)]
pub(crate) struct Note {
    message: String,
    help: Option<String>,
    character: Option<usize>,
    can_be_ignored: bool,
}

impl Note {
    /// Says that an extension is lacking.
    pub(crate) fn typed_config_required() -> Self {
        let help = "write typed_config: { \"@type\": type.googleapis.com/envoy..., ... }";
        Self::from("'typed_config' is required").help(help)
    }

    /// Says that the user may have it ignored.
    pub(crate) fn can_be_ignored(mut self) -> Self {
        self.can_be_ignored = true;
        self
    }

    /// Adds the cure.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.help_if_known(Some(help.into()))
    }

    /// Adds the cure, where one is known.
    pub(crate) fn help_if_known(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Points to a character of the value, counted from 0, instead of all of it.
    pub(crate) fn at_character(mut self, character: usize) -> Self {
        self.character = Some(character);
        self
    }
}

impl<T: Into<String>> From<T> for Note {
    fn from(message: T) -> Self {
        Self { message: message.into(), help: None, character: None, can_be_ignored: false }
    }
}

#[derive(Debug, Clone, Copy)]
enum AtStep<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

/// Where a stage is in the configuration, and where it reports what it finds there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    report: &'a Report,
    parent: Option<&'a At<'a>>,
    step: AtStep<'a>,
}

impl<'a> At<'a> {
    /// Down into a field.
    pub(crate) fn field(&'a self, name: &'a str) -> At<'a> {
        self.child(AtStep::Field(name))
    }

    /// Down into an element of a list.
    pub(crate) fn index(&'a self, index: usize) -> At<'a> {
        self.child(AtStep::Index(index))
    }

    /// Down into an entry of a map.
    pub(crate) fn key(&'a self, key: &'a str) -> At<'a> {
        self.child(AtStep::Key(key))
    }

    fn child(&'a self, step: AtStep<'a>) -> At<'a> {
        At { report: self.report, parent: Some(self), step }
    }

    /// The path from the root.
    pub(crate) fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(here) = at {
            match here.step {
                AtStep::Root => {}
                AtStep::Field(name) => steps.push(Step::Field(name.to_owned())),
                AtStep::Index(index) => steps.push(Step::Index(index)),
                AtStep::Key(key) => steps.push(Step::Key(key.to_owned())),
            }
            at = here.parent;
        }
        steps.reverse();
        Path(steps)
    }

    /// Envoy's schema.
    pub(crate) fn schema(&self) -> &DescriptorPool {
        self.report.schema.get_or_init(schema::decode)
    }

    /// What `layered_runtime` says, nothing until it was read.
    pub(crate) fn runtime(&self) -> &RuntimeReader {
        self.report.runtime.get_or_init(RuntimeReader::default)
    }

    /// Has all that is read from now on find `runtime`.
    pub(crate) fn set_runtime(&self, runtime: Runtime) {
        let first = self.report.runtime.set(RuntimeReader::new(runtime));
        debug_assert!(first.is_ok(), "the runtime is read before all that may ask for it");
    }

    /// The regexes read so far.
    pub(crate) fn regexes(&self) -> &Regexes {
        &self.report.regexes
    }

    /// Reports a bad value.
    pub(crate) fn error(&self, note: impl Into<Note>) {
        self.report.add(self, Severity::Error, Anchor::Value, note.into());
    }

    /// Reports a field that must not be there.
    pub(crate) fn error_at_key(&self, note: impl Into<Note>) {
        self.report.add(self, Severity::Error, Anchor::Key, note.into());
    }

    /// Reports a field that is there twice.
    pub(crate) fn error_at_second_key(&self, note: impl Into<Note>) {
        self.report.add(self, Severity::Error, Anchor::SecondKey, note.into());
    }

    /// Reports a field that deserves a look.
    pub(crate) fn warn(&self, note: impl Into<Note>) {
        self.report.add(self, Severity::Warning, Anchor::Key, note.into());
    }

    /// The same, unless a warning of this `topic` was given already.
    pub(crate) fn warn_once(&self, topic: &str, note: impl Into<Note>) {
        if self.report.warned.borrow_mut().insert(topic.to_owned()) {
            self.warn(note);
        }
    }
}

/// Typing errors beyond which a long word is another one, such as the name of another extension.
const DISTANCE_MAX: usize = 4;

/// `; did you mean 'x'?` for the candidate nearest to `word`, if one is near.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<String> {
    // Typing errors are few: one in a short word, a third of the letters in a longer one.
    let distance_max = (word.chars().count() / 3).clamp(1, DISTANCE_MAX);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| format!("did you mean '{candidate}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_like_the_users_file() {
        let report = Report::default();
        let root = report.root();
        let (listeners, options) = (root.field("listeners"), root.field("options"));
        let first = listeners.index(0);
        assert_eq!(first.field("name").path().to_string(), "listeners[0].name");
        let entry = options.key("a.b");
        assert_eq!(entry.field("x").path().to_string(), "options[\"a.b\"].x");
        assert_eq!(root.path().to_string(), "");
    }

    #[test]
    fn lists_fifty_errors_and_counts_the_rest() {
        let report = Report::default();
        for index in 0..60 {
            report.root().index(index).error("bad");
        }
        let (findings, more) = report.into_findings();
        assert_eq!((findings.len(), more), (50, 10));
    }

    #[test]
    fn suggests_near_names_only() {
        let names = ["prefix", "path", "safe_regex"];
        let suggestion = |word| did_you_mean(word, names.into_iter());
        assert_eq!(suggestion("prefx").as_deref(), Some("did you mean 'prefix'?"));
        assert_eq!(suggestion("pahts").as_deref(), None);
        assert_eq!(suggestion("cluster"), None);
    }
}

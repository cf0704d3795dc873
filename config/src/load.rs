//! From text to model: the stages in order, and the places of what they find.

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

use crate::bootstrap::Bootstrap;
use crate::check::check;
use crate::dump::dump;
use crate::error::{Diagnostic, LoadError, Severity};
use crate::place::{Place, locate};
use crate::report::{Anchor, Finding, Path, Report, Step};
use crate::schema;
use crate::support::Gate;
use crate::{text, wire};

/// The name under which the overlay's diagnostics are given.
const OVERLAY: &str = "--config-yaml";

/// What the user lets pass, and what is laid over the file.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Paths of fields that Envoy knows and ringmain does not support, which are to be ignored with a
    /// warning. A path stands for all that is below it too.
    pub allow_unsupported: Vec<String>,
    /// Whether fields that Envoy does not know are ignored with a warning
    /// (`--allow-unknown-static-fields`).
    pub allow_unknown_fields: bool,
    /// A second configuration (`--config-yaml`), merged over the first: its single values win, and
    /// its lists are appended.
    pub overlay: Option<String>,
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub bootstrap: Bootstrap,
    /// The configuration as JSON, as written and without secrets; absent without `admin`, which is
    /// who shows it.
    pub dump: Option<String>,
    /// What deserves a look, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Reads an Envoy bootstrap, YAML or JSON. `origin` names it in diagnostics. Files that the
/// configuration names (`direct_response.body.filename`) are read too.
pub fn load(origin: &str, text: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let mut loading =
        Loading { pool: schema::decode(), diagnostics: Vec::new(), errors_not_listed: 0 };
    let base = loading.read(origin, text, options);
    let overlay = options.overlay.as_ref().map(|overlay| loading.read(OVERLAY, overlay, options));
    loading.stop_on_errors()?;

    let mut message = base;
    let mut sources = Sources { origin, text, overlay: None };
    if let (Some(text), Some(overlay)) = (&options.overlay, overlay) {
        sources.overlay = Some(Overlay { text, base: message.clone() });
        merge(&mut message, overlay);
    }

    let report = Report::default();
    let gate = Gate { allow_unsupported: &options.allow_unsupported };
    for path in check(&message, gate, &report.root()) {
        wire::clear(&mut message, &path.0);
    }
    loading.take(report, &sources);
    loading.stop_on_errors()?;

    let report = Report::default();
    let bootstrap = match wire::typed(&message) {
        Ok(bootstrap) => Some(Bootstrap::from_wire(&bootstrap, &report.root())),
        Err(_) => {
            report.root().error("nested too deeply");
            None
        }
    };
    loading.take(report, &sources);
    let bootstrap = loading.stop_on_errors().map(|()| bootstrap)?;
    let warnings = loading.sorted();
    let bootstrap = bootstrap.expect("without errors there is a bootstrap");
    let dump = bootstrap.admin.is_some().then(|| dump(message));
    Ok(Loaded { bootstrap, dump, warnings })
}

/// Lays `overlay` over `message` as protobuf merges messages: what is set wins, lists grow.
fn merge(message: &mut DynamicMessage, overlay: DynamicMessage) {
    for (field, value) in overlay.fields() {
        let had = message.has_field(&field);
        match (message.get_field_mut(&field), value) {
            (Value::List(items), Value::List(more)) => items.extend(more.iter().cloned()),
            (Value::Map(entries), Value::Map(more)) => {
                entries.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            (Value::Message(inner), Value::Message(more))
                if had && more.descriptor().full_name() != "google.protobuf.Any" =>
            {
                merge(inner, more.clone());
            }
            (place, value) => *place = value.clone(),
        }
    }
}

/// The diagnostics so far.
struct Loading {
    pool: DescriptorPool,
    diagnostics: Vec<Diagnostic>,
    errors_not_listed: usize,
}

impl Loading {
    fn read(&mut self, origin: &str, text: &str, options: &LoadOptions) -> DynamicMessage {
        let descriptor = schema::message(&self.pool, schema::BOOTSTRAP);
        match text::read(text, &descriptor, options.allow_unknown_fields) {
            Ok((message, report)) => {
                self.take(report, &Sources { origin, text, overlay: None });
                message
            }
            Err(error) => {
                let place = error.place.unwrap_or(Place { line: 0, column: 0 });
                self.diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    file: origin.to_owned(),
                    line: place.line,
                    column: place.column,
                    path: String::new(),
                    message: error.message,
                    help: None,
                });
                DynamicMessage::new(descriptor)
            }
        }
    }

    fn take(&mut self, report: Report, sources: &Sources<'_>) {
        let (findings, errors_not_listed) = report.into_findings();
        self.errors_not_listed += errors_not_listed;
        self.diagnostics.extend(findings.into_iter().map(|finding| sources.diagnose(finding)));
    }

    fn stop_on_errors(&mut self) -> Result<(), LoadError> {
        if self.diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
            return Ok(());
        }
        Err(LoadError { diagnostics: self.sorted(), errors_not_listed: self.errors_not_listed })
    }

    fn sorted(&mut self) -> Vec<Diagnostic> {
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        diagnostics.sort_by_key(|diagnostic| {
            (diagnostic.file == OVERLAY, diagnostic.line, diagnostic.column)
        });
        diagnostics
    }
}

/// The texts that a finding may come from.
struct Sources<'a> {
    origin: &'a str,
    text: &'a str,
    overlay: Option<Overlay<'a>>,
}

struct Overlay<'a> {
    text: &'a str,
    /// The message before the overlay was merged over it.
    base: DynamicMessage,
}

impl Sources<'_> {
    fn diagnose(&self, finding: Finding) -> Diagnostic {
        let Finding { severity, path, anchor, message, help } = finding;
        let (file, place, path) = self.locate(path, anchor);
        let path = path.to_string();
        let Place { line, column } = place;
        Diagnostic { severity, file: file.to_owned(), line, column, path, message, help }
    }

    /// Where `path` is, and what it is there: an element that the overlay appended has another
    /// index in the overlay itself.
    fn locate(&self, path: Path, anchor: Anchor) -> (&str, Place, Path) {
        if let Some(overlay) = &self.overlay
            && let Some(path) = overlay.path(&path)
            && let (place, true) = locate(overlay.text, &path, anchor)
        {
            return (OVERLAY, place, path);
        }
        let (place, _) = locate(self.text, &path, anchor);
        (self.origin, place, path)
    }
}

impl Overlay<'_> {
    /// The path within the overlay, if the value may come from there.
    fn path(&self, path: &Path) -> Option<Path> {
        let Some(position) = path.0.iter().position(|step| matches!(step, Step::Index(_))) else {
            return Some(path.clone());
        };
        let Step::Index(index) = path.0[position] else { return None };
        let mut steps = path.0.clone();
        steps[position] = Step::Index(index.checked_sub(self.base_items(&path.0[..position]))?);
        Some(Path(steps))
    }

    /// How many elements the list at `steps` has without the overlay.
    fn base_items(&self, steps: &[Step]) -> usize {
        let mut value = Value::Message(self.base.clone());
        for step in steps {
            let Step::Field(name) = step else { return 0 };
            let inner = value.as_message().and_then(|message| message.get_field_by_name(name));
            let Some(inner) = inner.map(|inner| inner.into_owned()) else { return 0 };
            value = inner;
        }
        value.as_list().map_or(0, <[Value]>::len)
    }
}

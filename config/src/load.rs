//! From text to model: the stages in order, and the places of what they find.

use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};

use crate::bootstrap::Bootstrap;
use crate::check::check;
use crate::dump::dump;
use crate::effective::effective;
use crate::error::{Diagnostic, Excerpt, LoadError, Severity};
use crate::place::{Lines, Located, Place, locate};
use crate::report::{Anchor, ERRORS_LISTED_MAX, Finding, Note, Path, Report, Step};
use crate::schema;
use crate::support::Gate;
use crate::text::{Document, Opened, SyntaxError};
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
    /// What deserves a look, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Reads an Envoy bootstrap: JSON where `origin`, which names it in diagnostics, ends in `.json`, or
/// else YAML. Files that the configuration names (`direct_response.body.filename`) are read too.
pub fn load(origin: &str, text: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let (_, bootstrap, warnings) = load_message(origin, text, options)?;
    Ok(Loaded { bootstrap, warnings })
}

/// The text of a file: UTF-8, or an error that tells the place of what is not.
pub fn decode(origin: &str, bytes: Vec<u8>) -> Result<String, LoadError> {
    String::from_utf8(bytes).map_err(|error| {
        let (good, bad) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let text = String::from_utf8_lossy(error.as_bytes());
        let lines = Lines::new(&text);
        let place = lines.place(good.len());
        let byte = bad.first().copied().unwrap_or_default();
        let fault = SyntaxError::at(place, format!("the byte 0x{byte:02X} is not UTF-8 text"));
        LoadError { diagnostics: vec![diagnostic(origin, &lines, fault)], errors_not_listed: 0 }
    })
}

fn diagnostic(origin: &str, lines: &Lines<'_>, fault: SyntaxError) -> Diagnostic {
    let SyntaxError { place, path, message, help } = fault;
    let Place { line, column } = lines.within(place);
    Diagnostic {
        severity: Severity::Error,
        file: origin.to_owned(),
        line,
        column,
        end_column: column,
        path: path.to_string(),
        message,
        help,
        can_be_ignored: false,
        excerpt: Excerpt::of(lines.line(line), column),
    }
}

/// Reads an Envoy bootstrap as [`load`] does, and writes it as JSON: what is set, as it is set, without
/// secrets.
pub fn written_json(origin: &str, text: &str, options: &LoadOptions) -> Result<String, LoadError> {
    let (checked, _) = read_checked(origin, text, options)?;
    Ok(dump(checked.message))
}

/// Reads an Envoy bootstrap as [`load`] does, and writes it as YAML with Envoy's defaults filled in and
/// without secrets. Beside it comes what deserves a look.
pub fn effective_yaml(
    origin: &str,
    text: &str,
    options: &LoadOptions,
) -> Result<(String, Vec<Diagnostic>), LoadError> {
    let (message, _, warnings) = load_message(origin, text, options)?;
    Ok((effective(message), warnings))
}

fn load_message(
    origin: &str,
    text: &str,
    options: &LoadOptions,
) -> Result<(DynamicMessage, Bootstrap, Vec<Diagnostic>), LoadError> {
    let (checked, mut loading) = read_checked(origin, text, options)?;
    let report = Report::default();
    let bootstrap = match wire::typed(&checked.message) {
        Ok(bootstrap) => Some(Bootstrap::from_wire(&bootstrap, &report.root())),
        Err(_) => {
            report.error_at_path(wire::deepest(&checked.message), "nested too deeply");
            None
        }
    };
    loading.take(report, &checked.sources);
    loading.stop_on_errors()?;
    let warnings = loading.sorted();
    let bootstrap = bootstrap.expect("without errors there is a bootstrap");
    Ok((checked.message, bootstrap, warnings))
}

/// A message that passed the rules and the gate, and where it came from.
struct Checked<'a> {
    message: DynamicMessage,
    sources: Sources<'a>,
}

fn read_checked<'a>(
    origin: &'a str,
    text: &'a str,
    options: &'a LoadOptions,
) -> Result<(Checked<'a>, Loading), LoadError> {
    let mut loading = Loading::default();
    let pool = schema::decode();
    let descriptor = schema::message(&pool, schema::BOOTSTRAP);
    let mut opened = Opened::default();
    let base = loading.read(Source::new(origin, text), &descriptor, &mut opened, options);
    let overlay = options
        .overlay
        .as_ref()
        .map(|text| loading.read(Source::new(OVERLAY, text), &descriptor, &mut opened, options));
    loading.stop_on_errors()?;
    let (source, mut message) = base;
    let mut sources = Sources { base: source, overlay: None };
    if let Some((source, more)) = overlay {
        sources.overlay = Some(Overlay { source, base: message.clone() });
        merge(&mut message, more);
    }

    let report = Report::default();
    let gate = Gate::new(&options.allow_unsupported);
    for path in check(&message, &opened, &gate, &report.root()) {
        wire::clear(&mut message, &path.0);
    }
    for path in gate.unused() {
        let note = Note::from(format!("--allow-unsupported: nothing is refused at '{path}'"));
        report.root().warn(note.help("remove it from the command line"));
    }
    loading.take(report, &sources);
    loading.stop_on_errors()?;
    Ok((Checked { message, sources }, loading))
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
#[derive(Default)]
struct Loading {
    diagnostics: Vec<Diagnostic>,
    errors_not_listed: usize,
}

impl Loading {
    /// Reads one text. Without a document there is an error.
    fn read<'a>(
        &mut self,
        mut source: Source<'a>,
        descriptor: &MessageDescriptor,
        opened: &mut Opened,
        options: &LoadOptions,
    ) -> (Source<'a>, DynamicMessage) {
        match Document::parse(source.lines.text(), source.origin.ends_with(".json")) {
            Ok(document) => {
                let read = text::read(&document, descriptor, options.allow_unknown_fields);
                source.document = Some(document);
                opened.extend(read.opened);
                self.take_from(read.report, |finding| source.locate(&finding.path, finding.anchor));
                (source, read.message)
            }
            Err(fault) => {
                self.diagnostics.push(diagnostic(source.origin, &source.lines, fault));
                (source, DynamicMessage::new(descriptor.clone()))
            }
        }
    }

    fn take(&mut self, report: Report, sources: &Sources<'_>) {
        self.take_from(report, |finding| sources.locate(finding));
    }

    fn take_from<'a>(
        &mut self,
        report: Report,
        mut locate: impl FnMut(&mut Finding) -> (Located, &'a Source<'a>),
    ) {
        let (findings, errors_not_listed) = report.into_findings();
        self.errors_not_listed += errors_not_listed;
        for mut finding in findings {
            let (Located { place, width, .. }, source) = locate(&mut finding);
            let Place { line, column } = place;
            self.diagnostics.push(Diagnostic {
                severity: finding.severity,
                file: source.origin.to_owned(),
                line,
                column,
                end_column: column + width,
                path: finding.path.to_string(),
                message: finding.message,
                help: finding.help,
                can_be_ignored: finding.can_be_ignored,
                excerpt: Excerpt::of(source.lines.line(line), column),
            });
        }
    }

    fn stop_on_errors(&mut self) -> Result<(), LoadError> {
        if self.diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
            return Ok(());
        }
        let mut diagnostics = self.sorted();
        let mut errors = 0;
        diagnostics.retain(|diagnostic| {
            errors += usize::from(diagnostic.severity == Severity::Error);
            diagnostic.severity != Severity::Error || errors <= ERRORS_LISTED_MAX
        });
        let errors_not_listed = self.errors_not_listed + errors.saturating_sub(ERRORS_LISTED_MAX);
        Err(LoadError { diagnostics, errors_not_listed })
    }

    fn sorted(&mut self) -> Vec<Diagnostic> {
        let mut diagnostics = std::mem::take(&mut self.diagnostics);
        diagnostics.sort_by_key(|told| (told.file == OVERLAY, told.line, told.column));
        diagnostics
    }
}

/// A text, and its tree once it is read.
struct Source<'a> {
    origin: &'a str,
    lines: Lines<'a>,
    document: Option<Document<'a>>,
}

impl<'a> Source<'a> {
    fn new(origin: &'a str, text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { origin, lines: Lines::new(text), document: None }
    }

    fn locate(&self, path: &Path, anchor: Anchor) -> (Located, &Self) {
        let document = self.document.as_ref().expect("what was found in a text was read from it");
        let located = locate(document, &self.lines, path, anchor);
        (Located { place: self.lines.within(located.place), ..located }, self)
    }
}

/// The texts that a finding may come from.
struct Sources<'a> {
    base: Source<'a>,
    overlay: Option<Overlay<'a>>,
}

struct Overlay<'a> {
    source: Source<'a>,
    /// The message before the overlay was merged over it.
    base: DynamicMessage,
}

impl<'a> Sources<'a> {
    /// Where a finding is, and in which text. Its path becomes what it is there: an element that the
    /// overlay appended has another index in the overlay itself.
    fn locate(&self, finding: &mut Finding) -> (Located, &Source<'a>) {
        if let Some(overlay) = &self.overlay
            && let Some(path) = overlay.path(&finding.path)
            && let (located @ Located { whole: true, .. }, source) =
                overlay.source.locate(&path, finding.anchor)
        {
            finding.path = path;
            return (located, source);
        }
        self.base.locate(&finding.path, finding.anchor)
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

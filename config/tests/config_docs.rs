//! `docs/config.md` and `docs/config-refused.md` tell what the support table says of Envoy's schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use ringmain_config::{Schema, Support, default_values, supported_fields, supported_messages};

/// What a mark begins with; the rest of its line is for the reader.
const BEGIN: &str = "test config_docs` -->\n";
const END: &str = "<!-- end -->\n";

/// A row for each message: its fields, their defaults, and what of them is supported.
fn supported_table() -> String {
    let schema = Schema::decode();
    let defaults = default_values();
    let messages = supported_messages().into_iter().map(|message| (message, Vec::new()));
    let mut messages: BTreeMap<&str, Vec<String>> = messages.collect();
    for (message, field, support) in supported_fields() {
        let mut text = format!("`{field}`");
        let default = defaults.get(&(message.to_owned(), field.to_owned())).cloned();
        if *support != Support::Harmless
            && let Some(default) = default.or_else(|| schema.first_value(message, field))
        {
            write!(text, " = {default}").expect("memory");
        }
        match support {
            Support::Supported => {}
            Support::Harmless => text.push_str(" *warns*"),
            Support::Limited(values) => {
                write!(text, " [{}]", values.join(", ")).expect("memory");
            }
        }
        messages.entry(message).or_default().push(text);
    }
    let mut table = String::from("\n| message | fields |\n| --- | --- |\n");
    for (message, fields) in messages {
        let fields = if fields.is_empty() { "no fields".to_owned() } else { fields.join(", ") };
        writeln!(table, "| `{message}` | {fields} |").expect("memory");
    }
    table.push('\n');
    table
}

/// A row for each supported message of Envoy's of which something is refused.
fn refused_fields() -> String {
    let schema = Schema::decode();
    let supported = supported_messages().into_iter().map(|message| (message, BTreeSet::new()));
    let mut supported: BTreeMap<&str, BTreeSet<&str>> = supported.collect();
    for (message, field, _) in supported_fields() {
        supported.entry(message).or_default().insert(field);
    }
    let mut table = String::from("\n| message | refused fields |\n| --- | --- |\n");
    for (message, fields) in supported {
        let refused = schema.fields(message);
        let refused = refused.iter().filter(|field| !fields.contains(field.as_str()));
        let refused: Vec<_> = refused.map(|field| format!("`{field}`")).collect();
        if !refused.is_empty() {
            writeln!(table, "| `{message}` | {} |", refused.join(", ")).expect("memory");
        }
    }
    table.push('\n');
    table
}

/// A row for each kind of extension: those of which no message is supported.
fn refused_extensions() -> String {
    let supported: BTreeSet<_> = supported_messages().into_iter().filter_map(extension).collect();
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in Schema::decode().messages() {
        if let Some((kind, name)) = extension(&message)
            && !supported.contains(&(kind.clone(), name.clone()))
        {
            kinds.entry(kind).or_default().insert(format!("`{name}`"));
        }
    }
    let mut table = String::from("\n| kind | refused extensions |\n| --- | --- |\n");
    for (kind, names) in kinds {
        let names: Vec<_> = names.into_iter().collect();
        writeln!(table, "| `{kind}` | {} |", names.join(", ")).expect("memory");
    }
    table.push('\n');
    table
}

/// Kind and name of the extension that a message configures: `filters.http` and `lua`.
fn extension(message: &str) -> Option<(String, String)> {
    let path = message.strip_prefix("envoy.extensions.")?;
    let (package, _) = path.split_once(".v3.")?;
    let (kind, name) = package.rsplit_once('.')?;
    Some((kind.to_owned(), name.to_owned()))
}

/// Compares the marked parts of a document of `docs/` with what they should be, in order.
#[track_caller]
fn check(name: &str, parts: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let document = std::fs::read_to_string(&path).expect("the document is there");
    let mut updated = String::new();
    let mut rest = document.as_str();
    for part in parts {
        let (before, marked) = rest.split_once(BEGIN).expect("the begin mark");
        let (_, after) = marked.split_once(END).expect("the end mark");
        updated += &format!("{before}{BEGIN}{part}{END}");
        rest = after;
    }
    updated += rest;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &updated).expect("the document can be written");
    } else {
        assert_eq!(document, updated, "run `UPDATE_DOCS=1 cargo test -p ringmain-config`");
    }
}

#[test]
fn the_document_lists_the_supported_fields() {
    check("config.md", &[supported_table()]);
}

#[test]
fn the_document_lists_what_is_refused() {
    check("config-refused.md", &[refused_fields(), refused_extensions()]);
}

//! `docs/config.md` tells what the support table says.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use ringmain_config::{Support, supported_fields};

const BEGIN: &str = "test config_docs` -->\n";
const END: &str = "<!-- end -->\n";

fn table() -> String {
    let mut messages: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (message, field, support) in supported_fields() {
        let text = match support {
            Support::Supported => format!("`{field}`"),
            Support::Harmless => format!("`{field}` *warns*"),
            Support::Limited(values) => format!("`{field}` [{}]", values.join(", ")),
        };
        messages.entry(message).or_default().push(text);
    }
    let mut table = String::from("\n| message | fields |\n| --- | --- |\n");
    for (message, fields) in messages {
        writeln!(table, "| `{message}` | {} |", fields.join(", ")).expect("memory");
    }
    table.push('\n');
    table
}

#[test]
fn the_document_lists_the_supported_fields() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md");
    let document = std::fs::read_to_string(&path).expect("docs/config.md is there");
    let (before, rest) = document.split_once(BEGIN).expect("the begin mark");
    let (listed, after) = rest.split_once(END).expect("the end mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let updated = format!("{before}{BEGIN}{}{END}{after}", table());
        std::fs::write(&path, updated).expect("docs/config.md can be written");
        return;
    }
    assert_eq!(listed, table(), "run `UPDATE_DOCS=1 cargo test -p ringmain-config`");
}

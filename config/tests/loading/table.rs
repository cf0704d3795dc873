//! `cases.txt`: fragments, and what the user is told of each.
//!
//! A case is `== slot`, the fragment, and a line `=> ` for each diagnostic, or `=> ok`. `{hcm}` and
//! the like stand for the path of that slot; every diagnostic begins with the file's name, left out
//! in the table.

use ringmain_config::{Diagnostic, LoadError, Loaded};

use crate::skeleton::{ORIGIN, file, load_text, told, with_paths};

/// What messages say that need no cure beside them: they tell what to write, or of a text that is no YAML.
const NEED_NO_CURE: [&str; 10] = [
    "expected ",
    "expecting ",
    "must ",
    " is required",
    "is not one of ",
    "does not match the pattern ",
    "while scanning ",
    "unknown anchor",
    "nested too deeply",
    "aliases (`*name`) repeat too much",
];

struct Case<'t> {
    slot: &'t str,
    fragment: String,
    expected: String,
}

fn cases() -> impl Iterator<Item = Case<'static>> {
    include_str!("cases.txt").split("\n== ").skip(1).map(|text| {
        let (slot, text) = text.split_once('\n').expect("a case has a fragment");
        let (expected, fragment): (Vec<_>, Vec<_>) =
            text.trim_end().lines().partition(|line| line.starts_with("=> "));
        let expected: Vec<_> = expected.iter().map(|line| with_paths(&line[3..])).collect();
        Case { slot, fragment: fragment.join("\n"), expected: expected.join("\n") }
    })
}

#[test]
fn the_user_is_told_what_is_wrong_and_where() {
    let mut failures = Vec::new();
    let mut count = 0;
    for Case { slot, fragment, expected } in cases() {
        count += 1;
        let result = load_text(&file(slot, &fragment));
        for uncured in diagnostics(&result).iter().filter(|it| !tells_the_cure(it)) {
            failures.push(format!("no cure: {uncured}"));
        }
        let told = told(&result);
        let told = told.replace(&format!("{ORIGIN}:"), "");
        if told != expected {
            failures.push(format!("== {slot}\n{fragment}\nexpected: {expected}\ntold:     {told}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(count >= 120, "{count} cases");
}

fn diagnostics(result: &Result<Loaded, LoadError>) -> &[Diagnostic] {
    match result {
        Ok(loaded) => &loaded.warnings,
        Err(error) => &error.diagnostics,
    }
}

/// Whether the user learns what to do. That unsupported fields can be ignored is told once for all.
fn tells_the_cure(diagnostic: &Diagnostic) -> bool {
    let message = &diagnostic.message;
    diagnostic.help.is_some()
        || diagnostic.can_be_ignored
        || NEED_NO_CURE.iter().any(|words| message.contains(words))
}

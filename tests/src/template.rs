//! Configuration text with `{{name}}` places, and fragments put into it at the right indentation.

use std::collections::BTreeMap;

/// What the `{{name}}` places of a template stand for.
pub type Values = BTreeMap<String, String>;

/// Replaces every `{{name}}`; a name without a value fails the test.
pub fn fill(template: &str, values: &Values) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("`{{` is closed by `}}`");
        let value = values.get(name).unwrap_or_else(|| panic!("no value for {{{{{name}}}}}"));
        text.push_str(before);
        text.push_str(value);
        rest = after;
    }
    text + rest
}

/// The lines of `fragment`, moved so that the leftmost one starts at `column`. Each line ends with a
/// line feed; blank lines go.
pub fn indented(fragment: &str, column: usize) -> String {
    let lines: Vec<&str> = fragment.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|line| format!("{:column$}{}\n", "", &line[margin..])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_each_place() {
        let values = Values::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert_eq!(fill("{{a}}-{{b}}-{{a}}.", &values), "1-2-1.");
    }

    #[test]
    #[should_panic(expected = "no value for {{c}}")]
    fn refuses_an_unknown_place() {
        fill("{{c}}", &Values::new());
    }

    #[test]
    fn moves_a_fragment_as_a_block() {
        assert_eq!(indented("\n    a:\n      b: 1\n", 2), "  a:\n    b: 1\n");
    }
}

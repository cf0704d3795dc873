//! What becomes of a path that a template matches
//! (`envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig`): `/files/{id}`.

use super::UriTemplate;
use crate::matcher::{Piece, RegexRewrite};

impl UriTemplate {
    /// Makes of every path that this template matches what `rewrite` says, in which `{name}` stands
    /// for what the variable of that name covers. The error says what is wrong with `rewrite`.
    pub fn rewritten_to(&self, rewrite: &str) -> Result<RegexRewrite, String> {
        if !rewrite.starts_with('/') {
            return Err("a rewritten path begins with '/'".to_owned());
        }
        if rewrite.contains("//") {
            return Err("a rewritten path has no empty segments".to_owned());
        }
        let mut pieces = Vec::new();
        let mut rest = rewrite;
        while !rest.is_empty() {
            let (letters, variable) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            if !letters.is_empty() {
                pieces.push(Piece::Literal(literal(letters)?));
            }
            let Some(variable) = variable.strip_prefix('{') else { break };
            let Some((name, after)) = variable.split_once('}') else {
                return Err(format!("'{{{variable}' has no closing '}}'"));
            };
            pieces.push(Piece::Group(self.group(name)?));
            rest = after;
        }
        Ok(RegexRewrite::of_whole(&self.regex, pieces))
    }

    /// The regex's groups are the variables, in order.
    fn group(&self, name: &str) -> Result<usize, String> {
        let at = self.variables.iter().position(|variable| variable == name);
        let template = &self.template;
        at.map(|at| at + 1).ok_or_else(|| format!("'{name}' is no variable of '{template}'"))
    }
}

fn literal(text: &str) -> Result<String, String> {
    let is_literal =
        |letter: &char| letter.is_ascii_alphanumeric() || "-._~%!$&'()+,;:@=*/".contains(*letter);
    match text.chars().find(|letter| !is_literal(letter)) {
        Some(bad) => Err(format!("'{bad}' cannot stand in a rewritten path")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rewrite: &str, path: &str) -> Result<String, String> {
        let template = UriTemplate::new("/a/{b}/{c=**}").expect("a template");
        let mut out = Vec::new();
        template.rewritten_to(rewrite)?.rewrite(path.as_bytes(), &mut out);
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn variables_stand_for_what_they_cover() {
        assert_eq!(rewritten("/x/{c}/{b}{b}", "/a/1/2/3").as_deref(), Ok("/x/2/3/11"));
        assert_eq!(rewritten("/{c}", "/a/1/").as_deref(), Ok("/"));
        assert_eq!(rewritten("/x/*=@", "/a/1/2").as_deref(), Ok("/x/*=@"));
    }

    #[test]
    fn bad_rewrites_are_refused() {
        for bad in
            ["x/{b}", "{b}", "//{b}", "/{b}//", "/{b", "/b}", "/{d}", "/{}", "/x?y", "/\u{e4}"]
        {
            assert!(rewritten(bad, "/a/1/2").is_err(), "{bad}");
        }
    }
}

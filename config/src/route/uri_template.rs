//! Path templates (`envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig`):
//! `/users/{id}/files/**`.

use std::collections::HashSet;

use crate::matcher::FullRegex;

const VARIABLES_MAX: usize = 5;
const VARIABLE_NAME_BYTES_MAX: usize = 16;

/// What `*` stands for in a path: `pchar` (RFC 3986 §3.3) without the brackets of a class.
const PATH_GLOB: &str = "[a-zA-Z0-9._~%!$&'()+,;:@=*-]+";
/// What `**` stands for.
const TEXT_GLOB: &str = "[a-zA-Z0-9._~%!$&'()+,;:@=*/-]*";

/// A path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate {
    /// As written.
    pub template: String,
    /// The names of its variables, in order.
    pub variables: Vec<String>,
    /// What it means; each variable is a group of its name.
    pub regex: FullRegex,
}

/// What a piece of a template matches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Glob {
    Path,
    Text,
}

/// Turns a template into a regex.
#[derive(Default)]
struct Compiler {
    regex: String,
    variables: Vec<String>,
    text_glob_seen: bool,
}

impl UriTemplate {
    /// Reads a template; the error says what is wrong with it.
    pub fn new(template: &str) -> Result<Self, String> {
        let Some(mut rest) = template.strip_prefix('/') else {
            return Err("a path template begins with '/'".to_owned());
        };
        if !template.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a path template holds printable ASCII letters only".to_owned());
        }
        let mut compiler = Compiler { regex: "/".to_owned(), ..Compiler::default() };
        while !rest.is_empty() {
            rest = compiler.segment(rest)?;
            match rest.strip_prefix('/') {
                Some(after) => {
                    compiler.regex.push('/');
                    rest = after;
                }
                None if rest.is_empty() => {}
                None => rest = compiler.suffix(rest)?,
            }
        }
        let Compiler { regex, variables, .. } = compiler;
        unique(&variables)?;
        let regex = FullRegex::new(&regex).map_err(|fault| fault.message)?;
        Ok(Self { template: template.to_owned(), regex, variables })
    }
}

impl Compiler {
    /// Takes a segment; yields what stands behind it.
    fn segment<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        match text.as_bytes()[0] {
            b'*' => self.operator(text),
            b'{' => self.variable(text),
            _ => {
                let (segment, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
                self.mixed(segment)?;
                Ok(rest)
            }
        }
    }

    /// A segment that begins with letters, which one variable may follow, which letters may follow.
    fn mixed(&mut self, segment: &str) -> Result<(), String> {
        let (letters, variable) = segment.split_at(segment.find('{').unwrap_or(segment.len()));
        self.literal(letters)?;
        if variable.is_empty() {
            return Ok(());
        }
        match self.variable(variable)? {
            "" => Ok(()),
            letters => self.literal(letters).map(drop),
        }
    }

    /// What follows a `}` or `*` without a `/` between: letters that end the template.
    fn suffix<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        match self.literal(text)? {
            "" => Ok(""),
            _ => Err(format!("'{text}' cannot follow a variable or '*' within a segment")),
        }
    }

    fn literal<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        let end = text.find('/').unwrap_or(text.len());
        let (literal, rest) = text.split_at(end);
        let is_literal_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte);
        if literal.is_empty() {
            return Err("a path template has no empty segments".to_owned());
        }
        if let Some(bad) = literal.bytes().find(|byte| !is_literal_byte(*byte)) {
            return Err(format!("'{}' cannot stand in '{literal}'", char::from(bad)));
        }
        self.regex.push_str(&regex_syntax::escape(literal));
        Ok(rest)
    }

    fn operator<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        let (glob, rest) = match text.strip_prefix("**") {
            Some(rest) => (Glob::Text, rest),
            None => (Glob::Path, &text[1..]),
        };
        self.glob(glob)?;
        Ok(rest)
    }

    fn glob(&mut self, glob: Glob) -> Result<(), String> {
        if self.text_glob_seen {
            return Err("nothing but letters can follow '**'".to_owned());
        }
        self.text_glob_seen = glob == Glob::Text;
        self.regex.push_str(if glob == Glob::Text { TEXT_GLOB } else { PATH_GLOB });
        Ok(())
    }

    /// `{name}` or `{name=pattern}`.
    fn variable<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        let Some((inside, rest)) = text[1..].split_once('}') else {
            return Err(format!("'{text}' has no closing '}}'"));
        };
        let (name, pattern) = match inside.split_once('=') {
            Some((name, pattern)) => (name, Some(pattern)),
            None => (inside, None),
        };
        self.name(name)?;
        self.regex.push_str(&format!("(?P<{name}>"));
        match pattern {
            None => self.glob(Glob::Path)?,
            Some(pattern) => self.pattern(pattern)?,
        }
        self.regex.push(')');
        Ok(rest)
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!("'{name}' is no name of a variable"));
        }
        if name.len() > VARIABLE_NAME_BYTES_MAX {
            return Err(format!("'{name}' is longer than {VARIABLE_NAME_BYTES_MAX} letters"));
        }
        self.variables.push(name.to_owned());
        if self.variables.len() > VARIABLES_MAX {
            return Err(format!("a path template has at most {VARIABLES_MAX} variables"));
        }
        Ok(())
    }

    fn pattern(&mut self, mut pattern: &str) -> Result<(), String> {
        loop {
            pattern = match pattern.as_bytes().first() {
                None => return Err("a variable's pattern has no empty segments".to_owned()),
                Some(b'*') => self.operator(pattern)?,
                Some(_) => self.literal(pattern)?,
            };
            match pattern.strip_prefix('/') {
                Some(rest) => {
                    self.regex.push('/');
                    pattern = rest;
                }
                None if pattern.is_empty() => return Ok(()),
                None => return Err(format!("'{pattern}' cannot follow '*' within a segment")),
            }
        }
    }
}

fn unique(variables: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    match variables.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(format!("variable '{name}' is there twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        UriTemplate::new(template).unwrap().regex.matches(path.as_bytes())
    }

    #[test]
    fn a_star_is_a_segment_and_two_are_the_rest() {
        assert!(matches("/t/*/x", "/t/5/x") && matches("/t/{id}/x", "/t/5=/x"));
        assert!(!matches("/t/*/x", "/t//x") && !matches("/t/*/x", "/t/5/6/x"));
        assert!(matches("/t/**", "/t/") && matches("/t/**", "/t/a/b"));
        assert!(!matches("/t/**", "/t"));
        assert!(matches("/t/{a=**}/z", "/t/q/r/z") && !matches("/t/{a=**}/z", "/t/z"));
    }

    #[test]
    fn letters_stand_for_themselves() {
        assert!(matches("/t/{a=x/*}.txt", "/t/x/y.txt"));
        assert!(!matches("/t/{a=x/*}.txt", "/t/x/yxtxt"));
        assert!(matches("/a{b}c", "/axc") && !matches("/a{b}c", "/ac"));
        assert!(matches("/a{b}/c{d}e/f", "/a1/c2e/f") && matches("/a=b", "/a=b"));
        assert!(matches("/", "/") && matches("/t/", "/t/") && !matches("/t", "/t/"));
    }

    #[test]
    fn bad_templates_are_refused() {
        for template in [
            "t",
            "",
            "/t//x",
            "/{1a}",
            "/{a",
            "/{a=}",
            "/**/*",
            "/**/{b}",
            "/*x/y",
            "/{a}{b}",
            "/{a}/{a}",
            "/a b",
            "/a*b",
            "/a}b",
            "/a{b}{c}",
            "/a{b=x/*}",
            "/{a}/{b}/{c}/{d}/{e}/{f}",
            "/{abcdefghijklmnopq}",
            "/{a=b/}",
            "/***",
            "/a?b",
        ] {
            assert!(UriTemplate::new(template).is_err(), "{template}");
        }
    }

    #[test]
    fn variables_are_named_in_order() {
        let template = UriTemplate::new("/{a}/x/{b_2=y/*}").unwrap();
        assert_eq!(template.variables, ["a", "b_2"]);
    }
}

//! RE2's syntax (<https://github.com/google/re2/wiki/Syntax>) in terms of the `regex` crate's. Most
//! patterns mean the same in both; here is what does not.

/// A pattern for the `regex` crate, and for each of its bytes the place in the original.
#[derive(Debug, Default)]
pub(super) struct Translation {
    pub(super) pattern: String,
    origins: Vec<usize>,
}

impl Translation {
    /// `pattern`, which is RE2's, for the `regex` crate.
    pub(super) fn of(pattern: &str) -> Self {
        let mut translation = Self::default();
        let mut reader = Reader { pattern, at: 0 };
        while let Some(start) = reader.start() {
            match reader.next() {
                '\\' => translation.escape(&mut reader, start, false),
                '[' => translation.class(&mut reader, start),
                '{' if !reader.is_counted_repetition() => translation.push("\\{", start),
                '}' if !translation.closes_repetition() => translation.push("\\}", start),
                other => translation.push(other.encode_utf8(&mut [0; 4]), start),
            }
        }
        translation
    }

    /// The place in the original of byte `at` of the translated pattern.
    pub(super) fn origin(&self, at: usize) -> usize {
        self.origins.get(at).or(self.origins.last()).copied().unwrap_or(0)
    }

    fn push(&mut self, text: &str, origin: usize) {
        self.pattern.push_str(text);
        self.origins.resize(self.pattern.len(), origin);
    }

    /// Whether the repetition that is open was taken over as one.
    fn closes_repetition(&self) -> bool {
        let open = self.pattern.rfind('{').filter(|at| {
            let escaped = self.pattern[..*at].bytes().rev().take_while(|byte| *byte == b'\\');
            escaped.count() % 2 == 0
        });
        open.is_some_and(|at| !self.pattern[at..].contains('}'))
    }

    /// What follows a backslash. RE2's Perl classes and word boundaries are those of ASCII.
    fn escape(&mut self, reader: &mut Reader<'_>, start: usize, in_class: bool) {
        let Some(_) = reader.start() else { return self.push("\\", start) };
        let digits = |negated: &str| format!("[{negated}0-9]");
        let text = match reader.next() {
            'd' => digits(""),
            'D' => digits("^"),
            'w' => "[0-9A-Za-z_]".to_owned(),
            'W' => "[^0-9A-Za-z_]".to_owned(),
            's' => "[\\t\\n\\f\\r ]".to_owned(),
            'S' => "[^\\t\\n\\f\\r ]".to_owned(),
            'b' if !in_class => "(?-u:\\b)".to_owned(),
            'B' if !in_class => "(?-u:\\B)".to_owned(),
            'C' if !in_class => "(?s-u:.)".to_owned(),
            'Q' if !in_class => return self.quoted(reader),
            // A name or a number in braces belongs to the escape.
            class @ ('p' | 'P' | 'x') => format!("\\{class}{}", reader.braced()),
            other => format!("\\{other}"),
        };
        self.push(&text, start);
    }

    /// `\Q...\E`: nothing in it is special.
    fn quoted(&mut self, reader: &mut Reader<'_>) {
        while let Some(start) = reader.start() {
            if reader.rest().starts_with("\\E") {
                reader.at += 2;
                return;
            }
            let literal = reader.next();
            self.push(&regex_syntax::escape(literal.encode_utf8(&mut [0; 4])), start);
        }
    }

    /// A bracketed class. In RE2 `[`, `&&`, `--` and `~~` are letters there, and `]` is one where it
    /// comes first.
    fn class(&mut self, reader: &mut Reader<'_>, start: usize) {
        self.push("[", start);
        if reader.rest().starts_with('^') {
            self.push("^", reader.at);
            reader.at += 1;
        }
        let mut first = true;
        while let Some(start) = reader.start() {
            match reader.next() {
                ']' if !first => return self.push("]", start),
                ']' => self.push("\\]", start),
                '[' => match reader.posix_class() {
                    Some(class) => self.push(&class, start),
                    None => self.push("\\[", start),
                },
                '\\' => self.escape(reader, start, true),
                // A range is a single dash between two letters.
                twice @ ('&' | '-' | '~') if reader.rest().starts_with(twice) => {
                    self.push(&format!("\\{twice}"), start);
                }
                other => self.push(other.encode_utf8(&mut [0; 4]), start),
            }
            first = false;
        }
    }
}

struct Reader<'p> {
    pattern: &'p str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.pattern[self.at..]
    }

    /// Where the next letter begins; `None` at the end.
    fn start(&self) -> Option<usize> {
        (self.at < self.pattern.len()).then_some(self.at)
    }

    /// The next letter. There is one: [`Reader::start`] was asked.
    fn next(&mut self) -> char {
        let letter = self.rest().chars().next().expect("not at the end");
        self.at += letter.len_utf8();
        letter
    }

    /// `{...}` if that is what comes.
    fn braced(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find('}').filter(|_| rest.starts_with('{')).map_or(0, |end| end + 1);
        let braced = rest[..end].to_owned();
        self.at += end;
        braced
    }

    /// Whether what follows a `{` makes it a repetition: `n}`, `n,}` or `n,m}`.
    fn is_counted_repetition(&self) -> bool {
        let Some((counts, _)) = self.rest().split_once('}') else { return false };
        let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        !least.is_empty() && is_number(least) && is_number(most)
    }

    /// `[:name:]` after its first bracket.
    fn posix_class(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.strip_prefix(':')?.find(":]")? + 3;
        let name = rest[1..end - 2].trim_start_matches('^');
        if !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let class = format!("[{}", &rest[..end]);
        self.at += end;
        Some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(pattern: &str) -> String {
        Translation::of(pattern).pattern
    }

    #[test]
    fn what_both_know_stays() {
        for pattern in
            ["/api/v[0-9]+/.*", "^(?i)a|b$", "a{2,3}b{4}c{5,}", r"\.\\\/", "[^a-z]", "[[:alpha:]]"]
        {
            assert_eq!(translated(pattern), pattern);
        }
    }

    #[test]
    fn perl_classes_are_those_of_ascii() {
        assert_eq!(translated(r"\d+\W"), "[0-9]+[^0-9A-Za-z_]");
        assert_eq!(translated(r"[\s\D]"), r"[[\t\n\f\r ][^0-9]]");
        assert_eq!(translated(r"\bx"), r"(?-u:\b)x");
    }

    #[test]
    fn braces_that_count_nothing_are_letters() {
        assert_eq!(translated("{id}"), r"\{id\}");
        assert_eq!(translated("a{,3}"), r"a\{,3\}");
        assert_eq!(translated("a{2}}"), r"a{2}\}");
        assert_eq!(translated(r"\pL\p{Greek}\x{41}"), r"\pL\p{Greek}\x{41}");
    }

    #[test]
    fn operators_of_sets_are_letters() {
        assert_eq!(translated("[a[b]"), r"[a\[b]");
        assert_eq!(translated("[a&&b]"), r"[a\&&b]");
        assert_eq!(translated("[]a]"), r"[\]a]");
        assert_eq!(translated("[^]a]"), r"[^\]a]");
    }

    #[test]
    fn quoted_text_is_plain() {
        assert_eq!(translated(r"\Qa.b\E.c"), r"a\.b.c");
        assert_eq!(translated(r"\Qa+"), r"a\+");
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let translation = Translation::of(r"\d(x");
        assert_eq!(translation.pattern, "[0-9](x");
        assert_eq!(translation.origin(5), 2);
        assert_eq!(translation.origin(99), 3);
    }
}

//! One line of a configuration in the making.

use std::fmt::Display;

/// A directive and its arguments, each quoted where it has to be.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new(keyword: &str) -> Self {
        Self(keyword.to_owned())
    }

    /// A keyword, a number or an address: what needs no quotation marks.
    pub(crate) fn word(mut self, word: impl Display) -> Self {
        self.0.push(' ');
        self.0.push_str(&word.to_string());
        self
    }

    /// A keyword, if `present`.
    pub(crate) fn flag(self, word: &str, present: bool) -> Self {
        if present { self.word(word) } else { self }
    }

    /// A keyword and its value, if it has one.
    pub(crate) fn option(self, word: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.word(word).word(value),
            None => self,
        }
    }

    /// Text. Quotation marks and control characters other than tabs cannot be written and are left out.
    pub(crate) fn text(self, text: &str) -> Self {
        let text: String = text
            .chars()
            .filter(|c| (!c.is_control() || *c == '\t') && *c != '"')
            .collect();
        self.word(format_args!("\"{text}\""))
    }

    /// A name or path: quoted only where it must be.
    pub(crate) fn name(self, name: &str) -> Self {
        // These would be taken for keywords where an address is wanted.
        const KEYWORDS: [&str; 4] = ["default", "source", "ipv4", "ipv6"];
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._:-+%@~,".contains(c);
        let is_plain = !name.is_empty() && name.chars().all(plain) && !KEYWORDS.contains(&name);
        if is_plain {
            self.word(name)
        } else {
            self.text(name)
        }
    }

    /// A keyword and a name or path, if there is one.
    pub(crate) fn named(self, word: &str, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.word(word).name(name),
            None => self,
        }
    }

    pub(crate) fn end(self, out: &mut String) {
        out.push_str(&self.0);
        out.push('\n');
    }
}

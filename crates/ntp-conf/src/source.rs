//! The files that make up a configuration, and places in them.

use std::ops::Range;

/// Number of a file in [`Sources`], in the order in which they were opened; 0 is the main one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SourceId(pub(crate) usize);

/// A stretch of a file, in octets of its text.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// From and to, in octets from the start of the text.
    pub range: Range<usize>,
}

impl Span {
    /// From the start of `self` to the end of `other`, if both are in one file.
    pub fn to(&self, other: &Self) -> Self {
        if self.source != other.source {
            return self.clone();
        }
        Self {
            source: self.source,
            range: self.range.start..other.range.end.max(self.range.start),
        }
    }
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// Name of the file, as it was opened.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1; a tab is one.
    pub column: usize,
}

/// One file: its name and what stood in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
    was_utf8: bool,
}

impl Source {
    /// Takes the octets of a file; what is not UTF-8 is replaced by U+FFFD.
    pub fn new(name: &str, octets: &[u8]) -> Self {
        // A byte order mark is no part of the text.
        let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
        let text = String::from_utf8_lossy(octets);
        let was_utf8 = matches!(text, std::borrow::Cow::Borrowed(_));
        let mut line_starts = vec![0];
        line_starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at + 1),
        );
        Self {
            name: name.to_owned(),
            text: text.into_owned(),
            line_starts,
            was_utf8,
        }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all of it was UTF-8.
    pub fn was_utf8(&self) -> bool {
        self.was_utf8
    }

    /// The line that holds octet `at`, from 1.
    pub fn line_of(&self, at: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= at)
            .max(1)
    }

    /// Where line `line` (from 1) starts, and its text without the line end.
    pub fn line(&self, line: usize) -> (usize, &str) {
        let start = line
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index))
            .copied();
        let start = start.unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or("");
        let text = rest.split('\n').next().unwrap_or("");
        (start, text.strip_suffix('\r').unwrap_or(text))
    }

    fn location(&self, at: usize) -> Location {
        let line = self.line_of(at);
        let (start, _) = self.line(line);
        let before = self.text.get(start..at).unwrap_or("");
        Location {
            file: self.name.clone(),
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// The main file and those it includes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, source: Source) -> SourceId {
        self.0.push(source);
        SourceId(self.0.len() - 1)
    }

    /// The file of that number.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0)
    }

    /// All files, the main one first.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The text of a span; empty if it is not of these files.
    pub fn text(&self, span: &Span) -> &str {
        self.source(span.source)
            .and_then(|source| source.text.get(span.range.clone()))
            .unwrap_or("")
    }

    /// Where a span starts.
    pub fn location(&self, span: &Span) -> Location {
        match self.source(span.source) {
            Some(source) => source.location(span.range.start),
            None => Location {
                file: String::new(),
                line: 1,
                column: 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let mut sources = Sources::default();
        let id = sources.add(Source::new("ntp.conf", b"\xef\xbb\xbfa\r\n\xc3\xa4 bc"));
        let at = |range| sources.location(&Span { source: id, range });
        assert_eq!((at(0..1).line, at(0..1).column), (1, 1));
        assert_eq!((at(6..8).line, at(6..8).column), (2, 3));
        assert_eq!(
            sources.text(&Span {
                source: id,
                range: 6..8
            }),
            "bc"
        );
        assert_eq!(sources.source(id).map(|source| source.line(1).1), Some("a"));
        assert_eq!((at(99..100).line, at(99..100).column), (2, 1));
    }
}

//! Lines to statements: words with their places, comments and quotation marks gone.

use crate::{Sources, Span, source::SourceId};

/// One word of a line, or what stood between quotation marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// Its text, without quotation marks.
    pub text: String,
    /// Its place, with quotation marks.
    pub span: Span,
    /// Whether it stood between quotation marks; such a word is never a keyword.
    pub quoted: bool,
}

impl Word {
    /// Its text if it may be a keyword, else an empty string, which is none.
    pub fn keyword(&self) -> &str {
        if self.quoted { "" } else { &self.text }
    }
}

/// A line that says something: the directive, then its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The directive.
    pub keyword: Word,
    /// What follows it.
    pub arguments: Vec<Word>,
}

impl Statement {
    /// From the directive to its last argument.
    pub fn span(&self) -> Span {
        let last = self.arguments.last().unwrap_or(&self.keyword);
        self.keyword.span.to(&last.span)
    }
}

/// Why a line is no statement.
pub(crate) struct LexicalProblem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

/// Splits a file into its statements, in order; empty lines and comments are no statements.
pub(crate) fn statements(
    sources: &Sources,
    id: SourceId,
) -> Vec<Result<Statement, LexicalProblem>> {
    let Some(source) = sources.source(id) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        match words(id, start, body, source.was_utf8()) {
            Ok(words) => {
                let mut words = words.into_iter();
                if let Some(keyword) = words.next() {
                    let arguments = words.collect();
                    found.push(Ok(Statement { keyword, arguments }));
                }
            }
            Err(problem) => found.push(Err(problem)),
        }
        start += line.len();
    }
    found
}

fn words(
    source: SourceId,
    start: usize,
    line: &str,
    is_utf8: bool,
) -> Result<Vec<Word>, LexicalProblem> {
    let span = |from: usize, to: usize| Span {
        source,
        range: start + from..start + to,
    };
    let mut words = Vec::new();
    let mut rest = line.char_indices().peekable();
    while let Some(&(from, c)) = rest.peek() {
        if is_blank(c) {
            rest.next();
        } else if c == '#' {
            break;
        } else if c == '"' {
            rest.next();
            let Some((to, _)) = rest.by_ref().find(|(_, c)| *c == '"') else {
                return Err(LexicalProblem {
                    span: span(from, line.len()),
                    message: "this quotation mark is never closed".to_owned(),
                    hint: "put a second `\"` before the end of the line",
                });
            };
            let text = line.get(from + 1..to).unwrap_or("").to_owned();
            words.push(Word {
                text,
                span: span(from, to + 1),
                quoted: true,
            });
        } else {
            let mut to = from;
            while let Some(&(at, c)) = rest.peek() {
                if is_blank(c) || c == '#' || c == '"' {
                    break;
                }
                to = at + c.len_utf8();
                rest.next();
            }
            let text = line.get(from..to).unwrap_or("").to_owned();
            words.push(Word {
                text,
                span: span(from, to),
                quoted: false,
            });
        }
    }
    for word in &words {
        if !is_utf8 && word.text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(LexicalProblem {
                span: word.span.clone(),
                message: "this is not UTF-8 text".to_owned(),
                hint: "save the file as UTF-8; in comments it does not matter",
            });
        }
        if let Some(c) = word
            .text
            .chars()
            .find(|c| c.is_control() && !(word.quoted && *c == '\t'))
        {
            return Err(LexicalProblem {
                span: word.span.clone(),
                message: format!("control character U+{:04X} in a word", u32::from(c)),
                hint: "remove it; the file may be damaged",
            });
        }
    }
    Ok(words)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn texts(octets: &[u8]) -> Vec<Result<Vec<String>, String>> {
        let mut sources = Sources::default();
        let id = sources.add(Source::new("x", octets));
        statements(&sources, id)
            .into_iter()
            .map(|found| match found {
                Ok(statement) => Ok(std::iter::once(&statement.keyword)
                    .chain(&statement.arguments)
                    .inspect(|word| {
                        let shown = sources.text(&word.span);
                        let quoted = format!("\"{}\"", word.text);
                        assert_eq!(shown, if word.quoted { &quoted } else { &word.text });
                    })
                    .map(|word| word.text.clone())
                    .collect()),
                Err(problem) => Err(problem.message),
            })
            .collect()
    }

    fn line(words: &[&str]) -> Result<Vec<String>, String> {
        Ok(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lines_become_words() {
        assert_eq!(texts(b""), []);
        assert_eq!(texts(b"\n # only a comment\n\t\n"), []);
        assert_eq!(
            texts(b"a  b\tc#d e\r\nf \"g # h\"\"\"i\nlast"),
            [
                line(&["a", "b", "c"]),
                line(&["f", "g # h", "", "i"]),
                line(&["last"])
            ]
        );
    }

    #[test]
    fn damage_costs_one_line() {
        let found = texts(b"a \"b\nc\0 d\n\xff e\nf # \xff\0\ng");
        assert_eq!(
            found[0],
            Err("this quotation mark is never closed".to_owned())
        );
        assert_eq!(
            found[1],
            Err("control character U+0000 in a word".to_owned())
        );
        assert_eq!(found[2], Err("this is not UTF-8 text".to_owned()));
        assert_eq!(found[3..], [line(&["f"]), line(&["g"])]);
    }
}

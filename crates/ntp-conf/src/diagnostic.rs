//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Location, Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// The line is in force, or kept, but probably does not do what it was written for.
    Warning,
    /// The line is not in force.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One problem. `Display` is one line, as for the system log:
/// `ntp.conf:3:8: error: … (…)`; [`Diagnostic::render`] shows the line with a caret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where, for people.
    pub location: Location,
    /// Where, for tools.
    pub span: Span,
    /// What is wrong, without a final stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// The problem with the line it stands in and a caret under the words that are meant, without
    /// colours; several lines, no final line end.
    pub fn render(&self, sources: &Sources) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let Some(source) = sources.source(self.span.source) else {
            return self.to_string();
        };
        let (start, line) = source.line(self.location.line);
        // What the terminal would act on, and what would make one problem fill many screens, is
        // not repeated: a blank for a control character, and at most some characters of a line.
        let window = Window::around(
            line,
            self.span.range.start.saturating_sub(start),
            &self.span,
        );
        let mut group = Group::with_title(level.primary_title(&self.message)).element(
            Snippet::source(&window.text)
                .path(&self.location.file)
                .line_start(self.location.line)
                .annotation(AnnotationKind::Primary.span(window.mark.clone())),
        );
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint));
        }
        Renderer::plain().render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { file, line, column } = &self.location;
        write!(
            f,
            "{file}:{line}:{column}: {}: {}",
            self.severity, self.message
        )?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The part of a line that is shown.
struct Window {
    text: String,
    mark: std::ops::Range<usize>,
}

impl Window {
    const BEFORE: usize = 60;
    const AFTER: usize = 60;

    fn around(line: &str, at: usize, span: &Span) -> Self {
        let at = at.min(line.len());
        let length = span.range.len();
        let (before, after) = line.split_at_checked(at).unwrap_or((line, ""));
        let skip = before.chars().count().saturating_sub(Self::BEFORE);
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: String = before.chars().skip(skip).map(clean).collect();
        let start = text.len();
        let mut end = start;
        for (offset, c) in after.char_indices().take(Self::AFTER) {
            text.push(clean(c));
            if offset < length {
                end = text.len();
            }
        }
        Self {
            text,
            mark: start..end,
        }
    }
}

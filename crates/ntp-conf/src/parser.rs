//! A file and those it includes to a checked configuration.

use std::path::{Path, PathBuf};

use crate::{
    Config, Diagnostic, Severity, Source, Sources, Statement,
    builder::Builder,
    check,
    reader::{Problem, Reader},
    source::SourceId,
    statement::statements,
};

/// What came of a configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed {
    /// What is in force, and what is kept.
    pub config: Config,
    /// What is wrong, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// Every line that could be split into words, good or not, for tools; an included file's stand
    /// where it is included.
    pub statements: Vec<Statement>,
    /// The files, for [`Diagnostic::render`].
    pub sources: Sources,
}

impl Parsed {
    /// Whether a line had to be left out.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All diagnostics with their lines and carets, an empty line between them.
    pub fn render(&self) -> String {
        let rendered = self
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.render(&self.sources));
        rendered.collect::<Vec<_>>().join("\n\n")
    }
}

/// How deep files may include files.
pub const DEEPEST_INCLUDE: usize = 5;

/// How many files there may be in all, so that files that include many that include many come to
/// an end.
pub const MOST_FILES: usize = 500;

/// Reads a configuration: `name` is the file's name for diagnostics, `text` what stands in it, and
/// `load` gives the octets of a file that `includefile` names, or says why it cannot.
///
/// A bad line is reported and left out, all others are used; whatever `text` is, this ends and
/// does not panic.
pub fn parse(
    name: &str,
    text: impl AsRef<[u8]>,
    mut load: impl FnMut(&Path) -> Result<Vec<u8>, String>,
) -> Parsed {
    let mut parser = Parser {
        sources: Sources::default(),
        statements: Vec::new(),
        builder: Builder::default(),
        open: Vec::new(),
        load: &mut load,
    };
    let id = parser.sources.add(Source::new(name, text.as_ref()));
    parser.read(id, PathBuf::from(name));
    check::check(&mut parser.builder);
    parser.finish()
}

/// Reads lines that come to a daemon that runs with `config` already, as ntpq's `:config` sends
/// them. They include no files.
///
/// The configuration of what this gives is `config` with what the lines say; but of associations
/// and reference clocks it has only those of the lines, those that they fudge included.
pub fn parse_more(config: &Config, text: impl AsRef<[u8]>) -> Parsed {
    let known_clocks = config.reference_clocks.clone();
    let config = Config {
        associations: Vec::new(),
        reference_clocks: Vec::new(),
        ..config.clone()
    };
    let mut parser = Parser {
        sources: Sources::default(),
        statements: Vec::new(),
        builder: Builder {
            config,
            known_clocks,
            ..Builder::default()
        },
        open: Vec::new(),
        load: &mut |_| Err("files are included at start only".to_owned()),
    };
    let id = parser.sources.add(Source::new("line", text.as_ref()));
    parser.read(id, PathBuf::from("line"));
    check::check(&mut parser.builder);
    parser.finish()
}

struct Parser<'a> {
    sources: Sources,
    statements: Vec<Statement>,
    builder: Builder,
    /// The files that are being read, the main one first.
    open: Vec<PathBuf>,
    load: &'a mut dyn FnMut(&Path) -> Result<Vec<u8>, String>,
}

impl Parser<'_> {
    fn read(&mut self, id: SourceId, path: PathBuf) {
        self.open.push(path);
        for statement in statements(&self.sources, id) {
            match statement {
                Ok(statement) => {
                    if statement.keyword.keyword() == "includefile" {
                        if let Err(problem) = self.include(&statement) {
                            self.builder.problems.push(problem);
                        }
                    } else {
                        self.builder.add(&statement);
                        self.statements.push(statement);
                    }
                }
                Err(problem) => {
                    let problem = Problem::error(&problem.span, problem.message, problem.hint);
                    self.builder.problems.push(problem);
                }
            }
        }
        self.open.pop();
    }

    fn include(&mut self, statement: &Statement) -> Result<(), Problem> {
        self.statements.push(statement.clone());
        let mut reader = Reader::new(statement);
        let span = statement
            .arguments
            .first()
            .unwrap_or(&statement.keyword)
            .span
            .clone();
        let path = reader.path("a file")?;
        reader.end()?;
        let shown = crate::spelling::shown(&path.to_string_lossy());
        if self.open.contains(&path) {
            return Err(Problem::error(
                &span,
                format!("`{shown}` includes itself"),
                "remove the line; the file is already being read",
            ));
        }
        if self.open.len() > DEEPEST_INCLUDE {
            return Err(Problem::error(
                &span,
                format!("files are included more than {DEEPEST_INCLUDE} deep"),
                format!("include `{shown}` from a file nearer to the main one"),
            ));
        }
        if self.sources.iter().count() > MOST_FILES {
            let message = format!("more than {MOST_FILES} files are included");
            return Err(Problem::error(&span, message, "put some of them together"));
        }
        let octets = (self.load)(&path).map_err(|why| {
            let message = format!("`{shown}` cannot be read: {}", crate::spelling::shown(&why));
            Problem::error(
                &span,
                message,
                "nothing is included; check the name and who may read it",
            )
        })?;
        let id = self
            .sources
            .add(Source::new(&path.to_string_lossy(), &octets));
        self.read(id, path);
        Ok(())
    }

    fn finish(self) -> Parsed {
        let mut problems = self.builder.problems;
        problems.sort_by_key(|problem| (problem.span.source, problem.span.range.start));
        let diagnostics = problems.into_iter().map(|problem| Diagnostic {
            severity: problem.severity,
            location: self.sources.location(&problem.span),
            span: problem.span,
            message: problem.message,
            hint: problem.hint,
        });
        Parsed {
            config: self.builder.config,
            diagnostics: diagnostics.collect(),
            statements: self.statements,
            sources: self.sources,
        }
    }
}

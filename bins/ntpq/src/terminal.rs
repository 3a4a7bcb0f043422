//! Lines of commands, from a terminal or from elsewhere.

use std::io::{self, BufRead, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use rustyline::{
    Context, Editor, Helper, completion::Completer, error::ReadlineError, highlight::Highlighter,
    hint::Hinter, history::DefaultHistory, validate::Validator,
};
use zeroize::Zeroizing;

use crate::command;

/// Where commands come from.
pub(crate) enum Lines {
    /// A terminal: lines can be edited and called back.
    Terminal(Box<Editor<Completion, DefaultHistory>>),
    /// A file or a pipe, with prompts if they were asked for.
    Plain { prompt: bool },
}

/// Completes the names of commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion;

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(line.get(..position).unwrap_or_default()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

/// Where the word begins that stands before the cursor, and what commands it may be: the first word
/// is one, and so is what `help` is asked for.
fn completions(before: &str) -> (usize, Vec<String>) {
    let start = before.rfind(' ').map_or(0, |blank| blank + 1);
    let (earlier, word) = before.split_at(start);
    let names = match earlier.trim() {
        "" | "help" | "?" => command::names()
            .filter(|name| name.starts_with(word))
            .collect(),
        _ => Vec::new(),
    };
    (start, names.into_iter().map(str::to_owned).collect())
}

const PROMPT: &str = "ntpq> ";

impl Lines {
    pub(crate) fn open(is_terminal: bool, prompt: bool) -> io::Result<Self> {
        if !is_terminal {
            return Ok(Self::Plain { prompt });
        }
        let mut editor = Editor::new().map_err(io::Error::other)?;
        editor.set_helper(Some(Completion));
        Ok(Self::Terminal(Box::new(editor)))
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<String>> {
        match self {
            Self::Terminal(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    let names_secret = line.trim_start().starts_with("passwd");
                    if !line.trim().is_empty() && !names_secret {
                        // A history that is full forgets.
                        let _ = editor.add_history_entry(&line);
                    }
                    Ok(Some(line))
                }
                Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
                Err(ReadlineError::Eof) => Ok(None),
                Err(ReadlineError::Io(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            },
            Self::Plain { prompt } => {
                if *prompt {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(PROMPT.as_bytes())?;
                    stdout.flush()?;
                }
                let mut line = Vec::new();
                if io::stdin().lock().read_until(b'\n', &mut line)? == 0 {
                    return Ok(None);
                }
                Ok(Some(String::from_utf8_lossy(&line).into_owned()))
            }
        }
    }
}

/// Asks for a line, `None` at the end of input.
pub(crate) fn prompt(question: &str) -> Option<String> {
    eprint!("{question}");
    let mut line = String::new();
    let length = io::stdin().lock().read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that the terminal does not show.
pub(crate) fn prompt_secret(question: &str) -> Option<Zeroizing<String>> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).ok();
    if let Some(shown) = &shown {
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        // A terminal that cannot hide what is typed is no reason not to ask.
        let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden);
    }
    let secret = prompt(question).map(Zeroizing::new);
    if let Some(shown) = &shown {
        let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, shown);
        eprintln!();
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_commands_are_completed() {
        let (start, names) = completions("mru");
        assert_eq!((start, names), (0, vec!["mrulist".to_owned()]));
        let (start, names) = completions("help sysi");
        assert_eq!((start, names), (5, vec!["sysinfo".to_owned()]));
        // What else follows a command is no command.
        assert_eq!(completions("rv sysi"), (3, Vec::new()));
        assert!(completions("").1.len() > 50);
    }
}

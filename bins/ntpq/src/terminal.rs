//! Lines of commands, from a terminal or from elsewhere.

use std::io::{self, BufRead, Write};

use ntp_os::{complain, complain_on};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use rustyline::{
    Context, Editor, Helper, completion::Completer, error::ReadlineError, highlight::Highlighter,
    hint::Hinter, history::DefaultHistory, validate::Validator,
};
use zeroize::Zeroizing;

/// Where commands come from.
pub enum Lines {
    /// A terminal: lines can be edited and called back.
    Terminal(Box<Editor<Completion, DefaultHistory>>),
    /// A file or a pipe, with prompts if they were asked for.
    Plain {
        /// What to say before each line.
        prompt: Option<String>,
    },
}

/// Completes the names of commands, and says what it waits for.
#[derive(Clone, Debug)]
pub struct Completion {
    prompt: String,
    names: Vec<&'static str>,
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..position).unwrap_or_default();
        Ok(completions(before, &self.names))
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
fn completions(before: &str, names: &[&str]) -> (usize, Vec<String>) {
    let start = before.rfind(' ').map_or(0, |blank| blank + 1);
    let (earlier, word) = before.split_at(start);
    let names = match earlier.trim() {
        "" | "help" | "?" => names,
        _ => &[],
    };
    let fitting = names.iter().filter(|name| name.starts_with(word));
    (start, fitting.map(|name| (*name).to_owned()).collect())
}

impl Lines {
    /// Lines from the terminal, or from whatever standard input is, for `program`, whose commands
    /// have these `names`; not from a terminal it says what it waits for only if `forced`.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be used.
    pub fn open(
        is_terminal: bool,
        forced: bool,
        program: &str,
        names: Vec<&'static str>,
    ) -> io::Result<Self> {
        let prompt = format!("{program}> ");
        if !is_terminal {
            let prompt = forced.then_some(prompt);
            return Ok(Self::Plain { prompt });
        }
        let mut editor = Editor::new().map_err(io::Error::other)?;
        editor.set_helper(Some(Completion { prompt, names }));
        Ok(Self::Terminal(Box::new(editor)))
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// If there is no reading from there.
    pub fn next_line(&mut self) -> io::Result<Option<String>> {
        match self {
            Self::Terminal(editor) => {
                let prompt = editor.helper().map(|helper| helper.prompt.clone());
                match editor.readline(&prompt.unwrap_or_default()) {
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
                }
            }
            Self::Plain { prompt } => {
                if let Some(prompt) = prompt {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(prompt.as_bytes())?;
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
pub fn prompt(question: &str) -> Option<String> {
    complain_on(format_args!("{question}"));
    let mut line = String::new();
    let length = io::stdin().lock().read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that the terminal does not show.
pub fn prompt_secret(question: &str) -> Option<Zeroizing<String>> {
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
        complain(format_args!(""));
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_commands_are_completed() {
        let names = ["mrulist", "sysinfo", "sysstats"];
        let (start, found) = completions("mru", &names);
        assert_eq!((start, found), (0, vec!["mrulist".to_owned()]));
        let (start, found) = completions("help sysi", &names);
        assert_eq!((start, found), (5, vec!["sysinfo".to_owned()]));
        // What else follows a command is no command.
        assert_eq!(completions("rv sysi", &names), (3, Vec::new()));
        assert_eq!(completions("", &names).1.len(), 3);
    }
}

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
    let Ok(shown) = tcgetattr(&stdin) else {
        return prompt(question).map(Zeroizing::new);
    };
    let mut hidden = shown.clone();
    // Whoever interrupts must not be left with a terminal that shows nothing: that comes as a
    // character, at once.
    let by_line = LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG;
    hidden.local_flags.remove(by_line);
    // A terminal that cannot hide what is typed is no reason not to ask.
    let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden);
    complain_on(format_args!("{question}"));
    let secret = hidden_line(&mut stdin.lock());
    let _ = tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown);
    complain(format_args!(""));
    secret
}

/// Takes characters as they are typed, to the end of the line; `None` if there are none, or
/// somebody interrupts.
fn hidden_line(typed: &mut impl BufRead) -> Option<Zeroizing<String>> {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const ERASE_LINE: u8 = 0x15;
    const DELETE: u8 = 0x7f;
    let mut line = Zeroizing::new(Vec::with_capacity(256));
    for octet in io::Read::bytes(typed) {
        match octet.ok()? {
            INTERRUPT => return None,
            END if line.is_empty() => return None,
            END | b'\r' | b'\n' => return Some(text(&line)),
            // A character may have several octets.
            BACKSPACE | DELETE => while line.pop().is_some_and(|octet| octet & 0xc0 == 0x80) {},
            ERASE_LINE => line.clear(),
            octet => line.push(octet),
        }
    }
    (!line.is_empty()).then(|| text(&line))
}

fn text(line: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_mended_and_given_up() {
        let typed = |octets: &[u8]| hidden_line(&mut &octets[..]).map(|line| line.to_string());
        assert_eq!(typed(b"secret\rmore"), Some("secret".to_owned()));
        assert_eq!(typed(b"secret\n"), Some("secret".to_owned()));
        assert_eq!(typed(b"\n"), Some(String::new()));
        assert_eq!(
            typed("se\u{e4}\u{7f}cx\u{8}ret\n".as_bytes()),
            Some("secret".to_owned())
        );
        assert_eq!(typed(b"wrong\x15right\x04"), Some("right".to_owned()));
        assert_eq!(typed(b"\x7f\x7fa\n"), Some("a".to_owned()));
        assert_eq!(typed(b"sec\x03ret\n"), None);
        assert_eq!(typed(b"\x04"), None);
        assert_eq!(typed(b""), None);
        assert_eq!(typed(b"no end"), Some("no end".to_owned()));
    }

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

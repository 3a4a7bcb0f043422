//! The words, numbers and quantities of a line.

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, Ppm};

use super::reader::Problem;
use crate::{Share, Window};

/// The longest time that a scenario may name: 34 years, half of what a span can be.
const LONGEST: f64 = 1_073_741_824.0;

/// What a line is made of.
#[derive(Clone, PartialEq, Debug)]
enum Token {
    Number(f64),
    Word(String),
    Sign(char),
}

/// A line that is being read.
#[derive(Debug)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
    next: usize,
}

impl Tokens {
    pub(super) fn new(line: &str) -> Result<Self, Problem> {
        let mut tokens = Vec::new();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let numeric = |letter: char| letter.is_ascii_digit() || letter == '.';
            let wordy = |letter: char| letter.is_alphanumeric() || "._-µ".contains(letter);
            let signed = rest
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(numeric));
            let length = if numeric(first) || signed {
                let start = usize::from(signed);
                let digits = rest[start..].find(|letter| !numeric(letter));
                let length = digits.map_or(rest.len(), |digits| start + digits);
                let text = &rest[..length];
                let number = text.parse().map_err(|_| Problem::Number(text.to_owned()))?;
                tokens.push(Token::Number(number));
                length
            } else if wordy(first) {
                let length = rest.find(|letter| !wordy(letter)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            } else {
                tokens.push(Token::Sign(first));
                first.len_utf8()
            };
            rest = rest[length..].trim_start();
        }
        Ok(Self { tokens, next: 0 })
    }

    /// The next word, if there is one here.
    pub(super) fn word(&mut self) -> Option<String> {
        match self.tokens.get(self.next) {
            Some(Token::Word(word)) => {
                self.next += 1;
                Some(word.clone())
            }
            _ => None,
        }
    }

    /// Whether this word comes next; if so it is taken.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.next), Some(Token::Word(word)) if word == expected);
        self.next += usize::from(found);
        found
    }

    /// Whether this sign comes next; if so it is taken.
    pub(super) fn sign(&mut self, expected: char) -> bool {
        let found = self.tokens.get(self.next) == Some(&Token::Sign(expected));
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, expected: char) -> Result<(), Problem> {
        if self.sign(expected) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{expected}`")))
        }
    }

    pub(super) fn expect_word(&mut self, expected: &str) -> Result<(), Problem> {
        if self.take(expected) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{expected}`")))
        }
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if self.next == self.tokens.len() {
            Ok(())
        } else {
            Err(self.unexpected("the end of the line"))
        }
    }

    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        let found = match self.tokens.get(self.next) {
            None => "the line ends".to_owned(),
            Some(Token::Number(number)) => format!("there is `{number}`"),
            Some(Token::Word(word)) => format!("there is `{word}`"),
            Some(Token::Sign(sign)) => format!("there is `{sign}`"),
        };
        Problem::Unexpected {
            expected: expected.to_owned(),
            found,
        }
    }

    pub(super) fn number(&mut self, what: &str) -> Result<f64, Problem> {
        let Some(Token::Number(number)) = self.tokens.get(self.next) else {
            return Err(self.unexpected(what));
        };
        self.next += 1;
        Ok(*number)
    }

    /// A whole number.
    pub(super) fn count(&mut self, least: u32, most: u32) -> Result<u32, Problem> {
        let number = self.number("a whole number")?;
        if number.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&number) {
            Ok(number as u32)
        } else {
            Err(Problem::Count {
                number,
                least,
                most,
            })
        }
    }

    /// A number with a plus sign or not, and its unit.
    fn quantity(
        &mut self,
        what: &'static str,
        factor: impl Fn(&str) -> Option<f64>,
        units: &'static str,
    ) -> Result<f64, Problem> {
        self.sign('+');
        let number = self.number(what)?;
        let Some(unit) = self.word() else {
            return Err(self.unexpected(&format!("a unit ({units})")));
        };
        match factor(&unit) {
            Some(factor) => Ok(number * factor),
            None => Err(Problem::Unit { unit, what, units }),
        }
    }

    /// A time that may be negative.
    pub(super) fn span(&mut self) -> Result<Duration, Problem> {
        Ok(Duration::from_seconds_f64(self.seconds()?))
    }

    /// A time that may not be negative.
    pub(super) fn elapsed(&mut self) -> Result<Elapsed, Problem> {
        let seconds = self.seconds()?;
        Elapsed::try_from_secs_f64(seconds).map_err(|_| Problem::Negative)
    }

    fn seconds(&mut self) -> Result<f64, Problem> {
        let factor = |unit: &str| match unit {
            "s" => Some(1.0),
            "ms" => Some(1e-3),
            "us" | "µs" => Some(1e-6),
            "ns" => Some(1e-9),
            _ => None,
        };
        let seconds = self.quantity("time", factor, "s, ms, us or ns")?;
        if seconds.abs() > LONGEST {
            return Err(Problem::TooLong);
        }
        Ok(seconds)
    }

    /// A frequency error.
    pub(super) fn ppm(&mut self) -> Result<Ppm, Problem> {
        let factor = |unit: &str| match unit {
            "ppm" => Some(1.0),
            "ppb" => Some(1e-3),
            _ => None,
        };
        Ok(Ppm::new(self.quantity(
            "frequency",
            factor,
            "ppm or ppb",
        )?))
    }

    /// A share in per cent, if a number with a per cent sign comes next.
    pub(super) fn share(&mut self) -> Result<Option<Share>, Problem> {
        let (Some(Token::Number(number)), Some(Token::Sign('%'))) =
            (self.tokens.get(self.next), self.tokens.get(self.next + 1))
        else {
            return Ok(None);
        };
        if !(0.0..=100.0).contains(number) {
            return Err(Problem::Share(*number));
        }
        self.next += 2;
        Ok(Some(Share::new(number / 100.0)))
    }

    /// When it holds: `from TIME`, `until TIME`, `for TIME every TIME`, each of them or none.
    pub(super) fn window(&mut self) -> Result<Window, Problem> {
        let mut window = Window::ALWAYS;
        loop {
            if self.take("from") {
                window = window.starting(self.elapsed()?);
            } else if self.take("until") {
                window = window.ending(self.elapsed()?);
            } else if self.take("for") {
                let lasting = self.elapsed()?;
                self.expect_word("every")?;
                window = window.repeated(lasting, self.elapsed()?);
            } else {
                return Ok(window);
            }
        }
    }
}

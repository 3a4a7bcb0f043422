//! Takes the words of one statement, one after another.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf};

use ntp_wire::{Duration, KeyId};

use crate::{Severity, Span, Statement, Word, decimal, spelling};

/// What is wrong with a statement, before it has a file name.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn error(span: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message, hint)
    }

    pub(crate) fn warning(
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, span, message, hint)
    }

    pub(crate) fn note(span: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Severity::Note, span, message, hint)
    }

    fn new(
        severity: Severity,
        span: &Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint = hint.into();
        Self {
            severity,
            span: span.clone(),
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        }
    }

    /// A word that is not among those that may stand here.
    pub(crate) fn unknown(word: &Word, what: &str, allowed: &[&str]) -> Self {
        let hint = match spelling::nearest(&word.text, allowed.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if (1..=12).contains(&allowed.len()) => {
                format!("it may be {}", spelling::list(allowed))
            }
            None => String::new(),
        };
        let message = format!("`{}` is no {what}", spelling::shown(&word.text));
        Self::error(&word.span, message, hint)
    }
}

/// A cursor over a statement's arguments, and what it found odd on the way.
pub(crate) struct Reader<'a> {
    statement: &'a Statement,
    next: usize,
    pub(crate) remarks: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(statement: &'a Statement) -> Self {
        Self {
            statement,
            next: 0,
            remarks: Vec::new(),
        }
    }

    pub(crate) fn keyword(&self) -> &'a Word {
        &self.statement.keyword
    }

    pub(crate) fn span(&self) -> Span {
        self.statement.span()
    }

    /// The next word without taking it.
    pub(crate) fn peek(&self) -> Option<&'a Word> {
        self.statement.arguments.get(self.next)
    }

    /// The next word if there is one.
    pub(crate) fn take(&mut self) -> Option<&'a Word> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    /// Passes over all words that are left.
    pub(crate) fn rest(&mut self) {
        self.next = self.statement.arguments.len();
    }

    /// All arguments, taken or not.
    pub(crate) fn arguments(&self) -> &'a [Word] {
        &self.statement.arguments
    }

    /// The next word if it is `keyword`.
    pub(crate) fn take_if(&mut self, keyword: &str) -> Option<&'a Word> {
        self.peek().filter(|word| word.keyword() == keyword)?;
        self.take()
    }

    fn previous(&self) -> &'a Word {
        let before = self.next.checked_sub(1);
        before
            .and_then(|at| self.statement.arguments.get(at))
            .unwrap_or(&self.statement.keyword)
    }

    /// The next word; `what` says what it should be.
    pub(crate) fn expect(&mut self, what: &str) -> Result<&'a Word, Problem> {
        let previous = self.previous();
        self.take().ok_or_else(|| {
            let shown = spelling::shown(&previous.text);
            Problem::error(
                &previous.span,
                format!("{what} is missing after `{shown}`"),
                "",
            )
        })
    }

    /// Text that may not be empty.
    pub(crate) fn text(&mut self, what: &str) -> Result<String, Problem> {
        let word = self.expect(what)?;
        if word.text.is_empty() {
            return Err(Problem::error(&word.span, format!("{what} is empty"), ""));
        }
        Ok(word.text.clone())
    }

    /// The name of a network interface; `example` is a line that is right.
    pub(crate) fn interface_name(&mut self, example: &str) -> Result<String, Problem> {
        /// What the kernel takes as a name, in octets.
        const LONGEST: usize = 15;
        let word = self.expect("the name of an interface")?;
        let name = &word.text;
        if name.is_empty() || name.len() > LONGEST || name.contains('/') {
            return Err(Problem::error(
                &word.span,
                "this is no name of an interface",
                format!("write for example `{example}`; `ip link` lists them"),
            ));
        }
        Ok(name.clone())
    }

    pub(crate) fn path(&mut self, what: &str) -> Result<PathBuf, Problem> {
        self.text(what).map(PathBuf::from)
    }

    /// An integer; one outside `range` is an error.
    pub(crate) fn integer<T: TryFrom<i64>>(
        &mut self,
        what: &str,
        range: RangeInclusive<i64>,
    ) -> Result<T, Problem> {
        let word = self.expect(what)?;
        integer(word, what, &range)
    }

    /// An integer; one outside `range` is held to it, with a warning, as ntpd always did.
    pub(crate) fn clamped<T: TryFrom<i64>>(
        &mut self,
        what: &str,
        range: RangeInclusive<i64>,
    ) -> Result<T, Problem> {
        let word = self.expect(what)?;
        let number = integer::<i64>(word, what, &(i64::MIN..=i64::MAX))?;
        let held = number.clamp(*range.start(), *range.end());
        if held != number {
            let (low, high) = (range.start(), range.end());
            self.remarks.push(Problem::warning(
                &word.span,
                format!("{what} {number} is outside {low} to {high}; {held} is used"),
                "",
            ));
        }
        T::try_from(held)
            .map_err(|_| Problem::error(&word.span, format!("{what} is out of range"), ""))
    }

    /// The number of a symmetric key.
    pub(crate) fn key_id(&mut self, what: &str) -> Result<KeyId, Problem> {
        self.integer(what, 1..=65535).map(KeyId::new)
    }

    /// Seconds, with a point if need be.
    pub(crate) fn seconds(&mut self, what: &str) -> Result<Duration, Problem> {
        let word = self.expect(what)?;
        decimal::parse(&word.text).ok_or_else(|| {
            let shown = spelling::shown(&word.text);
            Problem::error(
                &word.span,
                format!("`{shown}` is no {what}"),
                "seconds are written like `0.128`, between -2147483647 and 2147483647",
            )
        })
    }

    /// Seconds, zero or more.
    pub(crate) fn span_of_time(&mut self, what: &str) -> Result<Duration, Problem> {
        let word = self.peek();
        let seconds = self.seconds(what)?;
        match word {
            Some(word) if seconds.is_negative() => Err(Problem::error(
                &word.span,
                format!("{what} cannot be negative"),
                "",
            )),
            _ => Ok(seconds),
        }
    }

    /// A number that is no time.
    pub(crate) fn number(&mut self, what: &str) -> Result<f64, Problem> {
        self.float(what, decimal::number)
    }

    /// A number that is no time; one outside `range` is held to it, with a warning.
    pub(crate) fn number_within(
        &mut self,
        what: &str,
        range: RangeInclusive<f64>,
    ) -> Result<f64, Problem> {
        let word = self.peek();
        let number = self.number(what)?;
        Ok(self.held(word, what, number, &range))
    }

    /// A rate in parts per million. One that is so small that it makes sense only in seconds per
    /// second, as the reference's manual has it, is that; one outside `range` is held to it.
    pub(crate) fn rate(&mut self, what: &str, range: RangeInclusive<f64>) -> Result<f64, Problem> {
        /// Where neither reading makes sense in the other unit.
        const SMALL: f64 = 0.001;
        let word = self.peek();
        let number = self.float(what, |text| {
            let number = decimal::number(text)?;
            if number.abs() < SMALL {
                decimal::millionths(text)
            } else {
                Some(number)
            }
        })?;
        Ok(self.held(word, what, number, &range))
    }

    /// Seconds; fewer than `least` are held to it, with a warning.
    pub(crate) fn seconds_from(
        &mut self,
        what: &str,
        least: Duration,
    ) -> Result<Duration, Problem> {
        let word = self.peek();
        let seconds = self.span_of_time(what)?;
        if let Some(word) = word.filter(|_| seconds < least) {
            let (least, shown) = (decimal::write(least), spelling::shown(&word.text));
            self.remarks.push(Problem::warning(
                &word.span,
                format!("{what} {shown} is less than {least}; {least} is used"),
                "",
            ));
        }
        Ok(seconds.max(least))
    }

    fn held(
        &mut self,
        word: Option<&Word>,
        what: &str,
        number: f64,
        range: &RangeInclusive<f64>,
    ) -> f64 {
        let (low, high) = (*range.start(), *range.end());
        let held = number.clamp(low, high);
        if let Some(word) = word.filter(|_| held != number) {
            self.remarks.push(Problem::warning(
                &word.span,
                format!("{what} {number} is outside {low} to {high}; {held} is used"),
                "",
            ));
        }
        held
    }

    fn float(&mut self, what: &str, parse: fn(&str) -> Option<f64>) -> Result<f64, Problem> {
        let word = self.expect(what)?;
        parse(&word.text).ok_or_else(|| {
            let message = format!("`{}` is no number", spelling::shown(&word.text));
            Problem::error(&word.span, message, format!("{what} is wanted"))
        })
    }

    /// An address; a name is an error.
    pub(crate) fn address(&mut self, what: &str) -> Result<IpAddr, Problem> {
        let word = self.expect(what)?;
        word.text.parse().map_err(|_| {
            let shown = spelling::shown(&word.text);
            Problem::error(
                &word.span,
                format!("`{shown}` is no {what}"),
                "addresses are written like `192.0.2.1` or `2001:db8::1`",
            )
        })
    }

    /// That nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), Problem> {
        match self.take() {
            None => Ok(()),
            Some(word) => {
                let shown = spelling::shown(&word.text);
                let keyword = &self.keyword().text;
                let message = format!("`{shown}` is too much here");
                Err(Problem::error(
                    &word.span,
                    message,
                    format!("`{keyword}` ends before it"),
                ))
            }
        }
    }
}

/// The integer that `word` is.
pub(crate) fn integer<T: TryFrom<i64>>(
    word: &Word,
    what: &str,
    range: &RangeInclusive<i64>,
) -> Result<T, Problem> {
    let shown = spelling::shown(&word.text);
    let digits = word.text.strip_prefix(['-', '+']).unwrap_or(&word.text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("`{shown}` is no number");
        return Err(Problem::error(
            &word.span,
            message,
            format!("{what} is wanted"),
        ));
    }
    let number = word
        .text
        .parse::<i64>()
        .ok()
        .filter(|number| range.contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            let message = if *range == (i64::MIN..=i64::MAX) {
                format!("{what} {shown} is far out of range")
            } else {
                format!(
                    "{what} {shown} is outside {} to {}",
                    range.start(),
                    range.end()
                )
            };
            Problem::error(&word.span, message, "")
        })
}

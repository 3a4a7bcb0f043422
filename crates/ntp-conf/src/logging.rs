//! `logconfig`: what the log is told.

use crate::{
    line::Line,
    reader::{Problem, Reader},
    spelling,
};

/// What a message is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum LogClass {
    /// `clock`: reference clocks.
    Clock,
    /// `peer`: associations.
    Peer,
    /// `sys`: the daemon.
    System,
    /// `sync`: the clock's state.
    Synchronisation,
}

/// What kind of message it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum LogKind {
    /// `info`
    Information,
    /// `events`
    Event,
    /// `statistics`
    Statistics,
    /// `status`
    Status,
}

const CLASSES: [(&str, LogClass); 4] = [
    ("clock", LogClass::Clock),
    ("peer", LogClass::Peer),
    ("sys", LogClass::System),
    ("sync", LogClass::Synchronisation),
];

const KINDS: [(&str, LogKind); 4] = [
    ("info", LogKind::Information),
    ("events", LogKind::Event),
    ("statistics", LogKind::Statistics),
    ("status", LogKind::Status),
];

/// The messages that are logged: a set of pairs of class and kind, at first all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogMask(u16);

impl Default for LogMask {
    fn default() -> Self {
        Self::ALL
    }
}

impl LogMask {
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether such a message is logged.
    pub const fn contains(self, class: LogClass, kind: LogKind) -> bool {
        self.0 & Self::bit(class, kind) != 0
    }

    const fn bit(class: LogClass, kind: LogKind) -> u16 {
        1 << (class as u8 * 4 + kind as u8)
    }

    /// With such messages too.
    #[must_use]
    pub const fn with(self, class: LogClass, kind: LogKind) -> Self {
        Self(self.0 | Self::bit(class, kind))
    }

    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut mask = *self;
        let mut next = Some(reader.expect("something like `=syncall` or `+peerevents`")?);
        while let Some(word) = next {
            // The sign may stand alone.
            let word = match word.keyword() {
                "=" | "+" | "-" => {
                    let name = reader.expect("a class of messages")?;
                    let text = format!("{}{}", word.text, name.text);
                    crate::Word {
                        text,
                        span: word.span.to(&name.span),
                        quoted: false,
                    }
                }
                _ => word.clone(),
            };
            let (sign, name) = match word.text.chars().next() {
                Some(sign @ ('=' | '+' | '-')) => (sign, word.text.get(1..).unwrap_or("")),
                _ => ('=', word.text.as_str()),
            };
            let named = Self::named(name).ok_or_else(|| {
                let shown = spelling::shown(&word.text);
                Problem::error(
                    &word.span,
                    format!("`{shown}` is no class of messages"),
                    "write `=`, `+` or `-`, then `clock`, `peer`, `sys`, `sync` or `all`, then \
                     `info`, `events`, `statistics`, `status` or `all`",
                )
            })?;
            mask = match sign {
                '+' => Self(mask.0 | named.0),
                '-' => Self(mask.0 & !named.0),
                _ => named,
            };
            next = reader.take();
        }
        *self = mask;
        Ok(())
    }

    fn named(name: &str) -> Option<Self> {
        // `all` may be class, kind or both, so each way to split the word is tried.
        let classes = CLASSES.map(|(word, class)| (word, vec![class]));
        let every_class = [("all", CLASSES.map(|(_, class)| class).to_vec())];
        for (word, classes) in classes.into_iter().chain(every_class) {
            let Some(kind) = name.strip_prefix(word) else {
                continue;
            };
            let kinds = match kind {
                "all" => KINDS.map(|(_, kind)| kind).to_vec(),
                "" if word == "all" => KINDS.map(|(_, kind)| kind).to_vec(),
                kind => match KINDS.iter().find(|(word, _)| *word == kind) {
                    Some((_, kind)) => vec![*kind],
                    None => match CLASSES
                        .iter()
                        .find(|(class, _)| word == "all" && *class == kind)
                    {
                        Some((_, class)) => {
                            return Some(Self::of(&[*class], &KINDS.map(|(_, kind)| kind)));
                        }
                        None => continue,
                    },
                },
            };
            return Some(Self::of(&classes, &kinds));
        }
        None
    }

    fn of(classes: &[LogClass], kinds: &[LogKind]) -> Self {
        let pairs = classes
            .iter()
            .flat_map(|class| kinds.iter().map(move |kind| (*class, *kind)));
        pairs.fold(Self::NONE, |mask, (class, kind)| mask.with(class, kind))
    }

    pub(crate) fn write(self, out: &mut String) {
        if self == Self::ALL {
            return;
        }
        let mut line = Line::new("logconfig").word("-allall");
        for (class_word, class) in CLASSES {
            for (kind_word, kind) in KINDS {
                line = line.flag(
                    &format!("+{class_word}{kind_word}"),
                    self.contains(class, kind),
                );
            }
        }
        line.end(out);
    }
}

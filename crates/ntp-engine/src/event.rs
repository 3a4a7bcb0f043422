//! What happened, for the log and for the status words of mode 6.

use std::fmt;

use ntp_conf::{LogClass, LogKind, LogMask};
use ntp_wire::AssociationId;

/// Something an operator may want to know. Its `Display` is the line for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// How loud to say it.
    pub severity: Severity,
    /// Whom it is about.
    pub about: Subject,
    /// What happened.
    pub what: What,
}

/// How much an event matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Ordinary life.
    Information,
    /// Something is not as it should be, and things go on.
    Warning,
    /// Something does not work until somebody mends it.
    Error,
}

/// Whom an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The daemon and its clock; printed as 0.0.0.0, as the reference does.
    System,
    /// One of its associations.
    Association {
        /// Its number.
        id: AssociationId,
        /// Its address, or its name while that has no address yet.
        address: String,
    },
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// An event with a code of RFC 9327, which the status word then shows.
    Status {
        /// The status word after it.
        status: u16,
        /// The code: below 0x80 the system's, above an association's.
        code: u8,
        /// The code's word.
        word: &'static str,
        /// What ntpd 4.2.8 adds, perhaps nothing.
        detail: String,
        /// The same in plain words, and what to do about it; perhaps nothing.
        words: String,
    },
    /// A step of Autokey; the text is what the reference writes to cryptostats.
    Autokey(String),
    /// Plain words.
    Note(String),
}

impl Event {
    /// Whether `logconfig` wants it. What is wrong is always told.
    pub fn is_wanted(&self, mask: LogMask) -> bool {
        let has = |class, kind| mask.contains(class, kind);
        let of_system = matches!(self.about, Subject::System);
        self.severity > Severity::Information
            || match self.what {
                What::Status { .. } if of_system => {
                    has(LogClass::System, LogKind::Event)
                        || has(LogClass::Synchronisation, LogKind::Event)
                }
                What::Status { .. } => has(LogClass::Peer, LogKind::Event),
                What::Autokey(_) | What::Note(_) if of_system => {
                    has(LogClass::System, LogKind::Information)
                }
                What::Autokey(_) | What::Note(_) => has(LogClass::Peer, LogKind::Information),
            }
    }

    /// The line as ntpd 4.2.8 writes it, for `protostats`.
    pub(crate) fn bare(&self) -> String {
        match &self.what {
            What::Status { .. } => {
                let mut event = self.clone();
                if let What::Status { words, .. } = &mut event.what {
                    words.clear();
                }
                event.to_string()
            }
            What::Autokey(_) | What::Note(_) => self.to_string(),
        }
    }

    /// Plain words about the system.
    pub(crate) fn note(severity: Severity, text: impl Into<String>) -> Self {
        Self {
            severity,
            about: Subject::System,
            what: What::Note(text.into()),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.about {
            Subject::System => "0.0.0.0",
            Subject::Association { address, .. } => address,
        };
        match &self.what {
            What::Status {
                status,
                code,
                word,
                detail,
                words,
            } => {
                write!(f, "{address} {status:04x} {code:02x} {word}")?;
                if !detail.is_empty() {
                    write!(f, " {detail}")?;
                }
                if !words.is_empty() {
                    write!(f, ": {words}")?;
                }
                Ok(())
            }
            What::Autokey(text) => write!(f, "{address} autokey: {text}"),
            What::Note(text) => match self.about {
                Subject::System => f.write_str(text),
                Subject::Association { .. } => write!(f, "{address}: {text}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_the_references() {
        let event = step();
        assert_eq!(event.bare(), "0.0.0.0 c61c 0c clock_step +0.5 s");
        let text = "0.0.0.0 c61c 0c clock_step +0.5 s: it was far off";
        assert_eq!(event.to_string(), text);
    }

    fn step() -> Event {
        Event {
            severity: Severity::Information,
            about: Subject::System,
            what: What::Status {
                status: 0xc61c,
                code: 0x0c,
                word: "clock_step",
                detail: "+0.5 s".into(),
                words: "it was far off".into(),
            },
        }
    }

    fn mask(text: &str) -> LogMask {
        let line = format!("logconfig {text}\n");
        let parsed = ntp_conf::parse("ntp.conf", line, |_| Err(String::new()));
        assert!(!parsed.has_errors());
        parsed.config.log_mask
    }

    #[test]
    fn the_log_is_told_what_it_wants() {
        let peer = |what| Event {
            severity: Severity::Information,
            about: Subject::Association {
                id: AssociationId::new(1),
                address: "192.0.2.1".into(),
            },
            what,
        };
        let reached = peer(step().what);
        let told = peer(What::Note("a".into()));
        let note = Event::note(Severity::Information, "b");
        let all = [&step(), &reached, &told, &note];
        for (text, wanted) in [
            ("=all", [true; 4]),
            ("=sysevents", [true, false, false, false]),
            ("=syncevents", [true, false, false, false]),
            ("=peerall", [false, true, true, false]),
            ("=sysinfo +peerinfo", [false, false, true, true]),
            ("=syncstatus", [false; 4]),
        ] {
            let mask = mask(text);
            assert_eq!(all.map(|event| event.is_wanted(mask)), wanted, "{text}");
        }
        // Nobody is left in the dark.
        assert!(Event::note(Severity::Warning, "c").is_wanted(mask("-all")));
    }
}

//! What happened, for the log and for the status words of mode 6.

use std::fmt;

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
        /// More words, perhaps none.
        detail: String,
    },
    /// A step of Autokey; the text is what the reference writes to cryptostats.
    Autokey(String),
    /// Plain words.
    Note(String),
}

impl Event {
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
            } => {
                write!(f, "{address} {status:04x} {code:02x} {word}")?;
                if detail.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {detail}")
                }
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
        let event = Event {
            severity: Severity::Information,
            about: Subject::System,
            what: What::Status {
                status: 0xc61c,
                code: 0x0c,
                word: "clock_step",
                detail: "+0.5 s".into(),
            },
        };
        assert_eq!(event.to_string(), "0.0.0.0 c61c 0c clock_step +0.5 s");
    }
}

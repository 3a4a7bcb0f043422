//! What is worth a line in the log.

/// Something that happened; its text is the rest of a line of cryptostats.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {}

impl std::fmt::Display for Event {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

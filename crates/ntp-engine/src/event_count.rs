//! The low octet of a status word: how many events, and which was the last.

/// Counts events as mode 6 shows them: up to fifteen, and the code of the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct EventCount {
    pub(crate) count: u8,
    pub(crate) last: u8,
}

impl EventCount {
    const MOST: u8 = 15;

    /// Notes the event with this code, of which four bits are shown.
    pub(crate) fn note(&mut self, code: u8) {
        // The reference counts how often the same event came in a row.
        if self.last != code & 0xf {
            self.count = 0;
        }
        self.last = code & 0xf;
        self.count = (self.count + 1).min(Self::MOST);
    }
}

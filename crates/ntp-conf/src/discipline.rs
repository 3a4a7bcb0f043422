//! `discipline`: which loop steers the clock.

use crate::reader::{Problem, Reader};

/// `discipline`: what makes of samples a clock that is right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Discipline {
    /// `precise`: an estimator for each source, and a loop that follows them.
    #[default]
    Precise,
    /// `classic`: filter and loop of RFC 5905, as in ntpd 4.2.8.
    Classic,
}

impl Discipline {
    const ALL: [Self; 2] = [Self::Precise, Self::Classic];

    /// The word that the file writes.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Precise => "precise",
            Self::Classic => "classic",
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let words = Self::ALL.map(Self::word);
        let word = reader.expect("`precise` or `classic`")?;
        let found = Self::ALL
            .into_iter()
            .find(|one| one.word() == word.keyword());
        found.ok_or_else(|| Problem::unknown(word, "discipline", &words))
    }
}

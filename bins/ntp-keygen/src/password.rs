//! Which password opens the files, and which one protects what is printed.
//!
//! Since 2009 `-p` is the password of the key files and `-q` the one for export. Before, `-q` read
//! and `-p` wrote. A command line does not tell which is meant; the files do, by what opens them.

use crate::arguments::Arguments;

/// The passwords of the command line.
#[derive(Clone, Copy)]
pub(crate) struct Passwords<'a> {
    p: Option<&'a str>,
    q: Option<&'a str>,
    host: &'a str,
}

/// What they turned out to mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    /// Opens the key files.
    pub(crate) local: &'a str,
    /// Protects what is printed; nothing does if there is none.
    pub(crate) export: Option<&'a str>,
    /// Whose meaning of the options it is.
    pub(crate) dialect: Dialect,
}

/// Which option is which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// `-p` opens, `-q` is for export.
    Today,
    /// `-q` opens, `-p` is for export: ntp 4.2.4 and before.
    Of2008,
}

impl Choice<'_> {
    /// What was taken for what, in words.
    pub(crate) const fn explanation(&self) -> &'static str {
        match (self.dialect, self.export.is_some()) {
            (Dialect::Today, true) => {
                "Taking -p (or the host name) as the password of the key files, -q as that for export"
            }
            (Dialect::Today, false) => {
                "No password for export: the parameters are not encrypted, carry them by a safe way"
            }
            (Dialect::Of2008, true) => {
                "Taking -q (or the host name) as the password of the key files, -p as that for \
                 export, as in 2008"
            }
            (Dialect::Of2008, false) => "Taking -q as the password of the key files, as in 2008",
        }
    }
}

impl<'a> Passwords<'a> {
    /// Those of the command line; where one is missing the host name opens.
    pub(crate) fn new(arguments: &'a Arguments, host: &'a str) -> Self {
        Self {
            p: arguments.password.as_deref(),
            q: arguments.export_password.as_deref(),
            host,
        }
    }

    /// What they mean if there is no file that could tell.
    pub(crate) fn today(self) -> Choice<'a> {
        Choice {
            local: self.p.unwrap_or(self.host),
            export: self.q,
            dialect: Dialect::Today,
        }
    }

    fn of_2008(self) -> Choice<'a> {
        Choice {
            local: self.q.unwrap_or(self.host),
            export: self.p,
            dialect: Dialect::Of2008,
        }
    }

    /// What they mean if `open` opens the files: the meaning of today if that does.
    ///
    /// # Errors
    ///
    /// What `open` says to today's password, if neither does.
    pub(crate) fn choose<E>(self, open: impl Fn(&str) -> Result<(), E>) -> Result<Choice<'a>, E> {
        let (today, of_2008) = (self.today(), self.of_2008());
        match open(today.local) {
            Ok(()) => Ok(today),
            Err(error) if of_2008.local == today.local => Err(error),
            Err(error) => match open(of_2008.local) {
                Ok(()) => Ok(of_2008),
                Err(_) => Err(error),
            },
        }
    }

    /// What was tried if nothing opens a file.
    pub(crate) fn tried(self) -> &'static str {
        match (self.p, self.q) {
            (Some(_), Some(_)) => "neither the password of -p nor that of -q opens it",
            (Some(_), None) => "neither the password of -p nor the host name opens it",
            (None, Some(_)) => "neither the host name nor the password of -q opens it",
            (None, None) => "the host name does not open it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(p: Option<&'static str>, q: Option<&'static str>) -> Passwords<'static> {
        Passwords {
            p,
            q,
            host: "server",
        }
    }

    fn choose(
        p: Option<&'static str>,
        q: Option<&'static str>,
        right: &str,
    ) -> Option<Choice<'static>> {
        passwords(p, q)
            .choose(|password| (password == right).then_some(()).ok_or(()))
            .ok()
    }

    #[test]
    fn the_files_tell_which_is_which() {
        use Dialect::{Of2008, Today};
        for (p, q, right, wanted) in [
            (
                Some("redhat"),
                Some("linux"),
                "redhat",
                Some((Some("linux"), Today)),
            ),
            (
                Some("linux"),
                Some("redhat"),
                "redhat",
                Some((Some("linux"), Of2008)),
            ),
            (
                Some("same"),
                Some("same"),
                "same",
                Some((Some("same"), Today)),
            ),
            (Some("redhat"), None, "redhat", Some((None, Today))),
            (Some("linux"), None, "server", Some((Some("linux"), Of2008))),
            (None, Some("linux"), "server", Some((Some("linux"), Today))),
            (None, Some("redhat"), "redhat", Some((None, Of2008))),
            (None, None, "server", Some((None, Today))),
            (Some("a"), Some("b"), "server", None),
            (None, None, "redhat", None),
        ] {
            let choice = choose(p, q, right);
            let found = choice.map(|choice| (choice.export, choice.dialect));
            assert_eq!(found, wanted, "-p {p:?} -q {q:?} for {right}");
            assert!(choice.is_none_or(|choice| choice.local == right));
        }
    }
}

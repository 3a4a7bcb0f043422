//! Whose keys they are: the host and its group.

use std::io;

use ntp_keys::Certificate;

use crate::arguments::Arguments;

/// The names in files and certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    /// The host.
    pub(crate) host: String,
    /// The group, if one is named.
    group: Option<String>,
}

impl Names {
    /// What the command line says, or the name of this machine.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, NameError> {
        let (subject, its_group) = match arguments.subject.as_deref() {
            Some(text) => match text.split_once('@') {
                Some((host, group)) => (Some(host), Some(group)),
                None => (Some(text), None),
            },
            None => (None, None),
        };
        let host = match subject.filter(|host| !host.is_empty()) {
            Some(host) => host.to_owned(),
            None => ntp_os::host_name().map_err(NameError::System)?,
        };
        let group = its_group.or(arguments.group.as_deref()).map(str::to_owned);
        check("host", &host)?;
        if let Some(group) = &group {
            check("group", group)?;
        }
        Ok(Self { host, group })
    }

    /// The group; a host without one is its own.
    pub(crate) fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.host)
    }

    /// The group, if one is named.
    pub(crate) fn chosen_group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The same, with the group of the certificate that is there if the command line names none.
    #[must_use]
    pub(crate) fn or_group_of(mut self, certificate: Option<&Certificate>) -> Self {
        if self.group.is_none() {
            self.group = certificate
                .and_then(|certificate| certificate.subject().split_once('@'))
                .map(|(_, group)| group.to_owned())
                .filter(|group| check("group", group).is_ok());
        }
        self
    }

    /// The subject of a new certificate: `host@group`, or `host` if it is its own group.
    pub(crate) fn subject(&self) -> String {
        match self.chosen_group() {
            Some(group) if group != self.host => format!("{}@{group}", self.host),
            _ => self.host.clone(),
        }
    }
}

/// They become parts of file names and of the common name, so nothing may hide in them.
fn check(what: &'static str, name: &str) -> Result<(), NameError> {
    const LONGEST: usize = 120;
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"/@\\".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
        let name = name.chars().take(LONGEST).collect();
        return Err(NameError::Unusable { what, name });
    }
    Ok(())
}

/// Why there are no names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    #[error("this machine tells no name ({0}): give one by -s")]
    System(io::Error),
    #[error(
        "{name:?} cannot be a {what} name: 1 to 120 octets without blanks, '/', '@' and '\\' can; \
         give another by -s HOST@GROUP"
    )]
    Unusable { what: &'static str, name: String },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn names(line: &str) -> Result<Names, NameError> {
        Names::new(&Arguments::try_parse_from(line.split(' ')).unwrap())
    }

    #[test]
    fn the_subject_names_host_and_group() {
        for (line, group, subject) in [
            ("k -s server", "server", "server"),
            ("k -s server@lab", "lab", "server@lab"),
            ("k -s server -i lab", "lab", "server@lab"),
            ("k -s server@lab -i other", "lab", "server@lab"),
            ("k -s server -i server", "server", "server"),
        ] {
            let names = names(line).unwrap();
            assert_eq!(names.host, "server", "{line}");
            assert_eq!(names.group(), group, "{line}");
            assert_eq!(names.subject(), subject, "{line}");
        }
        assert_eq!(
            names("k -s @lab").unwrap().host,
            ntp_os::host_name().unwrap()
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for line in [
            "k -s ../x",
            "k -s a@b@c",
            "k -s a@",
            "k -i ",
            "k -s a\nb",
            "k -s a\u{a0}b",
        ] {
            assert!(names(line).is_err(), "{line}");
        }
        assert!(names(&format!("k -s {}", "x".repeat(121))).is_err());
    }
}

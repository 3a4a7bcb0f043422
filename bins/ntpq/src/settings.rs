//! Commands that ask nobody: they change or tell how ntpq itself is set.

use std::time::Duration;

use ntp_keys::KeyAlgorithm;
use ntp_os::complain;
use ntp_wire::Version;
use ntpq::Family;

use crate::{
    command::{self, Action, Command, NotFound},
    shell::{CommandError, Shell, unsigned},
};

impl Shell {
    pub(crate) fn set(
        &mut self,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let word = words.first().copied();
        Ok(match command.action {
            Action::AddVariables | Action::RemoveVariables if words.is_empty() => {
                return Err(CommandError::Usage {
                    name: command.name,
                    usage: command.usage,
                });
            }
            Action::AddVariables => self.add_variables(&words.join(" ")),
            Action::RemoveVariables => self.remove_variables(&words.join(" ")),
            Action::ClearVariables => {
                self.variables.clear();
                String::new()
            }
            Action::ShowVariables => self.show_variables(),
            Action::Cooked => {
                self.raw = false;
                "Output set to cooked\n".to_owned()
            }
            Action::Raw => {
                self.raw = true;
                "Output set to raw\n".to_owned()
            }
            Action::Debug => self.debug(word),
            Action::Delay => match word {
                Some(word) => {
                    let illegal = |_| CommandError::IllegalInteger(word.to_owned());
                    self.delay = word.parse().map_err(illegal)?;
                    String::new()
                }
                None => format!("delay {} ms\n", self.delay),
            },
            Action::Timeout => match word {
                Some(word) => {
                    let timeout = Duration::from_millis(unsigned(word)?.into());
                    self.session.set_timeout(timeout);
                    String::new()
                }
                None => format!(
                    "primary timeout {} ms\n",
                    self.session.timeout().as_millis()
                ),
            },
            Action::Help => help(word),
            Action::Host => self.host(words),
            Action::HostNames => {
                if let Some(word) = word {
                    self.settings.names = yes(word)?;
                    return Ok(String::new());
                }
                let not = if self.settings.names { "" } else { "not " };
                format!("hostnames {not}being shown\n")
            }
            Action::AuthenticateAlways => {
                if let Some(word) = word {
                    self.always_sign = yes(word)?;
                    return Ok(String::new());
                }
                let not = if self.always_sign { "" } else { "un" };
                format!("{not}authenticated requests being sent\n")
            }
            Action::KeyId => match word {
                Some(word) => {
                    // A word that is no number is told of before the number is looked at.
                    unsigned(word)?;
                    match self.choose_key(word) {
                        Ok(()) => String::new(),
                        // Where a key was not asked for, this is no failure of a request.
                        Err(error) => format!("{error}\n"),
                    }
                }
                None => match self.key_id {
                    Some(id) => format!("keyid is {id}\n"),
                    None => "no keyid defined\n".to_owned(),
                },
            },
            Action::KeyType => self.key_type(word),
            Action::Password => self.choose_password(word)?,
            Action::NtpVersion => match word {
                Some(word) => {
                    match unsigned(word)? {
                        version @ 1..=4 => {
                            self.session.set_version(Version::from_bits(version as u8));
                        }
                        _ => return Err(CommandError::BadVersion),
                    }
                    String::new()
                }
                None => {
                    let version = self.session.version().value();
                    format!("NTP version being claimed is {version}\n")
                }
            },
            Action::ReferenceIds => {
                let is = match word {
                    None => "is",
                    Some("hash" | "ipv4") => "set to",
                    Some(_) => return Ok("What?\n".to_owned()),
                };
                if let Some(word) = word {
                    self.settings.reference_id_as_hash = word == "hash";
                }
                let value = if self.settings.reference_id_as_hash {
                    "hash"
                } else {
                    "ipv4"
                };
                format!("drefid value {is} {value}\n")
            }
            Action::Poll if word.is_some_and(|word| unsigned(word).is_err()) => {
                return Err(CommandError::IllegalUnsigned(
                    word.unwrap_or_default().to_owned(),
                ));
            }
            Action::Poll => "poll not implemented yet\n".to_owned(),
            // Scripts look for the first number, to know what this understands.
            Action::Version => format!(
                "ntpq 4.2.8 (Meridian {}.{})\n",
                env!("CARGO_PKG_VERSION_MAJOR"),
                env!("CARGO_PKG_VERSION_MINOR")
            ),
            _ => String::new(),
        })
    }

    fn add_variables(&mut self, list: &str) -> String {
        for item in split_list(list) {
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
                None => (item, None),
            };
            if name.is_empty() {
                continue;
            }
            match self.variables.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => *old = value,
                None => self.variables.push((name.to_owned(), value)),
            }
        }
        String::new()
    }

    fn remove_variables(&mut self, list: &str) -> String {
        for name in split_list(list) {
            let before = self.variables.len();
            self.variables.retain(|(other, _)| other != name);
            if self.variables.len() == before {
                complain(format_args!("Variable `{name}' not found"));
            }
        }
        String::new()
    }

    fn show_variables(&self) -> String {
        if self.variables.is_empty() {
            return "No variables on list\n".to_owned();
        }
        let mut text = String::new();
        for (name, value) in &self.variables {
            text += &format!("{name}={}\n", value.as_deref().unwrap_or_default());
        }
        text
    }

    fn debug(&mut self, word: Option<&str>) -> String {
        let level = self.settings.debug;
        self.settings.debug = match word {
            None => return format!("debug level is {level}\n"),
            Some("no") => 0,
            Some("more") => level.saturating_add(1),
            Some("less") => level.saturating_sub(1),
            Some(_) => return "What?\n".to_owned(),
        };
        format!("debug level set to {}\n", self.settings.debug)
    }

    fn host(&mut self, words: &[&str]) -> String {
        let (family, words) = match words {
            ["-4", rest @ ..] => (Family::Ipv4, rest),
            ["-6", rest @ ..] => (Family::Ipv6, rest),
            words => (self.settings.family, words),
        };
        let mut change = "is";
        if words.len() > 1 {
            change = "remains";
        } else if let Some(host) = words.first() {
            let before = core::mem::replace(&mut self.settings.family, family);
            change = if self.open(host) { "set to" } else { "remains" };
            self.settings.family = before;
        }
        match (&self.connection, change) {
            (Some(connection), change) => format!("current host {change} {}\n", connection.host),
            (None, "remains") => "still no current host\n".to_owned(),
            (None, _) => "no current host\n".to_owned(),
        }
    }

    fn key_type(&mut self, word: Option<&str>) -> String {
        if let Some(word) = word {
            let Some(algorithm) = KeyAlgorithm::from_name(word) else {
                return "keytype is not valid. Type \"help keytype\" for the available digest \
                        types.\n"
                    .to_owned();
            };
            self.algorithm = algorithm;
            return String::new();
        }
        format!(
            "keytype is {} with {} octet digests\n",
            self.algorithm.name(),
            self.algorithm.mac_length()
        )
    }
}

/// What stands between commas, but for values in quotes.
fn split_list(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
    .map(str::trim)
    .filter(|item| !item.is_empty())
}

fn yes(word: &str) -> Result<bool, CommandError> {
    match word {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(CommandError::What),
    }
}

fn help(name: Option<&str>) -> String {
    let Some(name) = name else {
        return command::list();
    };
    match command::find(name) {
        Ok(command) => {
            let usage = format!("{} {}", command.name, command.usage);
            format!(
                "function: {}\nusage: {}\n",
                command.purpose,
                usage.trim_end()
            )
        }
        Err(not_found) => {
            let why = match not_found {
                NotFound::Unknown => "unknown",
                NotFound::Ambiguous => "ambiguous",
            };
            complain(format_args!("Command `{name}' is {why}"));
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_at_commas_outside_quotes() {
        let items: Vec<_> = split_list("a=\"1,2\",,b , c=").collect();
        assert_eq!(items, ["a=\"1,2\"", "b", "c="]);
    }

    #[test]
    fn help_tells_usage() {
        assert!(
            help(Some("rv"))
                .ends_with("\nusage: rv [ assocID ] [ varname1 ] [ varname2 ] [ varname3 ]\n")
        );
        assert!(help(Some("raw")).ends_with("\nusage: raw\n"));
        assert_eq!(help(Some("nosuch")), "");
    }
}

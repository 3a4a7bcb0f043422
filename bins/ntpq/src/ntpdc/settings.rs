//! Commands that ask nobody: they change or tell how ntpdc itself is set.

use std::time::Duration;

use ntp_keys::KeyAlgorithm;
use ntp_os::complain;
use ntp_wire::KeyId;
use ntpq::Family;
use zeroize::Zeroizing;

use crate::{
    arguments::Given,
    command::{self, Action, NotFound},
    shell::{CommandError, Shell},
};

impl Shell {
    pub(crate) fn set(&mut self, action: Action, given: &Given) -> Result<String, CommandError> {
        let word = given.word();
        let number = given.numbers.first().copied();
        Ok(match action {
            Action::Debug => self.debug(word),
            Action::Delay => match given.integer {
                Some(milliseconds) => {
                    self.delay = milliseconds;
                    String::new()
                }
                None => format!("delay {} ms\n", self.delay),
            },
            Action::Help => help(word),
            Action::Host => self.host(&given.words),
            Action::HostNames => {
                match word {
                    Some("yes") => self.settings.names = true,
                    Some("no") => self.settings.names = false,
                    Some(_) => return Err(CommandError::What),
                    None => {
                        let not = if self.settings.names { "" } else { "not " };
                        return Ok(format!("hostnames {not}being shown\n"));
                    }
                }
                String::new()
            }
            Action::KeyId => match (number, self.key_id) {
                (Some(number), _) => {
                    self.never_sign = number == 0;
                    let id = Some(KeyId::new(number)).filter(|_| number != 0);
                    if id != self.key_id {
                        self.password = None;
                    }
                    self.key_id = id;
                    String::new()
                }
                (None, Some(id)) => format!("keyid is {id}\n"),
                (None, None) if self.never_sign => "no keyid will be sent\n".to_owned(),
                (None, None) => "no keyid defined\n".to_owned(),
            },
            Action::KeyType => self.key_type(word),
            Action::Password => self.choose_password(word),
            Action::Timeout => match number {
                Some(milliseconds) => {
                    let timeout = Duration::from_millis(milliseconds.into());
                    self.session.set_timeout(timeout);
                    String::new()
                }
                None => {
                    let timeout = self.session.timeout().as_millis();
                    format!("primary timeout {timeout} ms\n")
                }
            },
            // Scripts look for the first number, to know what this understands.
            Action::Version => format!(
                "ntpdc 4.2.8 (Meridian {}.{})\n",
                env!("CARGO_PKG_VERSION_MAJOR"),
                env!("CARGO_PKG_VERSION_MINOR")
            ),
            _ => String::new(),
        })
    }

    fn choose_password(&mut self, word: Option<&str>) -> String {
        if self.known_key_id().is_none() {
            return "Keyid must be defined\n".to_owned();
        }
        let password = match word {
            Some(word) => Some(Zeroizing::new(word.to_owned())),
            None => self.ask_for_password(),
        };
        match password.filter(|password| !password.is_empty()) {
            Some(password) => {
                self.password = Some(password);
                String::new()
            }
            None => "Password unchanged\n".to_owned(),
        }
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

    fn host(&mut self, words: &[String]) -> String {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (family, host) = match words[..] {
            [] => (self.settings.family, None),
            ["-4", host, ..] => (Family::Ipv4, Some(host)),
            ["-6", host, ..] => (Family::Ipv6, Some(host)),
            [host] => (self.settings.family, Some(host)),
            [_, ..] => (self.settings.family, Some("")),
        };
        let mut change = "is";
        if let Some(host) = host {
            let before = core::mem::replace(&mut self.settings.family, family);
            let is_open = !host.is_empty() && self.open(host);
            change = if is_open { "set to" } else { "remains" };
            self.settings.family = before;
        }
        match (&self.connection, change) {
            (Some(connection), change) => format!("current host {change} {}\n", connection.host),
            (None, "remains") => "still no current host\n".to_owned(),
            (None, _) => "no current host\n".to_owned(),
        }
    }

    fn key_type(&mut self, word: Option<&str>) -> String {
        let Some(word) = word else {
            return format!(
                "keytype is {} with {} octet digests\n",
                self.algorithm.name(),
                self.algorithm.mac_length()
            );
        };
        match KeyAlgorithm::from_name(word) {
            Some(algorithm) => {
                self.algorithm = algorithm;
                String::new()
            }
            None => "keytype must be 'md5' or a digest type provided by OpenSSL\n".to_owned(),
        }
    }
}

fn help(name: Option<&str>) -> String {
    let Some(name) = name else {
        return command::list();
    };
    match command::find(name) {
        Ok(command) => format!("function: {}\n{}", command.purpose, command.usage()),
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

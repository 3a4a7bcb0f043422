//! Commands that change the daemon, and the key that signs them.

use ntp_control::{Credentials, Escaped, Request};
use ntp_os::complain;
use ntp_wire::{AssociationId, KeyId, control::Opcode};
use ntpq::{key_of, prompt, prompt_secret};
use zeroize::Zeroizing;

use crate::{
    command::{Action, Command},
    shell::{CommandError, Shell},
};

impl Shell {
    pub(crate) fn choose_key(&mut self, word: &str) -> Result<(), CommandError> {
        let id = word
            .parse()
            .map(KeyId::new)
            .ok()
            .filter(|id| id.is_symmetric())
            .ok_or(CommandError::BadKeyId)?;
        if self.key_id != Some(id) {
            self.password = None;
        }
        self.key_id = Some(id);
        Ok(())
    }

    pub(crate) fn choose_password(&mut self, word: Option<&str>) -> Result<String, CommandError> {
        if self.key_id.is_none() && self.ask_for_key().is_err() {
            return Ok("Keyid must be defined\n".to_owned());
        }
        let password = match word {
            Some(word) => Some(Zeroizing::new(word.to_owned())),
            None => self.ask_for_password(),
        };
        match password {
            Some(password) if !password.is_empty() => {
                self.password = Some(password);
                Ok(String::new())
            }
            _ => Ok("Password unchanged\n".to_owned()),
        }
    }

    fn ask_for_key(&mut self) -> Result<(), CommandError> {
        let word = prompt("Keyid: ").unwrap_or_default();
        self.choose_key(word.trim())
    }

    fn ask_for_password(&self) -> Option<Zeroizing<String>> {
        prompt_secret(&format!("{} Password: ", self.algorithm.name()))
    }

    /// The key that signs; what is not known yet is asked for.
    pub(crate) fn credentials(&mut self) -> Result<Credentials, CommandError> {
        if self.key_id.is_none() {
            self.ask_for_key()?;
        }
        let id = self.key_id.ok_or(CommandError::BadKeyId)?;
        if self.password.is_none() {
            self.password = self
                .ask_for_password()
                .filter(|password| !password.is_empty());
        }
        let password = self.password.as_ref().ok_or(CommandError::BadPassword)?;
        let key = key_of(self.algorithm, password).ok_or(CommandError::BadPassword)?;
        Ok(Credentials { id, key })
    }

    pub(crate) fn write(
        &mut self,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let association = match words.first() {
            Some(word) => self.association(word)?,
            None => AssociationId::SYSTEM,
        };
        let list = if command.action == Action::WriteList {
            let items = self.variables.iter().map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => name.clone(),
            });
            items.collect::<Vec<_>>().join(",")
        } else {
            words.get(1..).unwrap_or_default().join(",")
        };
        if list.is_empty() && command.action != Action::WriteList {
            return Err(CommandError::Usage {
                name: command.name,
                usage: command.usage,
            });
        }
        let response = self.ask(&Request {
            data: list.into_bytes(),
            ..Request::new(Opcode::WRITE_VARIABLES, association)
        })?;
        if response.data.is_empty() {
            return Ok("done! (no data returned)\n".to_owned());
        }
        Ok(self.with_view(|view| ntp_control::cooked(&response.data, view)))
    }

    pub(crate) fn configure(
        &mut self,
        command: &Command,
        line: &str,
    ) -> Result<String, CommandError> {
        if line.is_empty() {
            return Err(CommandError::Usage {
                name: command.name,
                usage: command.usage,
            });
        }
        let answer = self.send_configuration(line)?;
        let column = answer
            .strip_prefix("column ")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(column, _)| column.parse::<usize>().ok());
        Ok(match column {
            Some(column) => {
                let column = column.min(line.len());
                format!("{line}\n{:_<column$}^\n{answer}\n", "")
            }
            None => format!("{answer}\n"),
        })
    }

    pub(crate) fn configure_from_file(
        &mut self,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let Some(&path) = words.first() else {
            return Err(CommandError::Usage {
                name: command.name,
                usage: command.usage,
            });
        };
        let Ok(lines) = std::fs::read_to_string(path) else {
            return Ok(format!("ERROR!! Couldn't open file: {path}\n"));
        };
        let mut text = "Sending configuration file, one line at a time.\n".to_owned();
        for (number, line) in (1..).zip(lines.lines()) {
            let (line, _comment) = line.split_once('#').unwrap_or((line, ""));
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            match self.send_configuration(line) {
                Ok(answer) => text += &format!("Line No: {number} {answer}: {line}\n"),
                Err(error) => {
                    complain(format_args!(
                        "Line No: {number} query failed: {line}\n{error}"
                    ));
                    text += "Subsequent lines not sent.\n";
                    return Ok(text);
                }
            }
        }
        Ok(text + "Done sending file\n")
    }

    pub(crate) fn save_configuration(
        &mut self,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let Some(file) = words.first() else {
            return Err(CommandError::Usage {
                name: command.name,
                usage: command.usage,
            });
        };
        let response = self.ask(&Request {
            data: file.as_bytes().to_vec(),
            ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
        })?;
        Ok(match answer(&response.data) {
            text if text.is_empty() => "(no response message, curiously)\n".to_owned(),
            text => text + "\n",
        })
    }

    fn send_configuration(&mut self, line: &str) -> Result<String, CommandError> {
        let response = self.ask(&Request {
            data: line.as_bytes().to_vec(),
            ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
        })?;
        Ok(answer(&response.data))
    }
}

/// The text of a server, harmless, without the ends of lines behind it.
fn answer(data: &[u8]) -> String {
    let lines: Vec<_> = data
        .trim_ascii_end()
        .split(|&byte| byte == b'\n')
        .map(|line| Escaped(line.trim_ascii_end()).to_string())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_harmless() {
        assert_eq!(answer(b"Config\x1b Succeeded\r\n"), "Config^[ Succeeded");
        assert_eq!(answer(b"one\r\ntwo\r\n"), "one\ntwo");
    }
}

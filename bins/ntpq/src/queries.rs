//! Commands that read.

use ntp_control::{
    Association, Kind, Request, Summary, associations, cooked,
    peers::{self, Columns, ServerColumn},
    raw, status_line,
};
use ntp_os::complain;
use ntp_wire::{AssociationId, control::Opcode};
use ntpq::{Connection, Family};

use crate::{
    command::{Action, Command},
    shell::{CommandError, Shell, unsigned},
};

impl Shell {
    /// Reads the list of associations anew.
    fn read_associations(&mut self) -> Result<(), CommandError> {
        let response = self.ask(&Request::list_associations())?;
        self.associations = associations::parse(&response.data)?;
        Ok(())
    }

    /// The association that a word names: a number, or `&` and a place in the list.
    pub(crate) fn association(&mut self, word: &str) -> Result<AssociationId, CommandError> {
        let Some(index) = word.strip_prefix('&') else {
            let number = unsigned(word)?;
            return u16::try_from(number)
                .map(AssociationId::new)
                .map_err(|_| CommandError::InvalidAssociation(number));
        };
        let index = unsigned(index)
            .ok()
            .and_then(|index| usize::try_from(index).ok())
            .ok_or_else(|| CommandError::BadIndex(word.to_owned()))?;
        let Some(index) = index.checked_sub(1) else {
            return Ok(AssociationId::SYSTEM);
        };
        if self.associations.is_empty() {
            self.read_associations()?;
        }
        // A place behind the end means the last one, as it does to ntpq 4.2.8.
        self.associations
            .get(index)
            .or_else(|| self.associations.last())
            .map(|association| association.id)
            .ok_or_else(|| CommandError::NoAssociations(word.to_owned()))
    }

    pub(crate) fn list_associations(
        &mut self,
        all: bool,
        again: bool,
    ) -> Result<String, CommandError> {
        if again {
            self.read_associations()?;
        }
        if self.associations.is_empty() {
            let done = if again { "returned" } else { "in list" };
            return Ok(format!("No association ID's {done}\n"));
        }
        Ok(associations::table(&self.associations, all))
    }

    pub(crate) fn peers(
        &mut self,
        columns: Columns,
        all: bool,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let only = match words.first() {
            None => None,
            Some(&"-4") => Some(false),
            Some(&"-6") => Some(true),
            Some(_) => return Err(CommandError::BadFamily),
        };
        self.read_associations()?;
        if self.associations.is_empty() {
            return Ok("No association ID's returned\n".to_owned());
        }
        let host = self
            .connection
            .as_ref()
            .map(|connection| connection.host.clone());
        let host = host.unwrap_or_default();
        let server = self
            .server_column()
            .map(|width| ServerColumn { name: &host, width });
        let mut text = peers::heading(columns, server);
        for association in self.associations.clone() {
            if !all && !association.is_of_interest() {
                continue;
            }
            match self.ask(&Request::read_variables(association.id, "")) {
                Ok(response) if response.data.is_empty() => {
                    complain(format_args!(
                        "***No information returned for association {}",
                        association.id
                    ));
                }
                Ok(response) => {
                    // What was true when the list was read may not be any more.
                    let association = Association {
                        status: ntp_wire::control::PeerStatus::from_bits(response.status),
                        ..association
                    };
                    let row = self.with_view(|view| {
                        peers::row(&association, &response.data, columns, server, only, view)
                    });
                    text += &row.unwrap_or_default();
                }
                // It may have gone since; silence would be the same for all others.
                Err(error) => {
                    self.complain(&error);
                    break;
                }
            }
        }
        Ok(text)
    }

    /// How wide the column of servers is, if there are several: as the longest name that is shown.
    fn server_column(&self) -> Option<usize> {
        let hosts = &self.settings.hosts;
        if hosts.len() < 2 {
            return None;
        }
        let widths = hosts.iter().map(|host| {
            let addresses = Connection::addresses(host, self.settings.port, Family::Any);
            match addresses.unwrap_or_default().first() {
                Some(address) => self.with_view(|view| view.host(address.ip()).chars().count()),
                None => {
                    complain(format_args!("***Can't find host {host}"));
                    0
                }
            }
        });
        widths.max()
    }

    pub(crate) fn summary(
        &mut self,
        summary: Summary,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let association = match (summary, words.first()) {
            (Summary::Peer, Some(word)) => match self.association(word)? {
                AssociationId::SYSTEM => return Err(CommandError::InvalidAssociation(0)),
                id => id,
            },
            (Summary::Peer, None) => {
                return Err(CommandError::Usage {
                    name: command.name,
                    usage: command.usage,
                });
            }
            _ => AssociationId::SYSTEM,
        };
        let response = self.ask(&summary.request(association))?;
        Ok(self.with_view(|view| summary.text(association, response.status, &response.data, view)))
    }

    /// `readvar` and `clockvar`: the names come with the command.
    pub(crate) fn read(&mut self, action: Action, words: &[&str]) -> Result<String, CommandError> {
        let (association, names) = match words {
            [] => (AssociationId::SYSTEM, &[][..]),
            [first, names @ ..] => (self.association(first)?, names),
        };
        self.variables_of(association, action, &list_of(names))
    }

    /// `readlist` and `clocklist`: the names are those on the list of variables.
    pub(crate) fn read_list(
        &mut self,
        action: Action,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let association = match words.first() {
            Some(word) => self.association(word)?,
            None => AssociationId::SYSTEM,
        };
        let names = self.names_on_list();
        self.variables_of(association, action, &names)
    }

    /// `mreadvar` and `mreadlist`: from one association to another.
    pub(crate) fn read_range(
        &mut self,
        command: &Command,
        words: &[&str],
    ) -> Result<String, CommandError> {
        let &[low, high, ref names @ ..] = words else {
            return Err(CommandError::Usage {
                name: command.name,
                usage: command.usage,
            });
        };
        let (low, high) = (self.association(low)?, self.association(high)?);
        if [low, high].contains(&AssociationId::SYSTEM) {
            return Err(CommandError::InvalidAssociation(0));
        }
        if self.associations.is_empty() {
            self.read_associations()?;
        }
        let place = |wanted: AssociationId| {
            self.associations
                .iter()
                .position(|association| association.id == wanted)
                .ok_or(CommandError::NotInList(wanted))
        };
        let (low, high) = (place(low)?, place(high)?);
        let (low, high) = (low.min(high), low.max(high));
        let names = match command.action {
            Action::ListRange => self.names_on_list(),
            _ => list_of(names),
        };
        let ids: Vec<_> = self
            .associations
            .iter()
            .take(high + 1)
            .skip(low)
            .map(|association| association.id)
            .collect();
        let mut text = String::new();
        for id in ids {
            // As in ntpd 4.2.8, which does so for lists only.
            if command.action == Action::ListRange && !text.is_empty() {
                text.push('\n');
            }
            text += &self.variables_of(id, Action::Read, &names)?;
        }
        Ok(text)
    }

    fn names_on_list(&self) -> String {
        let names: Vec<_> = self
            .variables
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(",")
    }

    fn variables_of(
        &mut self,
        association: AssociationId,
        action: Action,
        names: &str,
    ) -> Result<String, CommandError> {
        let is_clock = matches!(action, Action::Clock | Action::ClockList);
        let (opcode, kind) = if is_clock {
            (Opcode::READ_CLOCK_VARIABLES, Kind::Clock)
        } else {
            (Opcode::READ_VARIABLES, Kind::of(association))
        };
        let response = self.ask(&Request {
            opcode,
            ..Request::read_variables(association, names)
        })?;
        let server = self.server_prefix();
        if response.data.is_empty() {
            let clock = if is_clock { " clock" } else { "" };
            return Ok(match association {
                AssociationId::SYSTEM => format!("{server}No system{clock} variables returned\n"),
                id => format!("{server}No information returned for{clock} association {id}\n"),
            });
        }
        let status = response.status;
        let mut text = server;
        if names.is_empty() || self.settings.old_status_line {
            text += &match self.raw {
                true => format!("associd={association} status=0x{status:04x},\n"),
                false => {
                    let words = status_line(kind, status);
                    format!("associd={association} status={status:04x} {words},\n")
                }
            };
        }
        if self.raw {
            return Ok(text + &raw(&response.data));
        }
        Ok(text + &self.with_view(|view| cooked(&response.data, view)))
    }
}

/// Names in several words and between commas, as one list.
fn list_of(words: &[&str]) -> String {
    let names: Vec<_> = words
        .iter()
        .flat_map(|word| word.split(','))
        .map(|name| name.trim_matches('"'))
        .filter(|name| !name.is_empty())
        .collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_joined() {
        assert_eq!(list_of(&["a,b", ",c,", "\"d\""]), "a,b,c,d");
        assert_eq!(list_of(&[]), "");
    }
}

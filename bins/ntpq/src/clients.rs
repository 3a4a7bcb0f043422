//! `mrulist`, which takes many requests, and the lists that take a key.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ntp_control::{ClientList, ClientOrder, OrderedList, QueryError, Response, raw};
use ntp_os::{complain, complain_on};
use ntp_wire::control::ErrorCode;
use ntpq::AskError;
use signal_hook::{SigId, consts::SIGINT, flag, low_level};

use crate::{
    json,
    shell::{CommandError, Shell},
};

/// How often in a row a list is begun anew, or asked for in smaller pieces, before it is given up.
const MOST_TROUBLE: u32 = 12;

/// What follows `mrulist`.
#[derive(Debug, Default, PartialEq)]
struct Choice {
    /// What the server leaves out.
    filter: String,
    order: ClientOrder,
    reversed: bool,
    /// What nobody understands.
    ignored: Vec<String>,
}

impl Choice {
    fn new(words: &[&str]) -> Self {
        let mut choice = Self::default();
        let mut filter = Vec::new();
        for word in words.iter().flat_map(|word| word.split(',')) {
            match word.split_once('=').unwrap_or((word, "")) {
                ("", _) => {}
                ("kod", "") => filter.push("resany=0x800".to_owned()),
                ("limited", "") => filter.push("resany=0x40".to_owned()),
                (_, "") => choice.ignored.push(word.to_owned()),
                ("sort", order) => {
                    choice.reversed = order.starts_with('-');
                    let name = order.strip_prefix('-').unwrap_or(order);
                    choice.order = ClientOrder::from_name(name).unwrap_or_default();
                }
                ("mincount" | "resall" | "resany" | "maxlstint" | "laddr", _) => {
                    filter.push(word.to_owned());
                }
                _ => choice.ignored.push(word.to_owned()),
            }
        }
        choice.filter = filter.join(", ");
        choice
    }
}

/// Notices Ctrl-C for as long as it lives.
struct Interruption {
    noticed: Arc<AtomicBool>,
    id: Option<SigId>,
}

impl Interruption {
    fn watch() -> Self {
        let noticed = Arc::new(AtomicBool::new(false));
        // Without it Ctrl-C ends ntpq, which stops the list as well.
        let id = flag::register(SIGINT, Arc::clone(&noticed)).ok();
        Self { noticed, id }
    }

    fn came(&self) -> bool {
        self.noticed.load(Ordering::Relaxed)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            low_level::unregister(id);
        }
    }
}

impl Shell {
    /// `ifstats` and `reslist`.
    pub(crate) fn ordered_list(&mut self, list: OrderedList) -> Result<String, CommandError> {
        let response = self.ask(&list.request())?;
        Ok(list.table(&response.data))
    }

    /// `mrulist`.
    pub(crate) fn recent_clients(&mut self, words: &[&str]) -> Result<String, CommandError> {
        let choice = Choice::new(words);
        let interruption = Interruption::watch();
        complain(format_args!(
            "Ctrl-C will stop MRU retrieval and display partial results."
        ));
        for word in &choice.ignored {
            complain(format_args!(
                "ignoring unrecognized mrulist parameter: {word}"
            ));
        }
        let mut list = ClientList::new(&choice.filter);
        let mut text = String::new();
        let nonce = self.ask(&ClientList::nonce_request())?;
        list.take_nonce(&nonce)?;
        let mut trouble = 0;
        while !interruption.came() {
            match self.ask(&list.request()) {
                Ok(response) => {
                    if self.raw {
                        text += &raw(&response.data);
                    }
                    let before = (list.len(), list.updates());
                    let is_complete = list.take(&response)?;
                    if before != (list.len(), list.updates()) {
                        trouble = 0;
                    }
                    complain_on(format_args!(
                        "\rRetrieved {} unique MRU entries and {} updates.",
                        list.len(),
                        list.updates()
                    ));
                    if is_complete {
                        break;
                    }
                }
                // What has come is worth showing.
                Err(error @ CommandError::TooSlow(_)) => {
                    complain_on(format_args!("\n{error}"));
                    break;
                }
                Err(error) => {
                    trouble += 1;
                    let nonce = self.recover(&mut list, error, trouble)?;
                    list.take_nonce(&nonce)?;
                }
            }
        }
        complain(format_args!(""));
        if self.settings.json {
            // The answers are pieces, of which some are outdated by others.
            self.answers = list.newest().map(json::client).collect();
            return Ok(String::new());
        }
        if self.raw {
            return Ok(text);
        }
        Ok(self.with_view(|view| list.table(choice.order, choice.reversed, view)))
    }

    /// Mends what can be mended, and gets a new nonce.
    fn recover(
        &mut self,
        list: &mut ClientList,
        error: CommandError,
        trouble: u32,
    ) -> Result<Response, CommandError> {
        let is_mended = match &error {
            CommandError::Ask(AskError::Query(QueryError::Refused { code, .. })) => {
                // None of those that we named is where it was; without them the list begins anew.
                *code == ErrorCode::UNKNOWN_VARIABLE && {
                    list.go_back();
                    true
                }
            }
            CommandError::Ask(AskError::Query(QueryError::Incomplete | QueryError::TimedOut)) => {
                list.ask_less()
            }
            _ => false,
        };
        if !is_mended || trouble > MOST_TROUBLE {
            return Err(error);
        }
        self.ask(&ClientList::nonce_request())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_for_the_server_or_for_the_table() {
        let choice = Choice::new(&["mincount=3", "sort=-addr", "limited", "foo=1,laddr=::1"]);
        assert_eq!(
            choice,
            Choice {
                filter: "mincount=3, resany=0x40, laddr=::1".to_owned(),
                order: ClientOrder::Address,
                reversed: true,
                ignored: vec!["foo=1".to_owned()],
            }
        );
        assert_eq!(Choice::new(&["sort=bogus"]), Choice::default());
        let valueless = Choice::new(&["mincount", "sort", "laddr="]);
        assert_eq!(valueless.ignored, ["mincount", "sort", "laddr="]);
        assert_eq!(valueless.filter, "");
    }
}

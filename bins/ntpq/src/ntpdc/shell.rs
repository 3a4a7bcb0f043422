//! One conversation: what is set, whom it asks, and what a line of it leads to.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr},
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::tz::TimeZone;
use ntp_control::{
    Credentials, View,
    private::{Inquiry, InquiryError, PrivateRequest, PrivateResponse, PrivateSession, Signature},
};
use ntp_keys::KeyAlgorithm;
use ntp_os::complain;
use ntp_wire::{Duration, KeyId, Timestamp};
use ntpq::{AskPrivateError, Connection, Family, key_of, prompt, prompt_secret, reason};
use zeroize::Zeroizing;

use crate::{
    arguments::{self, Given},
    command::{self, Action, Command, NotFound, Question},
};

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) family: Family,
    pub(crate) port: u16,
    pub(crate) names: bool,
    pub(crate) debug: u8,
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Continue,
    Quit,
}

/// Where the text of a command goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    Text(String),
    /// The command ended with `> file`.
    File(String, String),
}

/// Why a command cannot be obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Ask(#[from] AskPrivateError),
    #[error(transparent)]
    Response(InquiryError),
    #[error("***No host open, use `host' command")]
    NoHost,
    #[error("***Illegal unsigned value {0}")]
    IllegalUnsigned(String),
    #[error("***Illegal integer value {0}")]
    IllegalInteger(String),
    #[error("***Version must be either 4 or 6")]
    BadFamily,
    #[error("***Can't find host {0}")]
    NoSuchHost(String),
    #[error("{}", .0.usage().trim_end())]
    Usage(&'static Command),
    #[error("***No file for redirect")]
    NoFile,
    #[error("Invalid key identifier")]
    BadKeyId,
    #[error("Invalid password")]
    BadPassword,
    #[error("What?")]
    What,
    #[error("How many lines?")]
    HowManyLines,
    #[error("What fudge is {0}?")]
    WhatFudge(String),
    #[error("Unknown fudge parameter {0}")]
    UnknownFudge(String),
    #[error("*** Value '{0}' should be unsigned")]
    Negative(String),
    #[error("***Reference clocks have addresses of IPv4")]
    NoClock,
}

/// A conversation.
pub(crate) struct Shell {
    pub(crate) settings: Settings,
    pub(crate) connection: Option<Connection>,
    pub(crate) session: PrivateSession,
    pub(crate) key_id: Option<KeyId>,
    /// `keyid 0`: requests are not signed, whatever they ask.
    pub(crate) never_sign: bool,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) password: Option<Zeroizing<String>>,
    /// Milliseconds that timestamps of signed requests are ahead.
    pub(crate) delay: i64,
    zone: TimeZone,
    known_names: RefCell<HashMap<IpAddr, Option<String>>>,
}

impl Shell {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            session: PrivateSession::default(),
            key_id: None,
            never_sign: false,
            algorithm: KeyAlgorithm::MD5,
            password: None,
            delay: 20,
            zone: TimeZone::system(),
            known_names: RefCell::default(),
        }
    }

    /// Asks `host` from now on; `false`, and a message, if it has no address.
    pub(crate) fn open(&mut self, host: &str) -> bool {
        let plain = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = plain.unwrap_or(host);
        match Connection::open(host, self.settings.port, self.settings.family) {
            Ok(connection) => {
                self.connection = Some(connection);
                true
            }
            Err(error) => {
                let reason = reason(&error);
                let reason = reason
                    .strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&reason);
                complain(format_args!("{reason}"));
                false
            }
        }
    }

    /// Does what a line says.
    pub(crate) fn obey(&mut self, line: &str) -> (Output, Step) {
        let mut words: Vec<&str> = line.split_ascii_whitespace().collect();
        let nothing = (Output::Text(String::new()), Step::Continue);
        if words.is_empty() {
            return nothing;
        }
        let name = words.remove(0);
        let command = match command::find(name) {
            Ok(command) => command,
            Err(not_found) => {
                let why = match not_found {
                    NotFound::Unknown => "unknown",
                    NotFound::Ambiguous => "ambiguous",
                };
                complain(format_args!("***Command `{name}' {why}"));
                return nothing;
            }
        };
        let step = match command.action {
            Action::Quit => Step::Quit,
            _ => Step::Continue,
        };
        match self.run(command, words) {
            Ok(output) => (output, step),
            // Where nothing is to be told, the reference says so among the answers.
            Err(CommandError::Response(
                error @ (InquiryError::Nothing | InquiryError::Several(_)),
            )) => (Output::Text(format!("{error}\n")), step),
            Err(error) => {
                complain(format_args!("{error}"));
                (Output::Text(String::new()), step)
            }
        }
    }

    fn run(
        &mut self,
        command: &'static Command,
        mut words: Vec<&str>,
    ) -> Result<Output, CommandError> {
        let mut file = None;
        if let Some(at) = words.iter().position(|word| word.starts_with('>')) {
            let tail = words.split_off(at).concat();
            let name = tail.trim_start_matches('>');
            if name.is_empty() {
                return Err(CommandError::NoFile);
            }
            file = Some(name.to_owned());
        }
        let given = arguments::read(command, &words)?;
        let text = match command.action {
            Action::Ask(question) => self.answer(question, &given)?,
            Action::Debug
            | Action::Delay
            | Action::Help
            | Action::Host
            | Action::HostNames
            | Action::KeyId
            | Action::KeyType
            | Action::Password
            | Action::Quit
            | Action::Timeout
            | Action::Version => self.set(command.action, &given)?,
            _ => self.change(command.action, &given)?,
        };
        Ok(match file {
            Some(path) => Output::File(path, text),
            None => Output::Text(text),
        })
    }

    fn answer(&mut self, question: Question, given: &Given) -> Result<String, CommandError> {
        let addresses = || given.addresses.clone();
        let port = self.settings.port;
        let clocks = || {
            let clock = |address: &IpAddr| match address {
                IpAddr::V4(address) => Ok(*address),
                IpAddr::V6(_) => Err(CommandError::NoClock),
            };
            given
                .addresses
                .iter()
                .map(clock)
                .collect::<Result<Vec<Ipv4Addr>, _>>()
        };
        let inquiry = match question {
            Question::Authentication => Inquiry::Authentication,
            Question::ClockDebugging => Inquiry::ClockDebugging(clocks()?),
            Question::Clocks => Inquiry::Clocks(clocks()?),
            Question::Clients => Inquiry::Clients,
            Question::Control => Inquiry::Control,
            Question::InputOutput => Inquiry::InputOutput,
            Question::Interfaces => Inquiry::Interfaces,
            Question::Kernel => Inquiry::Kernel,
            Question::Loop => Inquiry::Loop {
                one_line: match given.word() {
                    Some("oneline") => true,
                    None | Some("multiline") => false,
                    Some(_) => return Err(CommandError::HowManyLines),
                },
            },
            Question::Memory => Inquiry::Memory,
            Question::Packets => Inquiry::Packets,
            Question::Peer => Inquiry::Peer(addresses(), port),
            Question::Peers => Inquiry::Peers(given.family),
            Question::PeersByMerit => Inquiry::PeersByMerit(given.family),
            Question::PeerStatistics => Inquiry::PeerStatistics(addresses(), port),
            Question::ReloadInterfaces => Inquiry::ReloadInterfaces,
            Question::Restrictions => Inquiry::Restrictions(given.family),
            Question::Sources => Inquiry::Sources(given.family),
            Question::System => Inquiry::System,
            Question::Timer => Inquiry::Timer,
            Question::Traps => Inquiry::Traps,
        };
        let response = self.ask(&inquiry.request())?;
        self.with_view(|view| inquiry.text(&response, view))
            .map_err(CommandError::Response)
    }

    /// Asks the host that is open; with the key, if the request takes one.
    pub(crate) fn ask(
        &mut self,
        request: &PrivateRequest,
    ) -> Result<PrivateResponse, CommandError> {
        if self.connection.is_none() {
            return Err(CommandError::NoHost);
        }
        let credentials = match request.code.needs_authentication() && !self.never_sign {
            true => Some(self.credentials()?),
            false => None,
        };
        let delay = Duration::from_nanos(self.delay.saturating_mul(1_000_000));
        let signature = credentials.as_ref().map(|credentials| Signature {
            credentials,
            time: now() + delay,
        });
        let connection = self.connection.as_mut().ok_or(CommandError::NoHost)?;
        let response = connection.ask_private(&mut self.session, request, signature)?;
        if self.settings.debug > 0 {
            let _ = writeln!(
                io::stdout(),
                "{} packets reassembled into response",
                response.packets
            );
        }
        Ok(response)
    }

    /// The key that signs; what is not known yet is asked for.
    fn credentials(&mut self) -> Result<Credentials, CommandError> {
        let id = self.known_key_id().ok_or(CommandError::BadKeyId)?;
        if self.password.is_none() {
            self.password = self
                .ask_for_password()
                .filter(|password| !password.is_empty());
        }
        let password = self.password.as_ref().ok_or(CommandError::BadPassword)?;
        let key = key_of(self.algorithm, password).ok_or(CommandError::BadPassword)?;
        Ok(Credentials { id, key })
    }

    /// The number of the key, which is asked for if it is not known.
    pub(crate) fn known_key_id(&mut self) -> Option<KeyId> {
        if self.key_id.is_none() {
            let word = prompt("Keyid: ").unwrap_or_default();
            let number = word.trim().parse().ok().filter(|number| *number != 0);
            self.key_id = number.map(KeyId::new);
        }
        self.key_id
    }

    pub(crate) fn ask_for_password(&self) -> Option<Zeroizing<String>> {
        prompt_secret(&format!("{} Password: ", self.algorithm.name()))
    }

    /// Makes text with a view of the settings and the time.
    fn with_view<T>(&self, make: impl FnOnce(&View<'_>) -> T) -> T {
        let names = |address: IpAddr| {
            self.known_names
                .borrow_mut()
                .entry(address)
                .or_insert_with(|| ntp_os::reverse_name(address))
                .clone()
        };
        let zone = |time: Timestamp| {
            jiff::Timestamp::from_second(time.to_unix().0)
                .map_or(0, |time| self.zone.to_offset(time).seconds())
        };
        let mut view = View::new(now());
        view.zone = &zone;
        if self.settings.names {
            view.names = Some(&names);
        }
        make(&view)
    }
}

fn now() -> Timestamp {
    // A clock before 1970 is as wrong as one that shows 1970.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix(seconds, since.subsec_nanos())
}

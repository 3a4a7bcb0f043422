//! One conversation: what is set, whom it asks, and what a line of it leads to.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::{self, Write},
    net::IpAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jiff::tz::TimeZone;
use ntp_control::{Association, Request, Response, Session, View};
use ntp_keys::KeyAlgorithm;
use ntp_os::complain;
use ntp_wire::{AssociationId, KeyId, Timestamp, control::Opcode};
use ntpq::{AskError, Connection, Family, first_sequence, reason};
use zeroize::Zeroizing;

use crate::{
    command::{self, Action, Command, NotFound},
    json,
};

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) family: Family,
    pub(crate) port: u16,
    pub(crate) names: bool,
    pub(crate) wide: bool,
    pub(crate) old_status_line: bool,
    pub(crate) reference_id_as_hash: bool,
    pub(crate) debug: u8,
    /// What is said is JSON.
    pub(crate) json: bool,
    /// All hosts that are asked, one after the other.
    pub(crate) hosts: Vec<String>,
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

/// What a line led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Obeyed {
    pub(crate) output: Output,
    pub(crate) step: Step,
    /// Whether there was a command that made sense, be it that it failed.
    pub(crate) ran: bool,
}

impl Obeyed {
    const fn nothing() -> Self {
        Self {
            output: Output::Text(String::new()),
            step: Step::Continue,
            ran: false,
        }
    }
}

/// Why a command cannot be obeyed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("***The server takes too long: no end after {0} seconds")]
    TooSlow(u64),
    #[error("***No host open, use `host' command")]
    NoHost,
    #[error("***Illegal integer value {0}")]
    IllegalInteger(String),
    #[error("***Illegal unsigned value {0}")]
    IllegalUnsigned(String),
    #[error("***Invalid association ID {0} specified")]
    InvalidAssociation(u32),
    #[error("***Association index `{0}' invalid/undecodable")]
    BadIndex(String),
    #[error("***No associations found, `{0}' unknown")]
    NoAssociations(String),
    #[error("***Association ID {0} not found in list")]
    NotInList(AssociationId),
    #[error("***{0}")]
    Clients(#[from] ntp_control::ClientListError),
    #[error("***{0}")]
    BadList(#[from] ntp_control::AssociationListError),
    #[error("***Version must be either 4 or 6")]
    BadFamily,
    #[error("usage: {name} {usage}")]
    Usage {
        name: &'static str,
        usage: &'static str,
    },
    #[error("Invalid key identifier")]
    BadKeyId,
    #[error("Invalid password")]
    BadPassword,
    #[error("What?")]
    What,
    #[error("versions 1 to 4, please")]
    BadVersion,
    #[error("***No file for redirect")]
    NoFile,
}

impl CommandError {
    /// Whether the words after the command made no sense, so that it did not run.
    const fn is_of_words(&self) -> bool {
        matches!(
            self,
            Self::IllegalUnsigned(_)
                | Self::IllegalInteger(_)
                | Self::BadIndex(_)
                | Self::Usage { .. }
                | Self::NoFile
        )
    }
}

/// How many times as long as an answer may be silent a command of many questions may take: an hour,
/// if nobody chose another `timeout`. A server that is slow on purpose has no more of us.
const PATIENCE: u32 = 720;

/// A conversation.
pub(crate) struct Shell {
    pub(crate) settings: Settings,
    pub(crate) connection: Option<Connection>,
    pub(crate) session: Session,
    pub(crate) associations: Vec<Association>,
    /// The list of variables: names, and the values to write.
    pub(crate) variables: Vec<(String, Option<String>)>,
    pub(crate) key_id: Option<KeyId>,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) always_sign: bool,
    pub(crate) raw: bool,
    pub(crate) delay: i32,
    /// What the command that is being obeyed was answered, as JSON.
    pub(crate) answers: Vec<String>,
    /// When the command that is being obeyed began.
    begun: Instant,
    zone: TimeZone,
    known_names: RefCell<HashMap<IpAddr, Option<String>>>,
}

impl Shell {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: None,
            session: Session::new(first_sequence()),
            associations: Vec::new(),
            answers: Vec::new(),
            variables: Vec::new(),
            key_id: None,
            algorithm: KeyAlgorithm::MD5,
            password: None,
            always_sign: false,
            raw: false,
            delay: 20,
            begun: Instant::now(),
            zone: TimeZone::system(),
            known_names: RefCell::default(),
        }
    }

    /// Asks `host` from now on; `false`, and a message, if it has no address.
    pub(crate) fn open(&mut self, host: &str) -> bool {
        match Connection::open(host, self.settings.port, self.settings.family) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.associations.clear();
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
    pub(crate) fn obey(&mut self, line: &str) -> Obeyed {
        let line = line.trim();
        let (name, rest) = line
            .split_once(|letter: char| letter.is_ascii_whitespace())
            .unwrap_or((line, ""));
        if name.is_empty() {
            return Obeyed::nothing();
        }
        let command = match command::find(name) {
            Ok(command) => command,
            Err(NotFound::Unknown) => {
                complain(format_args!("***Command `{name}' unknown"));
                return Obeyed::nothing();
            }
            Err(NotFound::Ambiguous) => {
                complain(format_args!("***Command `{name}' ambiguous"));
                return Obeyed::nothing();
            }
        };
        let step = command.action.step();
        if self.settings.json {
            return self.obey_in_json(command, rest.trim());
        }
        match self.run(command, rest.trim()) {
            Ok(output) => Obeyed {
                output,
                step,
                ran: true,
            },
            Err(error) => {
                self.complain(&error);
                Obeyed {
                    step,
                    ran: !error.is_of_words(),
                    ..Obeyed::nothing()
                }
            }
        }
    }

    /// The same, with an object on a line for text.
    fn obey_in_json(&mut self, command: &Command, rest: &str) -> Obeyed {
        self.answers.clear();
        let result = self.run(command, rest);
        let host = self
            .connection
            .as_ref()
            .map(|open| json::string(&open.host));
        let mut object = json::Object::default()
            .with("host", host.unwrap_or_else(|| "null".to_owned()))
            .with("command", json::string(command.name));
        // Logs are no place for passwords.
        if command.action != Action::Password && !rest.is_empty() {
            object = object.with("arguments", json::string(rest));
        }
        let mut file = None;
        match result {
            Ok(output) => {
                let text = match output {
                    Output::Text(text) => text,
                    Output::File(path, text) => {
                        file = Some(path);
                        text
                    }
                };
                let is_list = command.action == Action::MostRecentlyUsed;
                object = match is_list || !self.answers.is_empty() {
                    true => object.with("answers", json::array(&self.answers)),
                    false => object.with("text", json::string(text.trim_end())),
                };
            }
            Err(error) => object = object.with("error", json::string(&error.to_string())),
        }
        let text = object.text() + "\n";
        Obeyed {
            output: match file {
                Some(path) => Output::File(path, text),
                None => Output::Text(text),
            },
            step: command.action.step(),
            ran: true,
        }
    }

    fn run(&mut self, command: &Command, rest: &str) -> Result<Output, CommandError> {
        self.begun = Instant::now();
        if command.action == Action::Configure {
            return self.configure(command, rest).map(Output::Text);
        }
        let mut words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let mut file = None;
        if let Some(at) = words.iter().position(|word| word.starts_with('>')) {
            let tail = words.split_off(at);
            let name = tail.concat();
            let name = name.trim_start_matches('>');
            if name.is_empty() {
                return Err(CommandError::NoFile);
            }
            file = Some(name.to_owned());
        }
        let text = match command.action {
            Action::Configure => String::new(),
            Action::Associations { all, again } => self.list_associations(all, again)?,
            Action::Peers(columns, all) => self.peers(columns, all, &words)?,
            Action::Summary(summary) => self.summary(summary, command, &words)?,
            Action::MostRecentlyUsed => self.recent_clients(&words)?,
            Action::Ordered(list) => self.ordered_list(list)?,
            Action::Read | Action::Clock => self.read(command.action, &words)?,
            Action::List | Action::ClockList => self.read_list(command.action, &words)?,
            Action::ReadRange | Action::ListRange => self.read_range(command, &words)?,
            Action::Write | Action::WriteList => self.write(command, &words)?,
            Action::SaveConfiguration => self.save_configuration(command, &words)?,
            Action::ConfigureFromFile => self.configure_from_file(command, &words)?,
            _ => self.set(command, &words)?,
        };
        Ok(match file {
            Some(path) => Output::File(path, text),
            None => Output::Text(text),
        })
    }

    /// Tells of an error, and of whom, if there are several.
    pub(crate) fn complain(&self, error: &CommandError) {
        let server = match error {
            CommandError::Ask(AskError::Query(_)) => self.server_prefix(),
            _ => String::new(),
        };
        complain(format_args!("{server}{error}"));
    }

    /// What stands before the answers of a host, where several are asked.
    pub(crate) fn server_prefix(&self) -> String {
        match &self.connection {
            Some(connection) if self.settings.hosts.len() > 1 => {
                format!("server={} ", connection.host)
            }
            _ => String::new(),
        }
    }

    /// Asks the host that is open.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Response, CommandError> {
        let credentials = if self.always_sign || request.opcode.needs_authentication() {
            Some(self.credentials()?)
        } else {
            None
        };
        let connection = self.connection.as_mut().ok_or(CommandError::NoHost)?;
        let patience = self.session.timeout().saturating_mul(PATIENCE);
        let taken = self.begun.elapsed();
        if taken > patience.max(Duration::from_secs(1)) {
            return Err(CommandError::TooSlow(taken.as_secs()));
        }
        let response = connection.ask(&mut self.session, request, credentials.as_ref())?;
        if self.settings.debug > 0 {
            let _ = writeln!(
                io::stdout(),
                "{} packets reassembled into response",
                response.fragments
            );
        }
        if credentials.is_some() && !response.authentic && self.settings.debug > 0 {
            let _ = writeln!(
                io::stdout(),
                "the response is not signed, or not with this key"
            );
        }
        if self.settings.json {
            match request.opcode {
                Opcode::READ_STATUS => self.answers.push(json::association_list(&response)),
                // Text, and what is put together from many answers.
                Opcode::CONFIGURE
                | Opcode::SAVE_CONFIGURATION
                | Opcode::REQUEST_NONCE
                | Opcode::READ_MRU => {}
                _ => self.answers.push(json::variables(&response)),
            }
        }
        Ok(response)
    }

    /// Makes text with a view of the settings and the time.
    pub(crate) fn with_view<T>(&self, make: impl FnOnce(&View<'_>) -> T) -> T {
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
        view.wide = self.settings.wide;
        view.reference_id_as_hash = self.settings.reference_id_as_hash;
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

/// A number without sign.
pub(crate) fn unsigned(text: &str) -> Result<u32, CommandError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| CommandError::IllegalUnsigned(text.to_owned()))
}

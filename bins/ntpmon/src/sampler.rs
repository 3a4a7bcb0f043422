//! Asks a daemon for all that the screen shows.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ntp_control::{AssociationListError, ClientList, Request, associations};
use ntp_wire::{AssociationId, Timestamp};

use crate::{
    question::{AskError, Question, first_sequence},
    snapshot::{Clients, Snapshot, Source, System},
};

/// Sources that are asked about at most.
const MOST_SOURCES: usize = 64;
/// Requests for clients at most; each brings dozens.
const MOST_PIECES: usize = 24;
/// Clients that are kept.
const TOP: usize = 10;
/// How long a slow daemon is asked on; what is missing then stays out.
const LONGEST: Duration = Duration::from_secs(20);
/// How long the list of clients is not asked for again.
const CLIENTS_LAST: Duration = Duration::from_secs(30);

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    /// No answer.
    #[error("{0}")]
    Ask(#[from] AskError),
    /// An answer that makes no sense.
    #[error("the daemon sent a broken list of sources: {0}")]
    List(#[from] AssociationListError),
    /// The name of the host means nothing.
    #[error("no address of {host}: {error}")]
    Host {
        /// The name.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
}

/// Asks one host again and again.
#[derive(Debug)]
pub(crate) struct Sampler {
    question: Option<Question>,
    host: String,
    port: u16,
    clients: Option<(Instant, Clients)>,
}

impl Sampler {
    /// Asks `host`, at its first address that answers.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            question: None,
            host: host.to_owned(),
            port,
            clients: None,
        }
    }

    /// Asks for everything; takes seconds if the daemon is slow or silent.
    ///
    /// # Errors
    ///
    /// [`SampleError`] if the daemon does not tell of itself and its sources.
    pub(crate) fn sample(&mut self) -> Result<Snapshot, SampleError> {
        let snapshot = self.try_sample();
        if snapshot.is_err() {
            // It may be at another address next time, and its clients others.
            self.question = None;
            self.clients = None;
        }
        snapshot
    }

    fn try_sample(&mut self) -> Result<Snapshot, SampleError> {
        let begun = Instant::now();
        let system_request = Request::read_variables(AssociationId::SYSTEM, "");
        let (mut question, answer) = match self.question.take() {
            Some(mut question) => {
                let answer = question.ask(&system_request)?;
                (question, answer)
            }
            None => self.first_answer(&system_request)?,
        };
        let system = System::new(answer.status, &answer.data);
        let answer = question.ask(&Request::list_associations())?;
        let list = associations::parse(&answer.data)?;
        let mut sources = Vec::new();
        let mut more_sources = list.len();
        for association in list.iter().take(MOST_SOURCES) {
            if begun.elapsed() > LONGEST {
                break;
            }
            more_sources -= 1;
            match question.ask(&Request::read_variables(association.id, "")) {
                Ok(answer) => {
                    sources.push(Source::new(*association, answer.status, &answer.data));
                }
                // It may have gone since.
                Err(AskError::Query(ntp_control::QueryError::Refused { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let clients = match self.clients.take() {
            Some((asked, clients)) if asked.elapsed() < CLIENTS_LAST => (asked, clients),
            _ => (Instant::now(), clients(&mut question)),
        };
        self.clients = Some(clients.clone());
        self.question = Some(question);
        Ok(Snapshot {
            taken: wall_clock(),
            system,
            sources,
            more_sources,
            clients: clients.1,
        })
    }

    /// `localhost` may be two addresses, and a daemon listen at one.
    fn first_answer(
        &self,
        request: &Request,
    ) -> Result<(Question, ntp_control::Response), SampleError> {
        let no_address = |error| SampleError::Host {
            host: self.host.clone(),
            error,
        };
        let addresses = Question::addresses(&self.host, self.port).map_err(no_address)?;
        let mut last = no_address(io::Error::other("it has none"));
        for address in addresses {
            match ask_at(address, request) {
                Ok(answered) => return Ok(answered),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

fn ask_at(
    address: SocketAddr,
    request: &Request,
) -> Result<(Question, ntp_control::Response), AskError> {
    let mut question = Question::open(address, first_sequence())?;
    let answer = question.ask(request)?;
    Ok((question, answer))
}

/// Who asks the daemon most, as far as it tells.
fn clients(question: &mut Question) -> Clients {
    let mut list = ClientList::new("");
    match read_clients(question, &mut list) {
        Err(reason) if list.is_empty() => Clients::Unknown(reason),
        outcome => {
            let mut top: Vec<_> = list.newest().copied().collect();
            top.sort_by_key(|client| core::cmp::Reverse(client.count));
            top.truncate(TOP);
            Clients::Known {
                top,
                read: list.len(),
                complete: outcome == Ok(true),
            }
        }
    }
}

fn read_clients(question: &mut Question, list: &mut ClientList) -> Result<bool, String> {
    let nonce = question
        .ask(&ClientList::nonce_request())
        .map_err(|error| error.to_string())?;
    list.take_nonce(&nonce).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    for _ in 0..MOST_PIECES {
        if begun.elapsed() > LONGEST {
            break;
        }
        let piece = question
            .ask(&list.request())
            .map_err(|error| error.to_string())?;
        if list.take(&piece).map_err(|error| error.to_string())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The time of who asks.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix(
        i64::try_from(since.as_secs()).unwrap_or(0),
        since.subsec_nanos(),
    )
}

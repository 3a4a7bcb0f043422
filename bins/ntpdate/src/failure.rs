//! Why a program ends without having done its work.

use ntp_discipline::ClockError;
use ntp_os::{BindError, OpenClockError};

use crate::credential::CredentialError;

/// Why the program ends with exit code 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no servers can be used, exiting")]
    NoServers,
    #[error("no server suitable for synchronization found")]
    NoneSuitable,
    #[error("Must supply at least one of -c hostname, or hostname.")]
    NothingAsked,
    #[error("the NTP socket is in use, exiting")]
    SocketInUse,
    #[error("{0}, exiting; use -u for a port that needs no privilege")]
    Socket(BindError),
    #[error("Can't adjust the time of day: {0}; use -q to only ask")]
    CannotSet(ClockError),
    #[error("the clock 'none' is never set: use -q to only ask")]
    ClockNeverSet,
    #[error(transparent)]
    Clock(#[from] OpenClockError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("cannot wait for answers: {0}")]
    Waiting(#[from] std::io::Error),
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        if error.source.kind() == std::io::ErrorKind::AddrInUse {
            Self::SocketInUse
        } else {
            Self::Socket(error)
        }
    }
}

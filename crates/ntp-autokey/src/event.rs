//! What is worth a line in the log.

use std::fmt;

use ntp_keys::SignatureScheme;
use ntp_wire::{AssociationId, KeyId};

use crate::{IdentityScheme, LeapValues, ReceiveError, Stamp, StatusWord};

/// Something that happened. Its text is what ntpd 4.2.8 writes into cryptostats behind date, time
/// and address; only cookies are left out there, since they are secret.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A host is ready.
    Setup {
        /// What it offers.
        status: StatusWord,
        /// Its name.
        name: String,
        /// How it signs.
        scheme: SignatureScheme,
    },
    /// Values are signed anew, because the clock is now synchronised or what they say has changed.
    SignatureUpdate {
        /// When.
        timestamp: Stamp,
    },
    /// A file of ours was made later than now: the clock was wrong then, or is.
    FromTheFuture {
        /// When it says it was made.
        filestamp: Stamp,
    },
    /// The server has told its name (ASSOC).
    Association {
        /// The association.
        association: AssociationId,
        /// The server's name.
        name: String,
        /// How it signs.
        scheme: SignatureScheme,
    },
    /// A certificate has been received and fits (CERT).
    Certificate(CertificateNote),
    /// The server has answered the challenge of its group.
    IdentityVerified {
        /// The scheme.
        scheme: IdentityScheme,
        /// The name under which the group's parameters were found.
        group: String,
        /// When the group was made.
        filestamp: Stamp,
    },
    /// The server offers an identity scheme, but no parameters of its group are at hand; the
    /// association goes on with trusted certificates alone.
    IdentityNotRun {
        /// The server's name.
        name: String,
        /// What the server offers.
        offered: StatusWord,
    },
    /// The cookie has been received.
    Cookie {
        /// When it was signed.
        timestamp: Stamp,
        /// When the server's values were.
        filestamp: Stamp,
    },
    /// Where the other host's key list begins is known (AUTO).
    Autokey {
        /// How many key identifiers follow the first one.
        sequence: u32,
        /// The key identifier that proves the first one.
        key_id: KeyId,
        /// When it was signed.
        timestamp: Stamp,
        /// When the host's values were.
        filestamp: Stamp,
    },
    /// The server has proven who it is: its time may be used from now on.
    Proventic,
    /// The server has signed our certificate (SIGN).
    Signed(CertificateNote),
    /// The server has told what it knows of leap seconds (LEAP).
    Leap {
        /// What it knows.
        values: LeapValues,
        /// When the file was made that it comes from.
        filestamp: Stamp,
    },
    /// A reply was dropped.
    Error {
        /// The association.
        association: AssociationId,
        /// Type and length of the field, 0 if there was none.
        field: u32,
        /// Why.
        error: ReceiveError,
    },
    /// The dance begins anew.
    Restarted(RestartReason),
    /// The dance is done once more, beside what is proven.
    Renewal(RestartReason),
}

/// A certificate as the log shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateNote {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// 0x1 trusted, 0x2 proven by its issuer's certificate, 0x4 valid, 0x8 private.
    pub flags: u8,
    /// How it is signed.
    pub scheme: SignatureScheme,
    /// When its file was made.
    pub filestamp: Stamp,
}

impl fmt::Display for CertificateNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme;
        write!(
            f,
            "{} {} {:#x} {} ({}) fs {}",
            self.subject,
            self.issuer,
            self.flags,
            scheme.long_name(),
            scheme.nid(),
            self.filestamp
        )
    }
}

/// Why a dance begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RestartReason {
    /// Six days have passed.
    Age,
    /// The server has refused what was asked: it does not know the cookie any more, or has other
    /// keys; or somebody wants us to think so.
    Refused,
    /// The dance came no further.
    Stuck,
    /// A certificate of the trail will soon expire.
    Expiring,
    /// A certificate of the trail has expired.
    Expired,
    /// Somebody asked for it.
    Asked,
}

impl fmt::Display for RestartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "the association is six days old",
            Self::Refused => "the server has refused a request",
            Self::Stuck => "it came no further",
            Self::Expiring => "a certificate of the trail will soon expire",
            Self::Expired => "a certificate of the trail has expired",
            Self::Asked => "asked for",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup {
                status,
                name,
                scheme,
            } => write!(f, "setup {status} host {name} {}", scheme.long_name()),
            Self::SignatureUpdate { timestamp } => write!(f, "signature update ts {timestamp}"),
            Self::FromTheFuture { filestamp } => write!(
                f,
                "our host key or certificate was made at {filestamp}, which is yet to come, so that \
                 nobody believes what we sign: make them anew with ntp-keygen, if the clock is right"
            ),
            Self::Association {
                association,
                name,
                scheme,
            } => write!(
                f,
                "assoc {association} {association} host {name} {}",
                scheme.long_name()
            ),
            Self::Certificate(note) => write!(f, "cert {note}"),
            Self::IdentityVerified {
                scheme,
                group,
                filestamp,
            } => write!(f, "{} {group} fs {filestamp}", scheme.word()),
            Self::IdentityNotRun { name, offered } => write!(
                f,
                "identity of {name} not verified: it offers {}, but no parameters of its group \
                 are at hand (ntpkey_*par_GROUP)",
                offered_schemes(*offered)
            ),
            Self::Cookie {
                timestamp,
                filestamp,
            } => write!(f, "cook - ts {timestamp} fs {filestamp}"),
            Self::Autokey {
                sequence,
                key_id,
                timestamp,
                filestamp,
            } => write!(
                f,
                "auto seq {sequence} key {:x} ts {timestamp} fs {filestamp}",
                key_id.value()
            ),
            Self::Proventic => f.write_str("proventic"),
            Self::Signed(note) => write!(f, "sign {note}"),
            Self::Leap { values, filestamp } => write!(
                f,
                "leap TAI offset {} at {} expire {} fs {filestamp}",
                values.tai_offset, values.since, values.expires
            ),
            Self::Error {
                association,
                field,
                error,
            } => write!(
                f,
                "{field:08x} {association} {:x} {}: {error}",
                error.code(),
                error.words()
            ),
            Self::Restarted(reason) => write!(f, "restart: {reason}"),
            Self::Renewal(reason) => write!(f, "renewal: {reason}"),
        }
    }
}

fn offered_schemes(status: StatusWord) -> String {
    let schemes = IdentityScheme::ALL.into_iter();
    let offered = schemes.filter(|scheme| status.contains(scheme.status()));
    let names: Vec<_> = offered.map(|scheme| scheme.word().to_uppercase()).collect();
    names.join(", ")
}

/// Events on their way out; the oldest give way.
#[derive(Debug, Default)]
pub(crate) struct Events(std::collections::VecDeque<Event>);

impl Events {
    const MOST: usize = 32;

    pub(crate) fn push(&mut self, event: Event) {
        if self.0.len() >= Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }
}

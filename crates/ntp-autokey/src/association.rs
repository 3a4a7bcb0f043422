//! The client's dance with one server.

use ntp_wire::{AssociationId, Packet};

use crate::{Event, Exchange, Host, IffGroups, StatusWord};

/// How an association is configured.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The association, as `ntpq -c as` lists it; it travels in every request. Not 0.
    pub association: AssociationId,
    /// `ident` of the `server` line: the group whose parameters the server must know. With it, a
    /// server that does not offer the scheme is refused.
    pub ident: Option<String>,
}

/// The client's dance with one server (RFC 5906 section 11.4).
#[derive(Debug)]
pub struct Association {
    status: StatusWord,
}

impl Association {
    /// An association that has asked nothing yet.
    pub fn new(_options: ClientOptions) -> Self {
        Self {
            status: StatusWord::default(),
        }
    }

    /// Appends to `packet`, which holds the 48 octets of the header, the request that comes next in
    /// the dance, if there is one, and the MAC.
    pub fn seal_request(
        &mut self,
        _host: &mut Host,
        _exchange: &Exchange,
        _groups: &IffGroups,
        _packet: &mut Vec<u8>,
    ) {
    }

    /// Takes a reply that passed the origin check.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`] if it proves nothing; its time must not be used.
    pub fn receive(
        &mut self,
        _host: &mut Host,
        _exchange: &Exchange,
        _groups: &IffGroups,
        _reply: &Packet<'_>,
    ) -> Result<Received, ReceiveError> {
        Err(ReceiveError::NoMac)
    }

    /// What the server offers and how far the dance has come: `flags`.
    pub fn status(&self) -> StatusWord {
        self.status
    }

    /// The name that the server gives itself.
    pub fn server_name(&self) -> Option<&str> {
        None
    }

    /// The server's signature scheme, as OpenSSL names it.
    pub fn signature_name(&self) -> Option<&'static str> {
        None
    }

    /// Whether the server has proven who it is: the condition `auth` is `ok`.
    pub fn is_proventic(&self) -> bool {
        self.status.contains(StatusWord::PROVENTIC)
    }

    /// Whether nothing is left to ask. Until then, and while answers bring it forward
    /// ([`Received::progress`]), ask each 2 s; when one did not, at the poll interval.
    ///
    /// While the own clock is not synchronised, SIGN and LEAP cannot be asked and do not count.
    pub fn is_complete(&self, _synchronised: bool) -> bool {
        false
    }

    /// What last went wrong, until something goes right.
    pub fn last_error(&self) -> Option<&ReceiveError> {
        None
    }

    /// Forgets all and begins anew with the next request.
    pub fn restart(&mut self) {}

    /// The next thing worth a line in the log.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}

/// What an authentic reply brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Whether its time may be used: the server is proventic, and the MAC was made with the secret
    /// cookie. Replies with extension fields never qualify: anybody can make their MAC.
    pub time_usable: bool,
    /// Whether the dance came forward.
    pub progress: bool,
}

/// Why a reply was dropped.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No MAC with an Autokey key identifier.
    #[error("the reply has no Autokey MAC")]
    NoMac,
}

impl ReceiveError {
    /// The event code that ntpq and cryptostats show: 0x101 to 0x10f.
    pub fn code(&self) -> u16 {
        0x10f
    }

    /// The words that go with the code, as ntpd 4.2.8 has them: `bad_timestamp`.
    pub fn words(&self) -> &'static str {
        "protocol_error"
    }
}

//! A server on the network, as its client knows it.

use std::net::{IpAddr, SocketAddr};

use ntp_autokey::{Association as Autokey, AssociationOptions, Relation};
use ntp_conf::AddressFamily;
use ntp_wire::control::Flash;
use ntp_wire::{AssociationId, Header, Mode, Monotonic, Timestamp, WireTimestamp};

use super::{Listening, Security, nts::Nts};
use crate::on_wire::{Answer, AnswerKind, OnWire, Symmetric};

/// The two ends of the path to a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// Where the server listens.
    pub remote: SocketAddr,
    /// Our address on the way there: Autokey binds it into every key.
    pub local: IpAddr,
}

/// What we are to the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// `server`: we ask, it answers.
    Client,
    /// `peer`: each tells the other.
    SymmetricActive,
    /// The other side has a `peer` line for us, and we none for it.
    SymmetricPassive,
    /// It tells everybody, and we listen.
    BroadcastClient,
}

impl Role {
    /// The mode of our packets, `hmode`.
    pub(crate) const fn mode(self) -> Mode {
        match self {
            Self::Client | Self::BroadcastClient => Mode::Client,
            Self::SymmetricActive => Mode::SymmetricActive,
            Self::SymmetricPassive => Mode::SymmetricPassive,
        }
    }

    /// Whether packets of this mode are for it.
    pub(crate) const fn takes(self, mode: Mode) -> bool {
        match self {
            Self::Client | Self::BroadcastClient => matches!(mode, Mode::Server),
            Self::SymmetricActive => {
                matches!(mode, Mode::SymmetricActive | Mode::SymmetricPassive)
            }
            Self::SymmetricPassive => matches!(mode, Mode::SymmetricActive),
        }
    }

    /// The same as Autokey has it.
    const fn relation(self) -> Relation {
        match self {
            Self::Client => Relation::Client,
            Self::SymmetricActive | Self::SymmetricPassive => Relation::Peer,
            Self::BroadcastClient => Relation::Listener,
        }
    }

    pub(crate) const fn is_symmetric(self) -> bool {
        matches!(self, Self::SymmetricActive | Self::SymmetricPassive)
    }
}

/// The packets between us, as far as they must be remembered.
#[derive(Debug)]
pub(super) enum Wire {
    Client(OnWire),
    Symmetric(Symmetric),
}

impl Wire {
    fn of(role: Role) -> Self {
        if role.is_symmetric() {
            Self::Symmetric(Symmetric::default())
        } else {
            Self::Client(OnWire::default())
        }
    }

    /// Whether a packet answers ours.
    pub(super) fn check(&self, header: &Header, received: Timestamp) -> Result<Answer, Flash> {
        match self {
            Self::Client(wire) => wire.check(header, received),
            Self::Symmetric(wire) => wire.check(header, received).map(Answer::basic),
        }
    }

    /// A packet is authentic; `answers` says whether it answers ours, and how.
    pub(super) fn accept(
        &mut self,
        header: &Header,
        (received, now): (Timestamp, Monotonic),
        answers: Option<AnswerKind>,
        reachable: bool,
    ) {
        match self {
            Self::Client(wire) => wire.accept(header, received, now, answers),
            Self::Symmetric(wire) => wire.accept(header, received, answers.is_some(), reachable),
        }
    }

    /// An authentic packet came that anybody can have sent and that answers nothing: it may ask.
    pub(super) fn note_question(&mut self, header: &Header, received: Timestamp) {
        if let Self::Symmetric(wire) = self {
            wire.note_question(header, received);
        }
    }

    /// The packet with this transmit timestamp left at the time `at`.
    fn departed(&mut self, transmit: WireTimestamp, at: Timestamp, now: Timestamp) {
        match self {
            Self::Client(wire) => wire.departed(transmit, at, now),
            Self::Symmetric(wire) => wire.departed(transmit, at, now),
        }
    }

    fn abandon(&mut self) {
        match self {
            Self::Client(wire) => wire.abandon(),
            Self::Symmetric(wire) => wire.abandon(),
        }
    }
}

/// What we keep of a server or peer.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) role: Role,
    /// Which addresses to look for.
    pub(crate) family: Option<AddressFamily>,
    pub(crate) port: Option<u16>,
    endpoint: Option<Endpoint>,
    /// Whether the name is being looked up.
    pub(crate) resolving: bool,
    /// How often it was looked up: where a name has several addresses, each has its turn.
    pub(crate) lookups: usize,
    /// How often in a row the name was not found.
    pub(crate) unresolved: u32,
    pub(super) wire: Wire,
    /// There if it is listened to.
    pub(crate) listening: Option<Listening>,
    pub(crate) autokey: Option<Autokey>,
    /// There if it proves itself by NTS.
    pub(crate) nts: Option<Nts>,
    pub(super) authentic: bool,
    /// Its last reply was interleaved.
    pub(crate) interleaved: bool,
    /// What was last wrong with the authentication, until something is right.
    pub(crate) problem: Option<String>,
    /// When the log was last told of a packet that was not authentic.
    pub(super) complained: Option<Monotonic>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) bad_authentication: u64,
    pub(crate) bogus: u64,
    pub(crate) duplicates: u64,
}

impl Server {
    pub(crate) fn new(
        id: AssociationId,
        role: Role,
        security: &Security,
        family: Option<AddressFamily>,
        port: Option<u16>,
    ) -> Self {
        let autokey = match security {
            Security::Autokey { ident } => Some(Autokey::new(AssociationOptions {
                association: id,
                relation: role.relation(),
                ident: ident.clone(),
            })),
            Security::None | Security::Key(_) | Security::Nts(_) => None,
        };
        let nts = matches!(security, Security::Nts(_)).then(Nts::default);
        Self {
            role,
            family,
            port,
            endpoint: None,
            resolving: false,
            lookups: 0,
            unresolved: 0,
            wire: Wire::of(role),
            listening: None,
            autokey,
            nts,
            authentic: false,
            interleaved: false,
            problem: None,
            complained: None,
            received: 0,
            sent: 0,
            bad_authentication: 0,
            bogus: 0,
            duplicates: 0,
        }
    }

    /// It is asked interleaved from now on, if it is asked at all. What stands in a packet with
    /// Autokey's fields is nobody's, so it is not with Autokey.
    pub(crate) fn interleave(&mut self) {
        if let Wire::Client(wire) = &mut self.wire
            && self.autokey.is_none()
        {
            *wire = OnWire::interleaved();
        }
    }

    /// Where it is, once its name is known.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint
    }

    /// Its name was looked up. `true` if it is somewhere else than before.
    pub(crate) fn locate(&mut self, endpoint: Endpoint) -> bool {
        let before = self.endpoint.replace(endpoint);
        let moved = before != Some(endpoint);
        if moved && before.is_some() {
            self.abandon();
            if let Some(autokey) = &mut self.autokey {
                autokey.restart();
            }
        }
        moved
    }

    /// A packet of ours left at the time `at`, as was noted beneath us; it is `now`.
    pub(crate) fn departed(&mut self, header: &Header, at: Timestamp, now: Timestamp) {
        if header.mode == self.role.mode() {
            self.wire.departed(header.transmit_time, at, now);
        }
    }

    /// Whether its last packet was authentic.
    pub(crate) fn is_authentic(&self) -> bool {
        self.authentic
    }

    /// Counts a packet that failed these tests.
    pub(super) fn count(&mut self, failed: Flash) {
        if failed == Flash::DUPLICATE {
            self.duplicates += 1;
        } else {
            self.bogus += 1;
        }
    }

    /// Forgets the request that is on its way.
    pub(crate) fn abandon(&mut self) {
        self.wire.abandon();
    }
}

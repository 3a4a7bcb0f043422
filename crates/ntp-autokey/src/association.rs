//! The client's dance with one server.

use std::time::Duration;

use ntp_keys::{PublicKey, SignatureScheme};
use ntp_wire::{AssociationId, KeyId, Monotonic};

use crate::{
    Cookie, Event, IffKey, Opcode, ReceiveError, RestartReason, Stamp, StatusWord, event::Events,
    key_list::KeyList,
};

mod reply;
mod request;
mod trail;

pub use reply::Received;
use trail::Trail;

/// After this long an association begins anew: 2^19 s, six days.
const REFRESH: Duration = Duration::from_secs(1 << 19);

/// This many refusals in a row make an association begin anew.
const MOST_REFUSALS: u8 = 4;

/// A proventic association begins anew because of refusals at most once in this time.
const RESTART_INTERVAL: Duration = Duration::from_secs(3600);

/// The longest pause between two tries of what is not needed for time: this many polls.
const LONGEST_PAUSE: u8 = 64;

/// How an association is configured.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The association, as `ntpq -c as` lists it; it travels in every request. Not 0.
    pub association: AssociationId,
    /// `ident` of the `server` line: the group whose parameters the server must know. With it, a
    /// server that does not offer the scheme is refused.
    pub ident: Option<String>,
}

/// The client's dance with one server (RFC 5906 section 11.4): ASSOC, CERT until a trusted host is
/// reached, IFF where parameters of its group are at hand, COOKIE, and once the own clock is
/// synchronised SIGN and LEAP.
///
/// Each request is made by [`seal_request`](Self::seal_request), each reply that passed the origin
/// check goes to [`receive`](Self::receive). What is asked next follows from what is still missing,
/// so lost packets need no care.
///
/// # Identity
///
/// Parameters are looked for under `ident`, then under the group in the server's name, the issuer
/// of its certificate, its own name, and the name of this host (the links of 2008). If there are
/// some, the server must offer IFF and answer the challenge, else nothing it says is believed. If
/// there are none and the server offers a scheme all the same, the association goes on with
/// trusted certificates alone; it shows neither the bit of the scheme nor
/// [`StatusWord::VERIFIED`], and [`Event::IdentityNotRun`] says so. With a server that offers no
/// scheme, trusted certificates are all there is to verify, and the bit is lit as in the reference.
///
/// # Beginning anew
///
/// A crypto-NAK, an error field and a wrong MAC are things that anybody can send who sees the
/// requests. So one alone does nothing. Four in a row, each in answer to a request of its own and
/// without any good reply before or after it, make the association begin anew; one that is
/// proventic at most once an hour. Who can bring that about can keep the true replies away, and so
/// gains nothing.
#[derive(Debug)]
pub struct Association {
    options: ClientOptions,
    dance: Dance,
    list: KeyList,
    sent: Option<Sent>,
    began: Option<Monotonic>,
    refusals: u8,
    last_restart: Option<Monotonic>,
    pause: Pause,
    last_error: Option<ReceiveError>,
    events: Events,
}

/// All that beginning anew forgets.
#[derive(Debug, Default)]
struct Dance {
    status: StatusWord,
    server: Option<Server>,
    trail: Trail,
    identity: Identity,
    cookie: Option<CookieValue>,
}

/// What ASSOC has told.
#[derive(Debug)]
struct Server {
    name: String,
    scheme: SignatureScheme,
    /// What it offers.
    offered: StatusWord,
}

/// What is known of the server's identity.
#[derive(Debug, Default)]
enum Identity {
    /// Nothing yet: no parameters have been found, and the trail has not been followed to its end.
    #[default]
    Open,
    /// The server must answer a challenge of this group.
    Asked {
        group: String,
        key: Box<IffKey>,
        challenge: Vec<u8>,
    },
    /// It did.
    Verified,
    /// The server offers no scheme, and none is asked for.
    NotOffered,
    /// The server offers one, but no parameters are at hand.
    NotRun,
}

/// The cookie, and when it was signed.
#[derive(Debug)]
struct CookieValue {
    cookie: Cookie,
    timestamp: Stamp,
}

/// The request that waits for its reply.
#[derive(Clone, Copy, Debug)]
struct Sent {
    key_id: KeyId,
    opcode: Option<Opcode>,
    /// Whether something has come that looks as if the server had forgotten us.
    refused: bool,
}

/// Pauses between tries of SIGN and LEAP, in polls: a server that does not answer them must not
/// keep us from asking it for the time.
#[derive(Debug, Default)]
struct Pause {
    left: u8,
    next: u8,
}

impl Pause {
    /// Whether it is time for a try. Each question counts as one poll.
    const fn is_over(&mut self) -> bool {
        if self.left == 0 {
            self.next = if self.next == 0 { 1 } else { self.next * 2 };
            if self.next > LONGEST_PAUSE {
                self.next = LONGEST_PAUSE;
            }
            self.left = self.next;
            return true;
        }
        self.left -= 1;
        false
    }
}

impl Association {
    /// An association that has asked nothing yet.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            options,
            dance: Dance::default(),
            list: KeyList::default(),
            sent: None,
            began: None,
            refusals: 0,
            last_restart: None,
            pause: Pause::default(),
            last_error: None,
            events: Events::default(),
        }
    }

    /// What the server offers, as far as it has been or will be proven, and how far the dance has
    /// come: `flags`.
    pub const fn status(&self) -> StatusWord {
        self.dance.status
    }

    /// The name that the server gives itself: `host`.
    pub fn server_name(&self) -> Option<&str> {
        self.dance.server.as_ref().map(|server| &*server.name)
    }

    /// The server's signature scheme as ntpq prints it: `md5WithRSAEncryption`.
    pub fn signature_name(&self) -> Option<&'static str> {
        let server = self.dance.server.as_ref();
        server.map(|server| server.scheme.long_name())
    }

    /// Whether the server has proven who it is: the condition `auth` is `ok`.
    pub const fn is_proventic(&self) -> bool {
        self.dance.status.contains(StatusWord::PROVENTIC)
    }

    /// Whether nothing is left to ask. Until then, and while answers bring it forward
    /// ([`Received::progress`]), ask each 2 s; when one did not, at the poll interval.
    ///
    /// SIGN and LEAP are asked only when the own clock is `synchronised`, and count only then.
    pub fn is_complete(&self, synchronised: bool) -> bool {
        let mut missing = StatusWord::COMPLETE.bits() & !self.dance.status.bits();
        if matches!(self.dance.identity, Identity::NotRun) {
            missing &= !StatusWord::VERIFIED.bits();
        }
        if !synchronised {
            missing &= !(StatusWord::SIGNED | StatusWord::LEAP).bits();
        }
        missing == 0
    }

    /// What went wrong last, until something goes right.
    pub const fn last_error(&self) -> Option<&ReceiveError> {
        self.last_error.as_ref()
    }

    /// Forgets all and begins anew with the next request.
    pub fn restart(&mut self) {
        self.begin_anew(RestartReason::Asked);
    }

    /// The next thing worth a line in the log.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    fn begin_anew(&mut self, reason: RestartReason) {
        self.dance = Dance::default();
        self.list.forget();
        self.sent = None;
        self.began = None;
        self.refusals = 0;
        self.pause = Pause::default();
        self.events.push(Event::Restarted(reason));
    }

    /// The server's key and scheme, once its certificate has come.
    fn server_key(&self) -> Option<(&PublicKey, SignatureScheme)> {
        let scheme = self.dance.server.as_ref()?.scheme;
        Some((self.dance.trail.server_key()?, scheme))
    }

    fn cookie(&self) -> Cookie {
        self.dance
            .cookie
            .as_ref()
            .map_or(Cookie::PUBLIC, |value| value.cookie)
    }
}

#[cfg(test)]
mod tests;

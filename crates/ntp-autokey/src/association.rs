//! The dance with one other host.

use std::time::Duration;

use ntp_keys::{PublicKey, SignatureScheme};
use ntp_wire::{AssociationId, KeyId, Monotonic};

use crate::{
    Cookie, Event, Host, IdentityKey, Opcode, ReceiveError, RestartReason, Stamp, StatusWord,
    chain::Chain,
    event::Events,
    key_list::{KeyList, ListStart},
};

mod broadcast;
mod renewal;
mod reply;
mod request;
mod symmetric;
mod trail;

use broadcast::Hearing;
use renewal::Renewal;
pub use reply::Received;
use symmetric::Counterpart;
use trail::Trail;

/// After this long all is asked anew: 2^19 s, six days.
const REFRESH: Duration = Duration::from_secs(1 << 19);

/// After this long the cookie is asked for anew: 2^16 s, 18 hours. Servers change it now and then.
const COOKIE_LIFE: Duration = Duration::from_secs(1 << 16);

/// The wait from one step of the dance to the next.
const STEP: Duration = Duration::from_secs(1);

/// The longest wait before a server is asked again that could not answer yet.
const LONGEST_STEP: Duration = Duration::from_secs(16);

/// This many requests in a row that are refused make a dance begin anew that has proven nothing
/// yet.
const MOST_REFUSALS: u8 = 2;

/// So much trouble makes a dance begin anew that has proven nothing yet: each answer that is wrong
/// counts for [`WRONG`], each empty one for one. Empty ones come from a server that is not
/// synchronised: 48 of them are twelve minutes.
const MOST_TROUBLE: u8 = 48;
const WRONG: u8 = 6;

/// Replies with fields to one request that may prove nothing: each takes public-key work of ours,
/// so the rest is not looked at.
const MOST_WRONG: u8 = 64;

/// The same error is told again after this time only.
const QUIET: Duration = Duration::from_secs(60);

/// The longest pause between two tries of what is not needed for time: this many polls.
const LONGEST_PAUSE: u8 = 64;

/// What two hosts are to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Relation {
    /// We ask, the other answers (modes 3 and 4).
    #[default]
    Client,
    /// Each tells the other (modes 1 and 2), and each proves the other.
    Peer,
    /// The other tells everybody (mode 5); we ask as clients until it is proven, and then listen.
    Listener,
}

/// How an association is configured.
#[derive(Clone, Debug)]
pub struct AssociationOptions {
    /// The association, as `ntpq -c as` lists it; it travels in every request. Not 0.
    pub association: AssociationId,
    /// What the other host is to us.
    pub relation: Relation,
    /// `ident` of the `server` line: the group whose parameters the server must know. With it, a
    /// server that does not offer the scheme is refused.
    pub ident: Option<String>,
}

/// The dance with one other host (RFC 5906 section 11.4): ASSOC, CERT until a trusted host is
/// reached, IFF, GQ or MV where parameters of its group are at hand, COOKIE, and once the own clock is
/// synchronised SIGN and LEAP. What is said here of clients and their servers holds for
/// [peers and listeners](Relation) too, which also ask for the autokey values (AUTO).
///
/// Each request is made by [`seal_request`](Self::seal_request), each reply that passed the origin
/// check goes to [`receive`](Self::receive). What is asked next follows from what is still missing,
/// so lost packets need no care.
///
/// # Identity
///
/// Parameters are looked for under `ident`, then under the group in the server's name, the issuer
/// of its certificate, its own name, the name of this host (the links of 2008), and the group in
/// that. If there are
/// some, the server must offer their scheme and answer the challenge, else nothing it says is
/// believed; GQ also takes the key in its certificate. If
/// there are none and the server offers a scheme all the same, the association goes on with
/// trusted certificates alone; it shows neither the bit of the scheme nor
/// [`StatusWord::VERIFIED`], and [`Event::IdentityNotRun`] says so. With a server that offers no
/// scheme, trusted certificates are all there is to verify, and the bit is lit as in the reference.
///
/// A host whose own certificate is private (scheme PC) follows only servers that have the same one:
/// its key verifies what they say, and there is no trail, no challenge and nothing to be signed.
///
/// # Asking anew
///
/// A crypto-NAK, an error field and a wrong MAC are things that anybody can send who sees the
/// requests. So none of them takes anything away that is proven. A reply must return the random
/// number and, but for a crypto-NAK, the key identifier of a request: who sees no packets cannot
/// do that at all. If a request was refused and no good reply has come before the next one is due,
/// the dance is done once more *beside* what is proven, and what is proven goes on to be used until
/// the new dance is complete; if that comes to nothing, it is as if it had not been. So a server
/// with a new key or another secret is back within two polls, and who forges refusals causes some
/// packets, at first six of them a minute, then ever fewer, and no loss of time.
///
/// In the same way the dance is done anew after six days, and in the last day of a certificate. The
/// cookie alone is asked for anew each 18 hours.
///
/// # Peers
///
/// A packet between peers can carry an answer and a question. Each of the two makes half of their
/// cookie, and while one of them is not synchronised, so that it can sign nothing, the cookie is the
/// one that everybody knows. Then, and for listeners always, what proves a packet is its key
/// identifier, which must follow from the last one in the signed list of the sender; who is on the
/// way can take that identifier for a packet of his own.
#[derive(Debug)]
pub struct Association {
    options: AssociationOptions,
    /// The dance that is under way, or complete.
    dance: Dance,
    /// What is proven, while the dance is done once more.
    standing: Option<Box<Dance>>,
    renewal: Renewal,
    list: KeyList,
    /// What peers owe each other.
    counterpart: Counterpart,
    /// What a listener has heard.
    hearing: Hearing,
    sent: Option<Sent>,
    /// The session key that the last packet was sealed with.
    key_id: Option<KeyId>,
    began: Option<Monotonic>,
    refusals: u8,
    trouble: u8,
    /// Whether empty answers went on for so long that the poll interval will do.
    tired: bool,
    pause: Pause,
    /// How long to wait for the next request, if not a whole poll.
    soon: Option<Duration>,
    last_error: Option<ReceiveError>,
    /// The error that was last told of, and when.
    told: Option<(u16, Monotonic)>,
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
    list: Option<ListValue>,
}

/// The other host's key list, and when its beginning was signed.
#[derive(Debug)]
struct ListValue {
    start: ListStart,
    chain: Chain,
    timestamp: Stamp,
}

/// What ASSOC has told.
#[derive(Debug)]
struct Server {
    name: String,
    scheme: SignatureScheme,
    /// What it offers.
    offered: StatusWord,
    /// With a private certificate (scheme PC): the key that is its and ours.
    shared_key: Option<PublicKey>,
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
        key: Box<IdentityKey>,
        challenge: Vec<u8>,
    },
    /// It did.
    Verified {
        /// Of which group it is; `None` where a private certificate is enough.
        group: Option<String>,
    },
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
    received: Monotonic,
}

/// The request that waits for its reply.
#[derive(Clone, Copy, Debug)]
struct Sent {
    key_id: KeyId,
    opcode: Option<Opcode>,
    /// Whether something has come that looks as if the server had forgotten us.
    refused: bool,
    /// How many replies have proven nothing.
    wrong: u8,
    /// Whether the reply has come.
    answered: bool,
}

impl Sent {
    const fn new(key_id: KeyId, opcode: Option<Opcode>) -> Self {
        Self {
            key_id,
            opcode,
            refused: false,
            wrong: 0,
            answered: false,
        }
    }

    /// Whether a reply may still come.
    const fn is_open(&self) -> bool {
        !self.answered && (self.opcode.is_none() || self.wrong < MOST_WRONG)
    }
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
    pub fn new(options: AssociationOptions) -> Self {
        Self {
            options,
            dance: Dance::default(),
            standing: None,
            renewal: Renewal::default(),
            list: KeyList::default(),
            counterpart: Counterpart::default(),
            hearing: Hearing::default(),
            sent: None,
            key_id: None,
            began: None,
            refusals: 0,
            trouble: 0,
            tired: false,
            pause: Pause::default(),
            soon: None,
            last_error: None,
            told: None,
            events: Events::default(),
        }
    }

    /// What the server offers, as far as it has been or will be proven, and how far the dance has
    /// come: `flags`.
    pub fn status(&self) -> StatusWord {
        self.proven().status
    }

    /// The name that the server gives itself: `host`.
    pub fn server_name(&self) -> Option<&str> {
        self.proven().server.as_ref().map(|server| &*server.name)
    }

    /// The server's signature scheme as ntpq prints it: `md5WithRSAEncryption`.
    pub fn signature_name(&self) -> Option<&'static str> {
        let server = self.proven().server.as_ref();
        server.map(|server| server.scheme.long_name())
    }

    /// Where the other host's key list begins, and when that was signed: `initsequence`, `initkey` and
    /// `timestamp`. `None` between clients and servers, which do without.
    pub fn autokey_values(&self) -> Option<(u32, KeyId, Stamp)> {
        let list = self.proven().list.as_ref()?;
        Some((list.start.sequence, list.start.key_id, list.timestamp))
    }

    /// The number of the session key that the last packet was sealed with.
    pub const fn session_key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// Whether the server has proven who it is: the condition `auth` is `ok`.
    pub fn is_proventic(&self) -> bool {
        self.status().contains(StatusWord::PROVENTIC)
    }

    /// Whether nothing is left to ask.
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

    /// How long to wait before the next request, if that should be less than the poll interval:
    /// 1 s after a step that brought the dance forward, or after a refusal that must be looked
    /// into; a little more each time after an empty answer, for so answers a server that is not
    /// synchronised yet. To be asked after each reply; says it once.
    pub fn take_soon(&mut self) -> Option<Duration> {
        self.soon.take()
    }

    /// What went wrong last, until something goes right.
    pub const fn last_error(&self) -> Option<&ReceiveError> {
        self.last_error.as_ref()
    }

    /// Forgets all and begins anew with the next request.
    pub fn restart(&mut self) {
        self.begin_anew(RestartReason::Asked);
    }

    /// The `host` has another certificate ([`Host::renew`]): the server is to sign it. If it is now
    /// a private one, or was one before, all begins anew: other servers are to be followed.
    pub fn host_renewed(&mut self, host: &Host) {
        let is_other_kind = |dance: &Dance| {
            let server = dance.server.as_ref();
            server.is_some_and(|server| server.shared_key.is_some() != host.is_private())
        };
        if is_other_kind(self.proven()) {
            self.begin_anew(RestartReason::Asked);
        }
        self.pause = Pause::default();
        if host.is_private() {
            return;
        }
        let standing = self.standing.as_deref_mut();
        for dance in standing.into_iter().chain([&mut self.dance]) {
            let kept = dance.status.bits() & !StatusWord::SIGNED.bits();
            dance.status = StatusWord::from_bits(kept);
        }
    }

    /// The next thing worth a line in the log.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    fn begin_anew(&mut self, reason: RestartReason) {
        if self.cookie() != Cookie::PUBLIC {
            // It was made with that.
            self.list.forget();
        }
        self.dance = Dance::default();
        self.standing = None;
        self.renewal.forget();
        self.counterpart.forget();
        self.hearing = Hearing::default();
        self.sent = None;
        self.began = None;
        self.refusals = 0;
        self.trouble = 0;
        self.pause = Pause::default();
        self.soon = None;
        self.events.push(Event::Restarted(reason));
    }

    /// The dance that bare packets rely on.
    fn proven(&self) -> &Dance {
        self.standing.as_deref().unwrap_or(&self.dance)
    }

    /// The server's key and scheme, once its certificate has come.
    fn server_key(&self) -> Option<(&PublicKey, SignatureScheme)> {
        let server = self.dance.server.as_ref()?;
        let key = server.shared_key.as_ref();
        let key = key.or_else(|| self.dance.trail.server_key())?;
        Some((key, server.scheme))
    }

    /// What bare packets are made with: the cookie that everybody knows, as long as there is no
    /// other, or as long as a peer does not know it, too.
    fn cookie(&self) -> Cookie {
        match &self.proven().cookie {
            Some(value) if self.counterpart.has_our_half(self.options.relation) => value.cookie,
            _ => Cookie::PUBLIC,
        }
    }
}

#[cfg(test)]
mod tests;

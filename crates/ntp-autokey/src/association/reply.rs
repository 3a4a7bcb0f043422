//! What the client makes of replies.

use ntp_keys::{Certificate, SignatureScheme};
use ntp_wire::{ExtensionField, KeyId, Monotonic, Packet, Trailer};
use zeroize::Zeroizing;

use super::{
    Association, CookieValue, Identity, LONGEST_STEP, ListValue, MOST_TROUBLE, Pause, QUIET,
    Relation, STEP, Server, Trail, WRONG,
};
use crate::{
    CertificateNote, Cookie, Direction, Event, Exchange, Host, IdentityGroups, LeapValues, Message,
    Opcode, ReceiveError, RestartReason, SessionKey, StatusWord, Value,
    certificate_cache::{SIGNED, VALID},
    chain::Chain,
    key_list::ListStart,
    name,
};

/// What an authentic reply brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Whether its time may be used: the server is proventic, and the MAC was made with the secret
    /// cookie. Replies with extension fields never qualify, since anybody can make their MAC.
    pub time_usable: bool,
    /// Whether the dance came forward.
    pub progress: bool,
}

impl Association {
    /// Takes a reply that passed the origin check.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`] if the reply proves nothing; its time must not be used.
    pub fn receive(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        reply: &Packet<'_>,
    ) -> Result<Received, ReceiveError> {
        let taken = self.take(host, exchange, groups, reply);
        self.note(exchange, reply, taken)
    }

    /// Draws the conclusions from what a packet came to.
    pub(super) fn note(
        &mut self,
        exchange: &Exchange,
        packet: &Packet<'_>,
        taken: Result<Received, ReceiveError>,
    ) -> Result<Received, ReceiveError> {
        match taken {
            Ok(received) => {
                // Of a peer, there may be but a question in it.
                if received.progress || received.time_usable {
                    if let Some(sent) = &mut self.sent {
                        sent.answered = true;
                    }
                    self.refusals = 0;
                    self.trouble = 0;
                    self.last_error = None;
                }
                if received.progress {
                    // The next step; or time, for a step brings none.
                    self.soon = Some(STEP);
                }
                Ok(received)
            }
            Err(error) => {
                let field = packet.extensions().next().map_or(0, |field| head(&field));
                self.note_error(exchange.monotonic, field, error.clone());
                self.note_failure(exchange, &error);
                Err(error)
            }
        }
    }

    /// Remembers what went wrong, and tells of it: of each kind of error once a minute, for who sees
    /// our requests can send us any number of wrong replies.
    pub(super) fn note_error(&mut self, now: Monotonic, field: u32, error: ReceiveError) {
        let code = error.code();
        let is_new = self
            .told
            .is_none_or(|(last, at)| now.since(at) >= if last == code { QUIET } else { STEP });
        if is_new {
            self.told = Some((code, now));
            self.events.push(Event::Error {
                association: self.options.association,
                field,
                error: error.clone(),
            });
        }
        self.last_error = Some(error);
    }

    /// Remembers what a reply that proved nothing may mean.
    fn note_failure(&mut self, exchange: &Exchange, error: &ReceiveError) {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.is_open()) else {
            return;
        };
        // Without an answer to SIGN and LEAP we can do, and many a server has none.
        let spare = matches!(sent.opcode, Some(Opcode::Sign | Opcode::Leap));
        let is_first = sent.wrong == 0;
        sent.wrong = sent.wrong.saturating_add(1);
        if error.hints_at_new_keys() && !spare {
            sent.refused = true;
        }
        let refused = sent.refused;
        if !is_first {
            return;
        }
        if let ReceiveError::NoValue(_) = error {
            // It is not synchronised, and may be so soon.
            self.trouble = self.trouble.saturating_add(1);
            let wait = STEP * (1 << self.trouble.min(5));
            self.tired |= self.trouble >= MOST_TROUBLE;
            if !spare && !self.tired {
                self.soon = Some(wait.min(LONGEST_STEP));
            }
        } else if self.is_proventic() {
            // A look at it within two polls; the true reply may still come before that.
            if refused && self.renewal.is_allowed(exchange.monotonic) {
                self.soon = Some(STEP);
            }
        } else if error.may_be_of_a_moment() {
            self.trouble = self.trouble.saturating_add(WRONG);
        }
    }

    fn take(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        reply: &Packet<'_>,
    ) -> Result<Received, ReceiveError> {
        let (key_id, digest) = autokey_mac(reply)?;
        let sent = self.sent.filter(super::Sent::is_open);
        let sent = sent.ok_or(ReceiveError::Unexpected)?;
        if key_id != sent.key_id {
            return Err(ReceiveError::WrongKeyId);
        }
        let mut fields = reply.extensions();
        let field = fields.next();
        let cookie = match (&field, &self.proven().cookie) {
            (Some(_), _) => Cookie::PUBLIC,
            (None, Some(value)) => value.cookie,
            // Before there is a cookie, a MAC without signed fields proves nothing.
            (None, None) => return Err(ReceiveError::Unexpected),
        };
        let Exchange { local, remote, .. } = *exchange;
        let algorithm = host.keys().algorithm();
        if !SessionKey::new(algorithm, remote, local, key_id, cookie)
            .verify(reply.authenticated(), digest)
        {
            return Err(ReceiveError::BadMac);
        }
        let Some(field) = field else {
            return Ok(Received {
                time_usable: self.is_proventic(),
                progress: false,
            });
        };
        let message = Message::parse(&field)?;
        if message.direction == Direction::Error {
            return Err(ReceiveError::ServerError);
        }
        if fields.next().is_some() {
            return Err(ReceiveError::Unexpected);
        }
        self.take_response(host, exchange, groups, &message)?;
        Ok(Received {
            time_usable: false,
            progress: true,
        })
    }

    /// Takes the answer to what was asked.
    pub(super) fn take_response(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        message: &Message<'_>,
    ) -> Result<(), ReceiveError> {
        let sent = self.sent.filter(super::Sent::is_open);
        let sent = sent.ok_or(ReceiveError::Unexpected)?;
        if message.direction != Direction::Response
            || Some(message.opcode) != sent.opcode
            || message.association != self.number_for(message.opcode)
        {
            return Err(ReceiveError::Unexpected);
        }
        let value = message.value.ok_or(ReceiveError::NoValue(message.opcode))?;
        let under_way = self.standing.is_some();
        match message.opcode {
            Opcode::Association => self.take_association(host, groups, &value)?,
            Opcode::Certificate => self.take_certificate(host, exchange, groups, &value)?,
            Opcode::Iff | Opcode::Gq | Opcode::Mv => self.take_identity(&value)?,
            Opcode::Cookie => self.take_cookie(host, exchange, &value)?,
            Opcode::Autokey => self.take_list(host, exchange, &value)?,
            Opcode::Sign => self.take_signed(host, exchange, &value)?,
            Opcode::Leap => self.take_leap(&value)?,
            _ => return Err(ReceiveError::Unexpected),
        }
        self.pause = Pause::default();
        if under_way && self.standing.is_some() {
            self.renewal.came_forward();
        }
        Ok(())
    }

    /// ASSOC: who the server says it is. Nothing of it is proven yet.
    fn take_association(
        &mut self,
        host: &Host,
        groups: &IdentityGroups,
        value: &Value<'_>,
    ) -> Result<(), ReceiveError> {
        let malformed = ReceiveError::Malformed(Opcode::Association);
        let name = name::read(value.octets).ok_or(malformed)?.to_owned();
        let offered = StatusWord::from_bits(value.filestamp.value()).as_offered();
        let number = offered.scheme_number();
        let scheme = SignatureScheme::from_nid(number).ok_or(ReceiveError::Scheme(number))?;
        if !offered.contains(StatusWord::ENABLED) {
            return Err(ReceiveError::Malformed(Opcode::Association));
        }
        if host.is_private() || offered.contains(StatusWord::PC) {
            return self.take_private_association(host, name, scheme, offered);
        }
        if name == host.name() {
            return Err(ReceiveError::OwnName(name));
        }
        let identity = self.find_group(host, groups, &name, None, offered)?;
        let dance = &mut self.dance;
        // Which identity scheme is run, if any, is lit when that is known.
        dance.status = offered.without_identity();
        if self.options.relation == Relation::Client {
            dance.status |= StatusWord::AUTOKEY;
        }
        if !offered.contains(StatusWord::LEAP_VALUES) {
            dance.status |= StatusWord::LEAP;
        }
        if let Identity::Asked { key, .. } = &identity {
            dance.status |= key.scheme().status();
        }
        dance.identity = identity;
        dance.trail = Trail::to(&name);
        dance.server = Some(Server {
            name: name.clone(),
            scheme,
            offered,
            shared_key: None,
        });
        self.events.push(Event::Association {
            association: self.options.association,
            name,
            scheme,
        });
        Ok(())
    }

    /// ASSOC where certificates are private: ours proves what the server says.
    fn take_private_association(
        &mut self,
        host: &Host,
        name: String,
        scheme: SignatureScheme,
        offered: StatusWord,
    ) -> Result<(), ReceiveError> {
        if !host.is_private() {
            return Err(ReceiveError::Private { subject: name });
        }
        if !offered.contains(StatusWord::PC) || scheme != host.scheme() {
            return Err(ReceiveError::NotPrivate { name });
        }
        let dance = &mut self.dance;
        dance.status = offered.without_identity()
            | StatusWord::PC
            | StatusWord::CERTIFICATE
            | StatusWord::VERIFIED
            | StatusWord::SIGNED;
        if self.options.relation == Relation::Client {
            dance.status |= StatusWord::AUTOKEY;
        }
        if !offered.contains(StatusWord::LEAP_VALUES) {
            dance.status |= StatusWord::LEAP;
        }
        dance.identity = Identity::Verified { group: None };
        dance.trail = Trail::default();
        dance.server = Some(Server {
            name: name.clone(),
            scheme,
            offered,
            shared_key: Some(host.sign_key().public().clone()),
        });
        self.events.push(Event::Association {
            association: self.options.association,
            name,
            scheme,
        });
        Ok(())
    }

    /// Finds the group that the server must be of, under the names known so far.
    fn find_group(
        &self,
        host: &Host,
        groups: &IdentityGroups,
        name: &str,
        issuer: Option<&str>,
        offered: StatusWord,
    ) -> Result<Identity, ReceiveError> {
        let candidates = match self
            .options
            .ident
            .as_deref()
            .or_else(|| self.proven_group(groups))
        {
            Some(group) => [Some(group), None, None, None, None],
            None => [
                name::group_of(name),
                issuer,
                Some(name),
                Some(host.name()),
                // Our own group, when there is nothing else to look under.
                issuer.and_then(|_| name::group_of(host.name())),
            ],
        };
        let candidates = candidates.into_iter().flatten();
        if let Some(group) = candidates.clone().find(|group| groups.is_unusable(group)) {
            return Err(ReceiveError::UnusableGroup {
                group: group.to_owned(),
            });
        }
        let mut candidates = candidates;
        let found = candidates.find(|group| groups.schemes(group).next().is_some());
        let Some(group) = found else {
            return match &self.options.ident {
                Some(group) => Err(ReceiveError::NoGroup {
                    group: group.clone(),
                }),
                None => Ok(Identity::Open),
            };
        };
        let scheme = groups
            .schemes(group)
            .find(|scheme| offered.contains(scheme.status()));
        let group = group.to_owned();
        match scheme.and_then(|scheme| groups.lookup(&group, scheme)) {
            Some(key) => Ok(Identity::Asked {
                group,
                key: Box::new(key.clone()),
                challenge: Vec::new(),
            }),
            None => Err(ReceiveError::NotOffered { group }),
        }
    }

    /// The group that the server has proven to be of, if the dance is done once more: who answers
    /// now must be of the same, whatever he calls himself.
    fn proven_group(&self, groups: &IdentityGroups) -> Option<&str> {
        let Identity::Verified { group } = &self.standing.as_ref()?.identity else {
            return None;
        };
        let is_at_hand = |group: &&str| groups.schemes(group).next().is_some();
        group.as_deref().filter(is_at_hand)
    }

    /// CERT: one more certificate of the trail.
    fn take_certificate(
        &mut self,
        host: &Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        value: &Value<'_>,
    ) -> Result<(), ReceiveError> {
        let server = self.dance.server.as_ref();
        let server = server.ok_or(ReceiveError::Unexpected)?;
        let scheme = server.scheme;
        let is_complete = self
            .dance
            .trail
            .extend(value, host.name(), exchange, |key| {
                value.verify(key, scheme)
            })?;
        if let Some((certificate, filestamp, flags)) = self.dance.trail.verified().last() {
            // That its issuer's certificate proves it is known only later.
            let flags = flags & !SIGNED;
            self.events
                .push(Event::Certificate(note(certificate, filestamp, flags)));
        }
        if is_complete {
            self.close_trail(host, exchange, groups)?;
        }
        Ok(())
    }

    /// The trail is complete: what of the server's identity is left to prove?
    fn close_trail(
        &mut self,
        host: &Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
    ) -> Result<(), ReceiveError> {
        let dance = &self.dance;
        let server = dance.server.as_ref().ok_or(ReceiveError::Unexpected)?;
        let (name, offered) = (server.name.clone(), server.offered);
        if matches!(dance.identity, Identity::Open) {
            let issuer = dance.trail.issuer();
            match self.find_group(host, groups, &name, issuer, offered) {
                Ok(identity) => self.dance.identity = identity,
                Err(error) => {
                    // Refused for what it is: nothing of it is kept, but what was proven before.
                    if self.standing.is_some() {
                        self.give_up(exchange.monotonic);
                    } else {
                        self.begin_anew(RestartReason::Refused);
                    }
                    return Err(error);
                }
            }
        }
        let dance = &mut self.dance;
        dance.status |= StatusWord::CERTIFICATE;
        match dance.identity {
            Identity::Asked { ref key, .. } => dance.status |= key.scheme().status(),
            Identity::Open if offered.offers_identity() => {
                dance.identity = Identity::NotRun;
                self.events.push(Event::IdentityNotRun { name, offered });
            }
            Identity::Open => {
                dance.identity = Identity::NotOffered;
                dance.status |= StatusWord::VERIFIED;
            }
            _ => {}
        }
        Ok(())
    }

    /// IFF, GQ, MV: the answer to our challenge.
    fn take_identity(&mut self, value: &Value<'_>) -> Result<(), ReceiveError> {
        self.verify(value)?;
        let Identity::Asked {
            group,
            key,
            challenge,
        } = &self.dance.identity
        else {
            return Err(ReceiveError::Unexpected);
        };
        let (theirs, ours) = (value.filestamp, key.filestamp());
        let group = group.clone();
        let scheme = key.scheme();
        if !key.admits(theirs) {
            return Err(ReceiveError::GroupFilestamp {
                group,
                theirs,
                ours,
            });
        }
        let certified = self.dance.trail.group_key();
        if let Err(error) = key.verify(challenge, value.octets, certified) {
            return Err(ReceiveError::Identity { group, error });
        }
        self.dance.identity = Identity::Verified {
            group: Some(group.clone()),
        };
        self.dance.status |= StatusWord::VERIFIED;
        self.events.push(Event::IdentityVerified {
            scheme,
            group,
            filestamp: theirs,
        });
        Ok(())
    }

    /// COOKIE: with its signature the server is proventic.
    fn take_cookie(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        value: &Value<'_>,
    ) -> Result<(), ReceiveError> {
        self.verify(value)?;
        if let Some(known) = &self.dance.cookie
            && value.timestamp.is_before(known.timestamp)
        {
            return Err(ReceiveError::Older);
        }
        let octets = host.host_key().decrypt_oaep(value.octets);
        let octets: Zeroizing<Vec<u8>> = octets.map_err(|_| ReceiveError::Cookie)?;
        let cookie: [u8; 4] = octets[..].try_into().map_err(|_| ReceiveError::Cookie)?;
        self.dance.cookie = Some(CookieValue {
            cookie: self.share(host, Cookie::new(u32::from_be_bytes(cookie))),
            timestamp: value.timestamp,
            received: exchange.monotonic,
        });
        self.list.forget();
        self.dance.status |= StatusWord::COOKIE;
        self.events.push(Event::Cookie {
            timestamp: value.timestamp,
            filestamp: value.filestamp,
        });
        self.light_proventic(host, exchange);
        Ok(())
    }

    /// AUTO: where the other host's key list begins.
    pub(super) fn take_list(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        value: &Value<'_>,
    ) -> Result<(), ReceiveError> {
        self.verify(value)?;
        if let Some(known) = &self.dance.list
            && value.timestamp.is_before(known.timestamp)
        {
            return Err(ReceiveError::Older);
        }
        let start = ListStart::from_octets(value.octets);
        let start = start.ok_or(ReceiveError::Malformed(Opcode::Autokey))?;
        if let Some(known) = &self.dance.list
            && value.timestamp == known.timestamp
        {
            // What was seen of it is not forgotten: nobody may send it twice.
            self.dance.status |= StatusWord::AUTOKEY;
            return Ok(());
        }
        let cookie = match self.options.relation {
            Relation::Listener => Cookie::PUBLIC,
            Relation::Client | Relation::Peer => self.cookie(),
        };
        self.dance.list = Some(ListValue {
            start,
            chain: Chain::new(start, cookie),
            timestamp: value.timestamp,
        });
        self.dance.status |= StatusWord::AUTOKEY;
        self.events.push(Event::Autokey {
            sequence: start.sequence,
            key_id: start.key_id,
            timestamp: value.timestamp,
            filestamp: value.filestamp,
        });
        self.light_proventic(host, exchange);
        Ok(())
    }

    /// The first signature after the identity was verified proves the server.
    fn light_proventic(&mut self, host: &mut Host, exchange: &Exchange) {
        let was_proventic = self.dance.status.contains(StatusWord::PROVENTIC);
        self.dance.status |= StatusWord::PROVENTIC;
        self.tired = false;
        self.take_over(exchange.monotonic);
        if was_proventic {
            return;
        }
        self.events.push(Event::Proventic);
        host.install(exchange.now, self.dance.trail.verified());
    }

    /// SIGN: our certificate, signed by the server.
    fn take_signed(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        value: &Value<'_>,
    ) -> Result<(), ReceiveError> {
        self.verify(value)?;
        let (key, _) = self.server_key().ok_or(ReceiveError::Unexpected)?;
        let certificate = Certificate::parse(value.octets)?;
        let is_ours = certificate.subject() == host.name()
            && Some(certificate.issuer()) == self.server_name()
            && certificate.public_key() == host.sign_key().public()
            && certificate.verify(key).is_ok();
        if !is_ours {
            return Err(ReceiveError::NotOurs);
        }
        if exchange.synchronised && exchange.now > certificate.not_after() {
            return Err(ReceiveError::Expired {
                subject: certificate.subject().to_owned(),
                until: certificate.not_after(),
            });
        }
        self.dance.status |= StatusWord::SIGNED;
        self.events
            .push(Event::Signed(note(&certificate, value.filestamp, VALID)));
        let signed = (&certificate, value.filestamp, VALID);
        host.install(exchange.now, std::iter::once(signed));
        Ok(())
    }

    /// LEAP: what the server knows of leap seconds.
    fn take_leap(&mut self, value: &Value<'_>) -> Result<(), ReceiveError> {
        self.verify(value)?;
        let values = LeapValues::from_octets(value.octets);
        let values = values.ok_or(ReceiveError::Malformed(Opcode::Leap))?;
        self.dance.status |= StatusWord::LEAP;
        self.events.push(Event::Leap {
            values,
            filestamp: value.filestamp,
        });
        Ok(())
    }

    /// Checks the server's signature.
    fn verify(&self, value: &Value<'_>) -> Result<(), ReceiveError> {
        let (key, scheme) = self.server_key().ok_or(ReceiveError::Unexpected)?;
        value.verify(key, scheme)
    }
}

/// Key identifier and digest of an Autokey MAC.
pub(super) fn autokey_mac<'a>(packet: &Packet<'a>) -> Result<(KeyId, &'a [u8]), ReceiveError> {
    match packet.trailer() {
        Trailer::Mac { key_id, digest } if key_id.is_autokey() => Ok((key_id, digest)),
        Trailer::CryptoNak => Err(ReceiveError::CryptoNak),
        _ => Err(ReceiveError::NoMac),
    }
}

fn note(certificate: &Certificate, filestamp: crate::Stamp, flags: u8) -> CertificateNote {
    CertificateNote {
        subject: certificate.subject().to_owned(),
        issuer: certificate.issuer().to_owned(),
        flags,
        scheme: certificate.scheme(),
        filestamp,
    }
}

/// Type and length of a field, as the log shows them.
fn head(field: &ExtensionField<'_>) -> u32 {
    u32::from(field.kind) << 16 | u32::try_from(field.length()).unwrap_or(u32::MAX)
}

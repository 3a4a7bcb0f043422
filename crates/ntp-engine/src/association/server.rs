//! A server on the network, as its client knows it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration as Elapsed,
};

use ntp_autokey::{Association as Autokey, ClientOptions};
use ntp_conf::AddressFamily;
use ntp_discipline::{Exchange, FilterConditions, FilterVerdict, Limits, Now, Sample};
use ntp_wire::control::Flash;
use ntp_wire::{
    AssociationId, Duration, Header, KissCode, Leap, Mode, Monotonic, Packet, PollExponent,
    Stratum, Timestamp, Trailer,
};

use super::{Association, Last, Security, Source};
use crate::{
    authority::Authority,
    on_wire::{Measured, OnWire},
};

/// A server whose root distance is above this is not synchronised, whatever it says (16 s).
const MAXIMUM_DISTANCE: Duration = Duration::from_seconds(16);

/// Crypto-NAKs and wrong MACs within this time count as one, for the log.
const QUIET: Elapsed = Elapsed::from_secs(60);

/// The two ends of the path to a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// Where the server listens.
    pub remote: SocketAddr,
    /// Our address on the way there: Autokey binds it into every key.
    pub local: IpAddr,
}

/// What a client keeps of a server.
#[derive(Debug)]
pub(crate) struct Server {
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
    pub(super) wire: OnWire,
    pub(crate) autokey: Option<Autokey>,
    authentic: bool,
    /// What was last wrong with the authentication, until something is right.
    pub(crate) problem: Option<String>,
    /// When the log was last told of a packet that was not authentic.
    complained: Option<Monotonic>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) bad_authentication: u64,
    pub(crate) bogus: u64,
    pub(crate) duplicates: u64,
}

/// What came of a packet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reception {
    /// What the filter made of its sample.
    pub(crate) sampled: Option<FilterVerdict>,
    /// Nothing had come for a while, now something did.
    pub(crate) now_reachable: bool,
    /// It was not authentic, and the log should say so; the words say why.
    pub(crate) not_authentic: Option<String>,
    /// The server refuses.
    pub(crate) kiss: Option<(KissCode, PollExponent)>,
    /// What the filter's sample was made from.
    pub(crate) exchange: Option<Exchange>,
    /// From here on its time counts, and did not before.
    pub(crate) newly_usable: bool,
}

impl Server {
    pub(crate) fn new(
        id: AssociationId,
        security: &Security,
        family: Option<AddressFamily>,
        port: Option<u16>,
    ) -> Self {
        let autokey = match security {
            Security::Autokey { ident } => Some(Autokey::new(ClientOptions {
                association: id,
                ident: ident.clone(),
            })),
            Security::None | Security::Key(_) => None,
        };
        Self {
            family,
            port,
            endpoint: None,
            resolving: false,
            lookups: 0,
            unresolved: 0,
            wire: OnWire::default(),
            autokey,
            authentic: false,
            problem: None,
            complained: None,
            received: 0,
            sent: 0,
            bad_authentication: 0,
            bogus: 0,
            duplicates: 0,
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

    /// Whether its last packet was authentic.
    pub(crate) fn is_authentic(&self) -> bool {
        self.authentic
    }

    /// Forgets the request that is on its way.
    pub(crate) fn abandon(&mut self) {
        self.wire.abandon();
    }
}

impl Association {
    /// Takes the packet of a server in, which came from its address at `received`.
    pub(crate) fn receive(
        &mut self,
        packet: &Packet<'_>,
        received: Timestamp,
        now: Now,
        authority: &mut Authority<'_>,
        conditions: &FilterConditions,
        limits: &Limits,
    ) -> Reception {
        let Source::Server(server) = &mut self.source else {
            return Reception::default();
        };
        let Some(endpoint) = server.endpoint else {
            return Reception::default();
        };
        let header = packet.header();
        let mut reception = Reception::default();
        server.received += 1;
        if header.mode != Mode::Server {
            self.flash |= Flash::BOGUS;
            return reception;
        }
        let exchange = match server.wire.check(header, received) {
            Ok(exchange) => exchange,
            Err(failed) => {
                if failed == Flash::DUPLICATE {
                    server.duplicates += 1;
                } else {
                    server.bogus += 1;
                }
                self.flash = self.flash.of_server() | failed;
                return reception;
            }
        };
        let verified = authenticate(
            server,
            &self.settings.security,
            endpoint,
            packet,
            now,
            authority,
        );
        let verified = match verified {
            Ok(verified) => verified,
            Err(failure) => {
                server.bad_authentication += 1;
                server.authentic = false;
                self.flash = self.flash.of_server() | failure.flash;
                let due = server
                    .complained
                    .is_none_or(|last| now.monotonic - last >= QUIET);
                if due {
                    server.complained = Some(now.monotonic);
                    reception.not_authentic = Some(failure.why.clone());
                }
                server.problem = Some(failure.why);
                return reception;
            }
        };
        // Only now: what is not authentic must not shut out the true reply.
        server.wire.accept(header);
        server.problem = None;
        let was_authentic = std::mem::replace(&mut server.authentic, verified.proven);
        if let Some(kiss) = header.kiss_code() {
            self.flash = self.flash.of_server() | Flash::DENIED;
            reception.kiss = Some((kiss, header.poll));
            return reception;
        }
        let mut flash = sanity(header, limits);
        if server.autokey.is_some() && !verified.proven {
            flash |= Flash::CRYPTO;
        }
        self.flash = self.flash.of_server() | flash;
        if !verified.time_usable {
            // Anybody can make the MAC of a packet with Autokey's fields: it shows that the server
            // answers, and its header tells nothing.
            if flash.is_empty() {
                reception.now_reachable = self.schedule.answered(self.schedule.peer_poll());
            }
            return reception;
        }
        self.last = Last {
            header: *header,
            received: Some(received),
        };
        if !flash.is_empty() {
            return reception;
        }
        reception.now_reachable = self.schedule.answered(header.poll);
        reception.newly_usable = !was_authentic || self.estimate().at.is_none();
        let ours = conditions.precision;
        let verdict = self.push(
            Sample {
                offset: exchange.offset(),
                delay: exchange.delay(ours),
                dispersion: exchange.dispersion(ours, header.precision),
                at: now.monotonic,
            },
            conditions,
        );
        reception.sampled = Some(verdict);
        reception.exchange = Some(exchange);
        reception
    }
}

/// What authentication found.
#[derive(Clone, Copy)]
struct Verified {
    /// A key proves whose packet it is; always false where none was asked for.
    proven: bool,
    time_usable: bool,
}

struct NotAuthentic {
    flash: Flash,
    why: String,
}

fn authenticate(
    server: &mut Server,
    security: &Security,
    endpoint: Endpoint,
    packet: &Packet<'_>,
    now: Now,
    authority: &mut Authority<'_>,
) -> Result<Verified, NotAuthentic> {
    let failed = |why: &str| NotAuthentic {
        flash: Flash::AUTHENTICATION,
        why: why.into(),
    };
    match security {
        Security::None if packet.trailer() == Trailer::CryptoNak => {
            Err(failed("a crypto-NAK, though no key is configured"))
        }
        Security::None => Ok(Verified {
            proven: false,
            time_usable: true,
        }),
        Security::Key(wanted) => match packet.trailer() {
            Trailer::Mac { key_id, digest } if key_id == *wanted => {
                let entry = authority.keys.trusted(key_id).ok_or_else(|| {
                    failed("the key is not in the keys file or not named by trustedkey")
                })?;
                if !entry.allows(endpoint.remote.ip()) {
                    return Err(failed(
                        "the keys file does not allow the key for this address",
                    ));
                }
                if !entry.key().verify(packet.authenticated(), digest) {
                    return Err(failed("the MAC is wrong: the keys differ"));
                }
                Ok(Verified {
                    proven: true,
                    time_usable: true,
                })
            }
            Trailer::Mac { .. } => Err(failed("the reply is made with another key")),
            Trailer::CryptoNak => Err(failed(
                "crypto-NAK: the server does not know or trust the key",
            )),
            Trailer::None => Err(failed("the reply has no MAC")),
        },
        Security::Autokey { .. } => {
            let exchange = authority.exchange(endpoint, now);
            let (Some(autokey), Some(host)) = (&mut server.autokey, authority.host.as_deref_mut())
            else {
                return Err(failed("Autokey is not set up: see the crypto directive"));
            };
            match autokey.receive(host, &exchange, authority.groups, packet) {
                Ok(received) => Ok(Verified {
                    proven: autokey.is_proventic(),
                    time_usable: received.time_usable,
                }),
                Err(error) => Err(NotAuthentic {
                    flash: Flash::CRYPTO,
                    why: format!("{error} ({:#x} {})", error.code(), error.words()),
                }),
            }
        }
    }
}

/// Whether the header of a reply makes sense (tests 6 and 7), and is of a stratum that is wanted.
fn sanity(header: &Header, limits: &Limits) -> Flash {
    let mut flash = Flash::NONE;
    let stratum = header.stratum.value();
    if header.leap == Leap::Unsynchronised
        || header.stratum >= Stratum::UNSYNCHRONISED
        || stratum < limits.floor
        || stratum >= limits.ceiling
    {
        flash |= Flash::STRATUM;
    }
    let distance = header.root_delay.to_duration() / 2 + header.root_dispersion.to_duration();
    // The era is that of the transmit timestamp, so the difference of the two needs none.
    let age = header
        .transmit_time
        .to_bits()
        .wrapping_sub(header.reference_time.to_bits()) as i64;
    if distance >= MAXIMUM_DISTANCE || (!header.reference_time.is_zero() && age < 0) {
        flash |= Flash::HEADER;
    }
    flash
}

#[cfg(test)]
mod tests {
    use ntp_wire::{ShortDuration, WireTimestamp};

    use super::*;

    fn good() -> Header {
        Header {
            leap: Leap::None,
            mode: Mode::Server,
            stratum: Stratum::new(2),
            reference_time: WireTimestamp::from_bits(5 << 32),
            transmit_time: WireTimestamp::from_bits(9 << 32),
            ..Header::default()
        }
    }

    #[test]
    fn a_server_must_be_synchronised() {
        assert_eq!(sanity(&good(), &Limits::default()), Flash::NONE);
        let unknown = Header {
            leap: Leap::Unsynchronised,
            ..good()
        };
        assert_eq!(sanity(&unknown, &Limits::default()), Flash::STRATUM);
        let of = |stratum| Header {
            stratum: Stratum::new(stratum),
            ..good()
        };
        for stratum in [15, 16, 17, 255] {
            assert_eq!(sanity(&of(stratum), &Limits::default()), Flash::STRATUM);
        }
        let limits = Limits {
            floor: 2,
            ceiling: 4,
            ..Limits::default()
        };
        let fit = [1, 2, 3, 4].map(|stratum| sanity(&of(stratum), &limits).is_empty());
        assert_eq!(fit, [false, true, true, false]);
    }

    #[test]
    fn a_server_must_be_near_and_not_from_the_future() {
        let far = Header {
            root_dispersion: ShortDuration::from_bits(16 << 16),
            ..good()
        };
        assert_eq!(sanity(&far, &Limits::default()), Flash::HEADER);
        let late = Header {
            reference_time: WireTimestamp::from_bits(10 << 32),
            ..good()
        };
        assert_eq!(sanity(&late, &Limits::default()), Flash::HEADER);
        // Set in era 0, sent in era 1.
        let rollover = Header {
            reference_time: WireTimestamp::from_bits(u64::MAX - 5),
            transmit_time: WireTimestamp::from_bits(7),
            ..good()
        };
        assert_eq!(sanity(&rollover, &Limits::default()), Flash::NONE);
    }
}

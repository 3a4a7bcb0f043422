//! Taking the packets of a server or a peer in.

use std::time::Duration as Elapsed;

use ntp_discipline::{Exchange, FilterConditions, FilterVerdict, Limits, Now, Sample};
use ntp_wire::control::Flash;
use ntp_wire::{
    Duration, Header, KissCode, Leap, Mode, Monotonic, Packet, PollExponent, Stratum, Timestamp,
};

use super::{
    Association, Last, Role, Source,
    authenticity::{NotAuthentic, Verified, Way, authenticate},
};
use crate::{
    authority::Authority,
    on_wire::{Answer, AnswerKind, Measured},
};

/// A server whose root distance is above this is not synchronised, whatever it says (16 s).
const MAXIMUM_DISTANCE: Duration = Duration::from_seconds(16);

/// Crypto-NAKs and wrong MACs within this time count as one, for the log.
const QUIET: Elapsed = Elapsed::from_secs(60);

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
    /// Interleaved replies begin, or one of them can't be.
    pub(crate) interleaving: Option<AnswerKind>,
    /// What the filter's sample was made from.
    pub(crate) exchange: Option<Exchange>,
    /// From here on its time counts, and did not before.
    pub(crate) newly_usable: bool,
}

impl Association {
    /// Takes the packet of a server or peer in, which came from its address at `received`.
    pub(crate) fn receive(
        &mut self,
        packet: &Packet<'_>,
        received: Timestamp,
        now: Now,
        authority: &mut Authority<'_>,
        conditions: &FilterConditions,
        limits: &Limits,
    ) -> Reception {
        let reachable = self.schedule.reach() != 0;
        let Source::Server(server) = &mut self.source else {
            return Reception::default();
        };
        let Some(endpoint) = server.endpoint() else {
            return Reception::default();
        };
        let header = packet.header();
        let reception = Reception::default();
        server.received += 1;
        let checked = server.wire.check(header, received);
        if let Err(failed) = checked
            && (!server.role.is_symmetric() || failed == Flash::DUPLICATE)
        {
            self.flash = self.flash.of_server() | failed;
            server.count(failed);
            return reception;
        }
        let verified = match authenticate(
            server,
            &self.settings.security,
            (
                endpoint,
                Way::Direct {
                    answers: checked.is_ok(),
                },
            ),
            packet,
            now,
            authority,
        ) {
            Ok(verified) => verified,
            Err(failure) => return self.refuse(failure, now.monotonic),
        };
        // Only now: what is not authentic must not shut out the true reply, nor may it change what
        // we tell a peer of his packets.
        // The MAC of a packet with Autokey's fields can be anybody's, who can't answer ours.
        let is_theirs = checked.is_ok() || verified.time_usable || !verified.proven;
        if is_theirs {
            let kind = checked.as_ref().ok().map(|answer| answer.kind);
            server
                .wire
                .accept(header, (received, now.monotonic), kind, reachable);
        } else {
            server.wire.note_question(header, received);
        }
        server.problem = None;
        let answer = match checked {
            Ok(answer) => answer,
            // Of a peer that has not heard of us, or whose packet crossed ours: the next will do.
            Err(failed) => {
                self.flash = self.flash.of_server() | failed;
                server.count(failed);
                return reception;
            }
        };
        self.take(
            header,
            (&answer, received),
            verified,
            now,
            conditions,
            limits,
        )
    }

    /// A packet is not authentic: it is counted, and the log told of it now and then.
    pub(super) fn refuse(&mut self, failure: NotAuthentic, now: Monotonic) -> Reception {
        let mut reception = Reception::default();
        let Source::Server(server) = &mut self.source else {
            return reception;
        };
        server.bad_authentication += 1;
        server.authentic = false;
        self.flash = self.flash.of_server() | failure.flash;
        let due = server.complained.is_none_or(|last| now - last >= QUIET);
        if due {
            server.complained = Some(now);
            reception.not_authentic = Some(failure.why.clone());
        }
        server.problem = Some(failure.why);
        reception
    }

    /// What is to be told of a reply of this kind: the first of interleaved ones, or one that is
    /// wrong.
    fn note_interleaving(&mut self, kind: AnswerKind) -> Option<AnswerKind> {
        let Source::Server(server) = &mut self.source else {
            return None;
        };
        let is_interleaved = kind == AnswerKind::Interleaved;
        let was_interleaved = std::mem::replace(&mut server.interleaved, is_interleaved);
        match kind {
            AnswerKind::Basic => None,
            AnswerKind::Interleaved if was_interleaved => None,
            AnswerKind::Interleaved | AnswerKind::InterleaveError => Some(kind),
        }
    }

    /// Takes in what an authentic packet says, which answers one of ours and came at `received`.
    pub(super) fn take(
        &mut self,
        header: &Header,
        (answer, received): (&Answer, Timestamp),
        verified: Verified,
        now: Now,
        conditions: &FilterConditions,
        limits: &Limits,
    ) -> Reception {
        let mut reception = Reception::default();
        let Source::Server(server) = &mut self.source else {
            return reception;
        };
        let was_authentic = std::mem::replace(&mut server.authentic, verified.proven);
        let kiss = header.kiss_code().filter(|kiss| {
            // A peer whose clock is not set has stratum 0 as well. What gives no time gives no
            // orders either: nobody has signed the header of a packet with Autokey's fields.
            verified.time_usable
                && (server.role == Role::Client || !matches!(kiss, KissCode::Other(_)))
        });
        if let Some(kiss) = kiss {
            self.flash = self.flash.of_server() | Flash::DENIED;
            reception.kiss = Some((kiss, header.poll));
            return reception;
        }
        let is_interleaved = answer.kind != AnswerKind::Basic;
        reception.interleaving = self.note_interleaving(answer.kind);
        let Source::Server(server) = &mut self.source else {
            return reception;
        };
        let mut flash = sanity(header, is_interleaved, limits);
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
        let Some(exchange) = &answer.exchange else {
            return reception;
        };
        let ours = conditions.precision;
        let verdict = self.push(
            Sample {
                offset: exchange.offset(),
                delay: exchange.delay(ours),
                dispersion: exchange.dispersion(ours, header.precision),
                at: answer.ended.unwrap_or(now.monotonic),
            },
            conditions,
        );
        if header.mode == Mode::Server {
            self.measured(header, now.monotonic);
        }
        reception.sampled = Some(verdict);
        reception.exchange = Some(*exchange);
        reception
    }
}

/// Whether the header of a reply makes sense (tests 6 and 7), and is of a stratum that is wanted.
fn sanity(header: &Header, is_interleaved: bool, limits: &Limits) -> Flash {
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
    // An interleaved reply says when the one before it left: the clock may have been set since.
    let said_at = match is_interleaved {
        true => header.receive_time,
        false => header.transmit_time,
    };
    // The era is that of the transmit timestamp, so the difference of the two needs none.
    let age = said_at
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
        assert_eq!(sanity(&good(), false, &Limits::default()), Flash::NONE);
        let unknown = Header {
            leap: Leap::Unsynchronised,
            ..good()
        };
        assert_eq!(sanity(&unknown, false, &Limits::default()), Flash::STRATUM);
        let of = |stratum| Header {
            stratum: Stratum::new(stratum),
            ..good()
        };
        for stratum in [15, 16, 17, 255] {
            assert_eq!(
                sanity(&of(stratum), false, &Limits::default()),
                Flash::STRATUM
            );
        }
        let limits = Limits {
            floor: 2,
            ceiling: 4,
            ..Limits::default()
        };
        let fit = [1, 2, 3, 4].map(|stratum| sanity(&of(stratum), false, &limits).is_empty());
        assert_eq!(fit, [false, true, true, false]);
    }

    #[test]
    fn a_server_must_be_near_and_not_from_the_future() {
        let far = Header {
            root_dispersion: ShortDuration::from_bits(16 << 16),
            ..good()
        };
        assert_eq!(sanity(&far, false, &Limits::default()), Flash::HEADER);
        let late = Header {
            reference_time: WireTimestamp::from_bits(10 << 32),
            ..good()
        };
        assert_eq!(sanity(&late, false, &Limits::default()), Flash::HEADER);
        // Set in era 0, sent in era 1.
        let rollover = Header {
            reference_time: WireTimestamp::from_bits(u64::MAX - 5),
            transmit_time: WireTimestamp::from_bits(7),
            ..good()
        };
        assert_eq!(sanity(&rollover, false, &Limits::default()), Flash::NONE);
    }
}

//! Whom to believe.

use std::time::Duration as Elapsed;

use ntp_discipline::{Candidate, Limits, SelectionConditions, Selector, SourceKind};
use ntp_wire::{Duration, Leap, PollExponent, Ppm, Precision, ReferenceId, Stratum};

use crate::{exchange::Answer, journal::Journal, server::Server};

/// The server to set the clock by, and its offset; `None` if there is none.
///
/// Servers that disqualify themselves are dropped; of the others the selection of RFC 5905 finds
/// those that agree, and the best of these.
pub(crate) fn select<'a>(
    servers: &'a [Server],
    journal: &Journal,
) -> Option<(&'a Server, Duration)> {
    let mut fit = Vec::new();
    for server in servers {
        match fitness(server) {
            Ok(answer) => fit.push((server, answer)),
            Err(unfit) => {
                journal.trace(|| format!("{}: Server dropped: {unfit}", server.address.ip()));
            }
        }
    }
    let candidates: Vec<_> = fit
        .iter()
        .map(|(server, answer)| candidate(server, answer))
        .collect();
    let conditions = SelectionConditions {
        precision: PRECISION,
        dispersion_rate: Ppm::new(15.0),
        uptime: Elapsed::ZERO,
        system_peer: None,
    };
    let selection = Selector::new(LIMITS).select(&candidates, &conditions);
    let (server, answer) = fit.get(selection.combined?.system_peer)?;
    Some((server, answer.offset))
}

/// Finer than what a network allows.
const PRECISION: Precision = Precision::new(-20);

/// What ntpdate is for is coarse: servers that agree to a tenth of a second agree, and only one
/// that knows nothing at all is too far away.
const LIMITS: Limits = Limits {
    minimum_clocks: 3,
    maximum_clocks: 10,
    minimum_sane: 1,
    minimum_distance: Duration::from_millis(50),
    maximum_distance: Duration::from_seconds(16),
    floor: 0,
    ceiling: 16,
    orphan: None,
    orphan_wait: Elapsed::ZERO,
};

/// Why a server is not to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum Unfit {
    #[error("no data")]
    NoData,
    #[error("server too far away")]
    TooFar,
    #[error("leap not in sync")]
    NotInSync,
    #[error("server is very broken")]
    Broken,
    #[error("server has gone too long without sync")]
    Stale,
    #[error("Server is untrusted")]
    Untrusted,
}

/// The best answer of a server, if that is fit to set a clock by.
fn fitness(server: &Server) -> Result<&Answer, Unfit> {
    /// No way round the world takes longer.
    const FURTHEST: Duration = Duration::from_seconds(8);
    /// A server must have been set within a day.
    const STALEST: Duration = Duration::from_seconds(86400);
    let answer = server.best().ok_or(Unfit::NoData)?;
    let header = &answer.header;
    let since_set = answer.transmitted - header.reference_time.near(answer.transmitted);
    if answer.delay >= FURTHEST {
        Err(Unfit::TooFar)
    } else if header.leap == Leap::Unsynchronised || header.stratum == Stratum::UNSPECIFIED {
        Err(Unfit::NotInSync)
    } else if since_set.is_negative() {
        Err(Unfit::Broken)
    } else if since_set >= STALEST {
        Err(Unfit::Stale)
    } else if !answer.is_trusted {
        Err(Unfit::Untrusted)
    } else {
        Ok(answer)
    }
}

fn candidate(server: &Server, answer: &Answer) -> Candidate {
    let header = &answer.header;
    Candidate {
        kind: SourceKind::Server,
        reachable: true,
        leap: header.leap,
        stratum: header.stratum,
        // Nobody is an orphan parent here.
        reference_id: ReferenceId::NONE,
        own_reference_id: ReferenceId::NONE,
        precision: header.precision,
        offset: answer.offset,
        delay: answer.delay.max(Duration::ZERO),
        dispersion: header.precision.to_duration() + PRECISION.to_duration(),
        jitter: server.jitter().max(PRECISION.to_duration()),
        age: Elapsed::ZERO,
        poll: PollExponent::new(0),
        root_delay: header.root_delay.to_duration(),
        root_dispersion: header.root_dispersion.to_duration(),
        looped: false,
        prefer: false,
        noselect: false,
        always_true: false,
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{Header, Mode, Monotonic, ShortDuration, Timestamp, WireTimestamp};

    use super::*;
    use crate::exchange::Pending;

    fn answer(offset: i32) -> Answer {
        let transmitted = Timestamp::from_unix(1_795_393_189, 0);
        Answer {
            header: Header {
                leap: Leap::None,
                mode: Mode::Server,
                stratum: Stratum::new(2),
                precision: PRECISION,
                reference_time: (transmitted - Duration::from_seconds(64)).to_wire(),
                ..Header::default()
            },
            offset: Duration::from_millis(offset),
            delay: Duration::from_millis(10),
            transmitted,
            sent: transmitted,
            is_trusted: true,
        }
    }

    fn server(number: u8, answer: Answer) -> Server {
        let mut server = Server::new(([127, 0, 0, number], 123).into(), Monotonic::START);
        let pending = Pending {
            nonce: WireTimestamp::from_bits(1),
            sent: answer.sent,
        };
        server.was_asked(pending, Monotonic::START, Elapsed::ZERO);
        server.take(Ok(answer), 1);
        server
    }

    fn selected(servers: &[Server]) -> Option<(String, Duration)> {
        let journal = Journal::open("ntpdate", false, false);
        let (server, offset) = select(servers, &journal)?;
        Some((server.address.ip().to_string(), offset))
    }

    #[test]
    fn the_majority_is_believed() {
        let servers = [
            server(1, answer(90_000)),
            server(2, answer(11)),
            server(3, answer(10)),
        ];
        let (name, offset) = selected(&servers).unwrap();
        assert!(name == "127.0.0.2" || name == "127.0.0.3", "{name}");
        assert!(offset < Duration::from_millis(12));
    }

    #[test]
    fn two_that_contradict_each_other_are_not() {
        let servers = [server(1, answer(90_000)), server(2, answer(10))];
        assert_eq!(selected(&servers), None);
    }

    #[test]
    fn a_server_that_starts_is_good_enough() {
        let mut starting = answer(10);
        starting.header.root_dispersion = ShortDuration::from_bits(10 << 16);
        assert!(selected(&[server(1, starting)]).is_some());
    }

    #[test]
    fn who_disqualifies_himself_is_dropped() {
        let unfit = |change: fn(&mut Answer)| {
            let mut answer = answer(10);
            change(&mut answer);
            let server = server(1, answer);
            assert_eq!(selected(std::slice::from_ref(&server)), None);
            fitness(&server).unwrap_err()
        };
        assert_eq!(
            unfit(|answer| answer.header.leap = Leap::Unsynchronised),
            Unfit::NotInSync
        );
        assert_eq!(
            unfit(|answer| answer.header.stratum = Stratum::UNSPECIFIED),
            Unfit::NotInSync
        );
        assert_eq!(unfit(|answer| answer.is_trusted = false), Unfit::Untrusted);
        assert_eq!(
            unfit(|answer| answer.delay = Duration::from_seconds(8)),
            Unfit::TooFar
        );
        assert_eq!(
            unfit(|answer| answer.header.reference_time =
                (answer.transmitted + Duration::from_millis(1)).to_wire()),
            Unfit::Broken
        );
        assert_eq!(
            unfit(|answer| answer.header.reference_time =
                (answer.transmitted - Duration::from_seconds(86_400)).to_wire()),
            Unfit::Stale
        );
        let silent = Server::new(([127, 0, 0, 1], 123).into(), Monotonic::START);
        assert_eq!(fitness(&silent).unwrap_err(), Unfit::NoData);
    }
}
